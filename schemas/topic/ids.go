package topic

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// ID is what Kafka gives a topic when it is made: one that is made again under
// the same name has another, though its offsets are the same numbers.
type ID [16]byte

// String is the id as a UUID.
func (id ID) String() string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// IDs gives the ids of topics, of all when none is named. An unknown topic is
// absent, as are all where the brokers are older than Kafka 3.1 and do not tell.
func (c *Client) IDs(ctx context.Context, topics ...string) (map[string]ID, error) {
	return retry(ctx, c, func(ctx context.Context) (map[string]ID, error) {
		if known, err := c.tellsIDs(ctx); err != nil || !known {
			return nil, err
		}
		res, err := ask[*topicIDs](ctx, c, &topicIDsRequest{clientID: c.config.ClientID, topics: topics})
		if err != nil {
			return nil, fmt.Errorf("the ids of topics cannot be read: %w", err)
		}
		ids := make(map[string]ID, len(res.topics))
		for _, t := range res.topics {
			switch err := makeError(t.errorCode); {
			case err == nil:
				ids[t.name] = t.id
			case errors.Is(err, kafka.UnknownTopicOrPartition):
			default:
				return nil, fmt.Errorf("topic %s: %w", t.name, err)
			}
		}
		return ids, nil
	})
}

// tellsIDs asks whether the broker knows the request: one that does not ends the
// connection without a word.
func (c *Client) tellsIDs(ctx context.Context) (bool, error) {
	res, err := c.kafka.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return false, fmt.Errorf("the broker's versions cannot be read: %w", err)
	}
	for _, k := range res.ApiKeys {
		if k.ApiKey == int(protocol.Metadata) {
			return k.MaxVersion >= idsVersion, nil
		}
	}
	return false, nil
}

// idsVersion is that of the metadata request whose answer has the topics' ids
// (Kafka 3.1, https://kafka.apache.org/protocol#The_Messages_Metadata). It is of
// the protocol's flexible form, which kafka-go does not read for this request.
const idsVersion = 12

// topicIDsRequest asks any broker.
type topicIDsRequest struct {
	clientID string
	topics   []string
}

func (r *topicIDsRequest) ApiKey() protocol.ApiKey { return protocol.Metadata }

func (r *topicIDsRequest) Required(map[protocol.ApiKey]int16) bool { return true }

func (r *topicIDsRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(r.appendTo(nil)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 0 || size > maxAnswer {
		return nil, fmt.Errorf("the broker's answer to a metadata request has %d bytes: is there something else than Kafka on this port?", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, err
	}
	return parseIDs(body)
}

func (r *topicIDsRequest) appendTo(dst []byte) []byte {
	be := binary.BigEndian
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0) // the length
	dst = be.AppendUint16(dst, uint16(protocol.Metadata))
	dst = be.AppendUint16(dst, idsVersion)
	dst = be.AppendUint32(dst, rawCorrelation)
	dst = appendString(dst, r.clientID)
	dst = append(dst, 0) // no tagged fields
	if len(r.topics) == 0 {
		dst = append(dst, 0) // null: all topics
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(r.topics))+1)
	}
	for _, name := range r.topics {
		dst = append(dst, make([]byte, 16)...) // by name, not by id
		dst = binary.AppendUvarint(dst, uint64(len(name))+1)
		dst = append(dst, name...)
		dst = append(dst, 0)
	}
	dst = append(dst, 0, 0, 0) // make no topics, tell no rights, no tagged fields
	be.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// topicIDs is the part of the answer that is asked for.
type topicIDs struct{ topics []identified }

type identified struct {
	errorCode int16
	name      string
	id        ID
}

func (*topicIDs) ApiKey() protocol.ApiKey { return protocol.Metadata }

// parseIDs reads the body of an answer, from its correlation id on.
func parseIDs(body []byte) (*topicIDs, error) {
	w := wire{b: body}
	if id := w.int32(); w.err == nil && id != rawCorrelation {
		return nil, fmt.Errorf("the broker answers request %d, not %d", id, rawCorrelation)
	}
	w.tags()
	w.int32() // throttle time
	for range w.compactCount(11) {
		w.int32() // broker
		w.compact()
		w.int32() // port
		w.compact()
		w.tags()
	}
	w.compact() // cluster
	w.int32()   // controller
	a := new(topicIDs)
	for range w.compactCount(26) {
		t := identified{errorCode: w.int16(), name: string(w.compact())}
		copy(t.id[:], w.take(16))
		w.take(1) // internal
		for range w.compactCount(18) {
			w.int16() // error
			w.int32() // partition
			w.int32() // leader
			w.int32() // its epoch
			for range 3 {
				w.take(4 * w.compactCount(4)) // replicas, those in sync, those away
			}
			w.tags()
		}
		w.int32() // rights
		w.tags()
		if w.err != nil {
			return nil, w.err
		}
		a.topics = append(a.topics, t)
	}
	return a, w.err
}

// uvarint reads an unsigned number of variable length.
func (w *wire) uvarint() uint64 {
	n, size := binary.Uvarint(w.b)
	if size <= 0 {
		w.err = errShortFetch
		return 0
	}
	w.take(size)
	return n
}

// compactCount is count in the flexible form.
func (w *wire) compactCount(size int) int {
	n := w.uvarint()
	if n == 0 || w.err != nil {
		return 0
	}
	if n-1 > uint64(len(w.b)/size) {
		w.err = errShortFetch
		return 0
	}
	return int(n - 1)
}

// compact reads a nullable string of the flexible form.
func (w *wire) compact() []byte { return w.take(w.compactCount(1)) }

// tags passes over tagged fields.
func (w *wire) tags() {
	for range w.compactTags() {
		w.uvarint()
		n := w.uvarint()
		if n > uint64(len(w.b)) {
			w.err = errShortFetch
			return
		}
		w.take(int(n))
	}
}

// compactTags is the number of tagged fields, which has no place for null.
func (w *wire) compactTags() int {
	n := w.uvarint()
	if n > uint64(len(w.b)/2) {
		w.err = errShortFetch
		return 0
	}
	return int(n)
}

var _ protocol.RawExchanger = (*topicIDsRequest)(nil)
