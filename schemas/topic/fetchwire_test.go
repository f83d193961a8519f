package topic

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Another library reads every field of the request as it was meant, in every
// version.
func TestFetchRequestBytes(t *testing.T) {
	for version := int16(minFetchVersion); version <= maxFetchVersion; version++ {
		r := &fetchRequest{clientID: "me", version: version, maxWaitMs: 250, maxBytes: 9000, partitions: []fetchPosition{
			{Partition{"a", 1}, 11, 100}, {Partition{"a", 2}, 12, 101}, {Partition{"b", 0}, 1 << 40, 102},
		}}
		b := r.appendTo(nil)
		require.EqualValues(t, len(b)-4, binary.BigEndian.Uint32(b))
		require.Equal(t, []byte{0, 1, 0, byte(version), 0, 0, 0, rawCorrelation, 0, 2, 'm', 'e'}, b[4:16])
		k := kmsg.NewFetchRequest()
		k.SetVersion(version)
		require.NoError(t, k.ReadFrom(b[16:]))
		require.EqualValues(t, -1, k.ReplicaID)
		require.EqualValues(t, 250, k.MaxWaitMillis)
		require.EqualValues(t, 1, k.MinBytes)
		require.EqualValues(t, 9000, k.MaxBytes)
		require.EqualValues(t, 1, k.IsolationLevel)
		require.EqualValues(t, 0, k.SessionID)
		require.EqualValues(t, -1, k.SessionEpoch)
		require.Len(t, k.Topics, 2)
		require.Equal(t, "a", k.Topics[0].Topic)
		require.Len(t, k.Topics[0].Partitions, 2)
		p := k.Topics[1].Partitions[0]
		require.EqualValues(t, 0, p.Partition)
		require.EqualValues(t, 1<<40, p.FetchOffset)
		require.EqualValues(t, -1, p.CurrentLeaderEpoch)
		require.EqualValues(t, -1, p.LogStartOffset)
		require.EqualValues(t, 102, p.PartitionMaxBytes)
		require.Empty(t, k.ForgottenTopics)
	}
}

func answerBytes(version int16) []byte {
	k := kmsg.NewFetchResponse()
	k.SetVersion(version)
	k.ErrorCode = 0
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic = "a"
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = 3, 50, 40, 1
	p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 7, FirstOffset: 20}}
	p.RecordBatches = []byte("batches")
	q := kmsg.NewFetchResponseTopicPartition()
	q.Partition, q.ErrorCode = 4, 1
	topic.Partitions = append(topic.Partitions, p, q)
	k.Topics = append(k.Topics, topic)
	return append([]byte{0, 0, 0, rawCorrelation}, k.AppendTo(nil)...)
}

func TestFetchAnswer(t *testing.T) {
	for version := int16(minFetchVersion); version <= maxFetchVersion; version++ {
		a, err := parseFetch(version, answerBytes(version))
		require.NoError(t, err, version)
		require.Equal(t, []fetchedPartition{
			{Partition: Partition{"a", 3}, stable: 40, aborted: []abortedTransaction{{7, 20}}, batches: []byte("batches")},
			{Partition: Partition{"a", 4}, errorCode: 1, stable: -1},
		}, a.partitions, version)
	}
	_, err := parseFetch(11, []byte{0, 0, 0, 99, 0, 0, 0, 0})
	require.ErrorContains(t, err, "answers request 99")
	whole := answerBytes(11)
	for n := range len(whole) {
		_, err := parseFetch(11, whole[:n])
		require.ErrorIs(t, err, errShortFetch, n)
	}
}

func FuzzParseFetch(f *testing.F) {
	for version := int16(minFetchVersion); version <= maxFetchVersion; version++ {
		f.Add(version, answerBytes(version))
	}
	f.Fuzz(func(t *testing.T, version int16, b []byte) {
		a, err := parseFetch(version, b)
		if err != nil {
			return
		}
		for _, p := range a.partitions {
			if len(p.batches) > len(b) || len(p.aborted) > len(b)/16 {
				t.Fatal("more than there was")
			}
			if batch, err := committed(p, 0); err == nil && batch.Next < 0 {
				t.Fatal("a negative position")
			}
		}
	})
}
