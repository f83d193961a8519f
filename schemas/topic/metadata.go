package topic

import (
	"context"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// metadata asks a broker for the cluster as it is now: all topics when none is
// named.
func (c *Client) metadata(ctx context.Context, topics ...string) (*metadata.Response, error) {
	res, err := ask[*freshCluster](ctx, c, &freshMetadata{clientID: c.config.ClientID, topics: topics})
	if err != nil {
		return nil, err
	}
	return res.Response, nil
}

// cachedMetadata is the cluster as kafka-go's transport routes by it, at most
// a few seconds old.
func (c *Client) cachedMetadata(ctx context.Context, topics ...string) (*metadata.Response, error) {
	return ask[*metadata.Response](ctx, c, &metadata.Request{TopicNames: topics})
}

// freshMetadata is a metadata request that goes to the broker. kafka-go's
// transport answers its own kind from a cache, by which a topic made a moment
// ago is not there yet.
type freshMetadata struct {
	clientID string
	topics   []string
	version  int16
}

func (m *freshMetadata) ApiKey() protocol.ApiKey { return protocol.Metadata }

func (m *freshMetadata) Required(versions map[protocol.ApiKey]int16) bool {
	m.version = versions[protocol.Metadata]
	return true
}

func (m *freshMetadata) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	req := &metadata.Request{TopicNames: m.topics}
	res, err := protocol.RoundTrip(rw, m.version, rawCorrelation, m.clientID, req)
	if err != nil {
		return nil, err
	}
	r, ok := res.(*metadata.Response)
	if !ok {
		return nil, fmt.Errorf("the broker answered a metadata request with a %T", res)
	}
	return &freshCluster{r}, nil
}

// freshCluster is the answer, in a type that the transport leaves alone.
type freshCluster struct{ *metadata.Response }

// rawCorrelation is the correlation id of the requests that we put on a
// connection ourselves. A connection carries one request at a time, so any
// number will do.
const rawCorrelation = 1

// leaderOf gives each partition's leader by the cached metadata; a partition
// without a known leader is absent.
func (c *Client) leaderOf(ctx context.Context, topics []string) (map[Partition]int32, error) {
	res, err := c.cachedMetadata(ctx, topics...)
	if err != nil {
		return nil, err
	}
	leaders := make(map[Partition]int32)
	for _, t := range res.Topics {
		if t.ErrorCode != 0 {
			continue
		}
		for _, p := range t.Partitions {
			if p.LeaderID >= 0 && (p.ErrorCode == 0 || kafka.Error(p.ErrorCode) == kafka.ReplicaNotAvailable) {
				leaders[Partition{t.Name, p.PartitionIndex}] = p.LeaderID
			}
		}
	}
	return leaders, nil
}

var _ protocol.RawExchanger = (*freshMetadata)(nil)
