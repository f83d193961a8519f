package topic

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/topic/recordbatch"
)

// logged makes the bytes of a partition's log, batch by batch.
type logged struct {
	t     *testing.T
	bytes []byte
	next  int64
}

func (l *logged) batch(producer int64, transactional bool, values ...string) *logged {
	l.t.Helper()
	var b recordbatch.Builder
	for _, v := range values {
		b.Append(1, nil, []byte(v), nil)
	}
	raw, err := b.AppendBatch(nil, recordbatch.LZ4, recordbatch.Origin{ProducerID: producer, Transactional: transactional})
	require.NoError(l.t, err)
	return l.append(raw, len(values))
}

// marker ends a producer's transaction, as a broker writes it.
func (l *logged) marker(producer int64, typ recordbatch.ControlType) *logged {
	l.t.Helper()
	var b recordbatch.Builder
	b.Append(1, []byte{0, 0, 0, byte(typ)}, []byte{0, 0, 0, 0, 0, 0}, nil)
	raw, err := b.AppendBatch(nil, recordbatch.None, recordbatch.Origin{ProducerID: producer, ProducerEpoch: 1, Sequence: -1, Transactional: true})
	require.NoError(l.t, err)
	return l.append(edit(raw, func(b []byte) { b[22] |= 1 << 5 }), 1)
}

func (l *logged) append(raw []byte, records int) *logged {
	binary.BigEndian.PutUint64(raw, uint64(l.next))
	l.bytes = append(l.bytes, raw...)
	l.next += int64(records)
	return l
}

// edit changes a batch and makes its checksum fit.
func edit(raw []byte, change func([]byte)) []byte {
	change(raw)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func read(t *testing.T, l *logged, offset int64, aborted ...abortedTransaction) ([]string, Batch) {
	t.Helper()
	b, err := committed(fetchedPartition{Partition: Partition{"a", 2}, stable: l.next, aborted: aborted, batches: l.bytes}, offset)
	require.NoError(t, err)
	var got []string
	for _, r := range b.Records {
		require.Equal(t, Partition{"a", 2}, r.Partition)
		got = append(got, fmt.Sprintf("%d:%s", r.Offset, r.Value))
	}
	return got, b
}

// P2: two producers' transactions stand in between each other; only the
// aborted one's records are left out, up to its marker and no further.
func TestCase33AbortedRecordsAreLeftOut(t *testing.T) {
	l := (&logged{t: t, next: 10}).
		batch(1, true, "a1").                 // 10
		batch(2, true, "b1").                 // 11, aborted
		batch(1, true, "a2", "a3").           // 12
		batch(3, false, "plain").             // 14
		batch(2, true, "b2").                 // 15, aborted
		marker(2, recordbatch.ControlAbort).  // 16
		batch(2, true, "b3").                 // 17, the next transaction
		marker(1, recordbatch.ControlCommit). // 18
		batch(2, true, "b4").                 // 19
		marker(2, recordbatch.ControlCommit)  // 20
	got, b := read(t, l, 10, abortedTransaction{2, 11})
	require.Equal(t, []string{"10:a1", "12:a2", "13:a3", "14:plain", "17:b3", "19:b4"}, got)
	require.EqualValues(t, 21, b.Next)
	require.EqualValues(t, 21, b.Stable)
}

// One producer aborts twice with a commit in between; the broker's list need
// not be in order.
func TestAbortedTwice(t *testing.T) {
	l := (&logged{t: t}).
		batch(1, true, "x").marker(1, recordbatch.ControlAbort).  // 0, 1
		batch(1, true, "y").marker(1, recordbatch.ControlCommit). // 2, 3
		batch(1, true, "z").marker(1, recordbatch.ControlAbort)   // 4, 5
	got, b := read(t, l, 0, abortedTransaction{1, 4}, abortedTransaction{1, 0})
	require.Equal(t, []string{"2:y"}, got)
	require.EqualValues(t, 6, b.Next)
}

// A transaction that began before the fetch is aborted all the same.
func TestAbortedBeforeTheFetch(t *testing.T) {
	l := (&logged{t: t, next: 100}).batch(1, true, "x").marker(1, recordbatch.ControlAbort).batch(1, true, "y")
	got, _ := read(t, l, 100, abortedTransaction{1, 7})
	require.Equal(t, []string{"102:y"}, got)
}

// A broker sends whole batches: the records below the offset are not ours.
func TestFetchFromTheMiddleOfABatch(t *testing.T) {
	l := (&logged{t: t, next: 5}).batch(-1, false, "a", "b", "c").batch(-1, false, "d")
	got, b := read(t, l, 7)
	require.Equal(t, []string{"7:c", "8:d"}, got)
	require.EqualValues(t, 9, b.Next)
}

// Markers, aborted and compacted batches alone still move the position on.
func TestPositionMovesOnWithoutRecords(t *testing.T) {
	l := (&logged{t: t, next: 3}).batch(1, true, "x").marker(1, recordbatch.ControlAbort)
	got, b := read(t, l, 3, abortedTransaction{1, 3})
	require.Empty(t, got)
	require.EqualValues(t, 5, b.Next)

	var builder recordbatch.Builder
	builder.Append(1, nil, []byte("kept"), nil)
	builder.Append(1, nil, []byte("compacted"), nil)
	raw, err := builder.AppendBatch(nil, recordbatch.None, recordbatch.Origin{})
	require.NoError(t, err)
	// What compaction leaves of it: no record, its last offset as it was.
	raw = edit(raw[:recordbatch.Overhead], func(b []byte) {
		binary.BigEndian.PutUint32(b[8:], recordbatch.Overhead-12)
		binary.BigEndian.PutUint32(b[57:], 0)
	})
	l = (&logged{t: t, next: 20}).append(raw, 2)
	got, b = read(t, l, 21)
	require.Empty(t, got)
	require.EqualValues(t, 22, b.Next, "a reader that stays at 21 is given the same empty batch for ever")
}

// The last batch of an answer may be cut; it comes whole with the next one.
func TestCutBatchIsLeftForTheNextFetch(t *testing.T) {
	l := (&logged{t: t}).batch(-1, false, "a").batch(-1, false, "b")
	l.bytes = l.bytes[:len(l.bytes)-1]
	got, b := read(t, l, 0)
	require.Equal(t, []string{"0:a"}, got)
	require.EqualValues(t, 1, b.Next)
}

// P3: damage is an error that names the place; nothing is skipped.
func TestDamageIsAnError(t *testing.T) {
	l := (&logged{t: t, next: 8}).batch(-1, false, "a").batch(-1, false, "b")
	l.bytes[len(l.bytes)-1] ^= 1
	_, err := committed(fetchedPartition{Partition: Partition{"a", 2}, batches: l.bytes}, 8)
	require.ErrorIs(t, err, recordbatch.ErrCorrupt)
	require.ErrorContains(t, err, "a/2 at offset 9")
}
