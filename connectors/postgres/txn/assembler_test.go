package txn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/spool"
	"github.com/hopluu/hopluu/schemas/event"
)

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func frame(kind byte, parts ...[]byte) []byte { return append([]byte{kind}, bytes.Join(parts, nil)...) }

// in gives a message as it stands in a segment.
func in(xid uint32, plain []byte) []byte { return frame(plain[0], be32(xid), plain[1:]) }

const table = 16384

// relation describes the table with so many columns.
func relation(columns int) []byte {
	f := frame('R', be32(table), []byte("public\x00visit\x00d"), []byte{0, byte(columns)})
	for i := range columns {
		f = append(f, frame(1, fmt.Appendf(nil, "c%d\x00", i), be32(23), be32(^uint32(0)))...)
	}
	return f
}

// insert is a row of as many columns.
func insert(cells ...string) []byte {
	f := frame('I', be32(table), []byte{'N', 0, byte(len(cells))})
	for _, c := range cells {
		f = append(f, frame('t', be32(uint32(len(c))), []byte(c))...)
	}
	return f
}

func begin(xid uint32, commit uint64) []byte {
	return frame('B', be64(commit), be64(7), be32(xid))
}

func commit(lsn uint64) []byte { return frame('C', []byte{0}, be64(lsn), be64(lsn+1), be64(7)) }

func start(xid uint32, first byte) []byte { return frame('S', be32(xid), []byte{first}) }

var stop = []byte{'E'}

func streamCommit(xid uint32, lsn uint64) []byte {
	return frame('c', be32(xid), []byte{0}, be64(lsn), be64(lsn+1), be64(7))
}

func abort(xid, subxid uint32) []byte { return frame('A', be32(xid), be32(subxid)) }

func beginPrepare(xid uint32, lsn uint64) []byte {
	return frame('b', be64(lsn), be64(lsn+1), be64(6), be32(xid), []byte("gid\x00"))
}

func prepared(kind byte, xid uint32, lsn uint64) []byte { // Prepare, Stream Prepare, Commit Prepared
	return frame(kind, []byte{0}, be64(lsn), be64(lsn+1), be64(7), be32(xid), []byte("gid\x00"))
}

func rollbackPrepared(xid uint32, lsn uint64) []byte {
	return frame('r', []byte{0}, be64(lsn), be64(lsn+1), be64(6), be64(7), be32(xid), []byte("gid\x00"))
}

func newAssembler(t testing.TB, memory int) *Assembler {
	s := spool.New(spool.Config{Dir: t.TempDir(), MemoryBytes: memory})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return New(s)
}

// feed gives what comes out for what goes in.
func feed(a *Assembler, frames ...[]byte) (out [][]byte, err error) {
	for i, f := range frames {
		step, err := a.Take(bytes.Clone(f))
		if err != nil {
			return out, fmt.Errorf("message %d, %q: %w", i, f[:min(1, len(f))], err)
		}
		switch step {
		case Pass:
			out = append(out, f)
		case Commit:
			for m, err := range a.Committed() {
				if err != nil {
					return out, err
				}
				out = append(out, bytes.Clone(m))
			}
		}
	}
	return out, nil
}

func requireFrames(t testing.TB, want, got [][]byte) {
	t.Helper()
	show := func(frames [][]byte) (lines []string) {
		for _, f := range frames {
			lines = append(lines, fmt.Sprintf("%q", f))
		}
		return lines
	}
	require.Equal(t, show(want), show(got))
}

// A stream in segments comes out as protocol version 1 has it: in the order of
// the commits, the transactions whole, what was sent whole in its place.
func TestSegmentsBecomeWhole(t *testing.T) {
	a := newAssembler(t, 64)
	out, err := feed(a,
		start(10, 1), in(10, relation(1)), in(10, insert("a1")), stop,
		start(20, 1), in(20, relation(1)), in(21, insert("b1")), stop,
		relation(1), begin(30, 100), insert("c"), commit(100),
		start(10, 0), frame('O', be64(1), []byte("elsewhere\x00")), in(10, frame('Y', be32(9), []byte("public\x00mood\x00"))), in(11, insert("a2")), stop,
		streamCommit(20, 200),
		start(10, 0), stop,
		streamCommit(10, 300),
	)
	require.NoError(t, err)
	requireFrames(t, [][]byte{
		relation(1), begin(30, 100), insert("c"), commit(100),
		begin(20, 200), relation(1), insert("b1"), commit(200),
		begin(10, 300), relation(1), insert("a1"), insert("a2"), commit(300),
	}, out)
	_, held := a.Held()
	require.False(t, held)
}

// Case 3: what ROLLBACK TO SAVEPOINT takes back does not come out, the rest of
// the transaction does.
func TestCase03SavepointRollback(t *testing.T) {
	out, err := feed(newAssembler(t, 64),
		start(10, 1), in(10, relation(1)), in(10, insert("before")), in(11, insert("lost")), in(12, insert("lost too")), stop,
		abort(10, 12), abort(10, 11),
		start(10, 0), in(10, relation(1)), in(13, insert("after")), stop,
		streamCommit(10, 100),
	)
	require.NoError(t, err)
	requireFrames(t, [][]byte{begin(10, 100), relation(1), insert("before"), insert("after"), commit(100)}, out)
}

// Case 4: an abort of a transaction of which nothing was sent, streamed or not
// and with or without the fields of version 4, changes nothing.
func TestCase04StrayStreamAbort(t *testing.T) {
	out, err := feed(newAssembler(t, 64), abort(5, 5), relation(1), begin(6, 100), insert("a"), abort(7, 7), commit(100),
		append(abort(8, 9), append(be64(1), be64(2)...)...))
	require.NoError(t, err)
	requireFrames(t, [][]byte{relation(1), begin(6, 100), insert("a"), commit(100)}, out)
}

// A shape that a rolled-back ALTER TABLE gave does not leak: not into the
// transaction, not into others.
func TestRolledBackShapeDoesNotLeak(t *testing.T) {
	out, err := feed(newAssembler(t, 64),
		relation(1), begin(5, 50), insert("x"), commit(50),
		start(10, 1), in(10, relation(1)), in(10, insert("a")), in(11, relation(2)), in(11, insert("b", "b")), stop,
		abort(10, 11),
		start(10, 0), in(10, relation(1)), in(10, insert("c")), stop,
		streamCommit(10, 100),
		begin(6, 110), insert("y"), commit(110),
	)
	require.NoError(t, err)
	requireFrames(t, [][]byte{
		relation(1), begin(5, 50), insert("x"), commit(50),
		begin(10, 100), relation(1), insert("a"), insert("c"), commit(100),
		begin(6, 110), insert("y"), commit(110),
	}, out)
}

// A description that came later in another transaction holds after the commit
// of one that was described earlier, and only then.
func TestTheLastDescriptionHolds(t *testing.T) {
	out, err := feed(newAssembler(t, 64),
		start(10, 1), in(10, relation(1)), in(10, insert("a")), stop,
		relation(2), begin(6, 110), insert("y", "y"), commit(110),
		streamCommit(10, 120),
		begin(7, 130), insert("z", "z"), commit(130),
		// And the other way round: described within after the others.
		start(11, 1), in(11, relation(1)), in(11, relation(3)), in(11, insert("b", "b", "b")), stop,
		streamCommit(11, 140),
		begin(8, 150), insert("q", "q", "q"), commit(150),
	)
	require.NoError(t, err)
	requireFrames(t, [][]byte{
		relation(2), begin(6, 110), insert("y", "y"), commit(110),
		begin(10, 120), relation(1), insert("a"), relation(2), commit(120),
		begin(7, 130), insert("z", "z"), commit(130),
		begin(11, 140), relation(1), relation(3), insert("b", "b", "b"), commit(140),
		begin(8, 150), insert("q", "q", "q"), commit(150),
	}, out)
}

// A prepared transaction comes out at its COMMIT PREPARED, with the tables as
// they were, and holds back what may be confirmed until it is handed on (P1).
func TestPrepared(t *testing.T) {
	a := newAssembler(t, 64)
	out, err := feed(a, relation(1),
		beginPrepare(10, 100), insert("a"), insert("b"), prepared('P', 10, 100),
		start(20, 1), in(20, relation(1)), in(20, insert("c")), stop, prepared('p', 20, 200),
		beginPrepare(30, 300), insert("never"), prepared('P', 30, 300),
		relation(2), begin(40, 400), insert("d", "d"), commit(400))
	require.NoError(t, err)
	requireFrames(t, [][]byte{relation(1), relation(2), begin(40, 400), insert("d", "d"), commit(400)}, out)
	lsn, held := a.Held()
	require.True(t, held)
	require.Equal(t, event.LSN(100), lsn)

	step, err := a.Take(prepared('K', 10, 500))
	require.NoError(t, err)
	require.Equal(t, Commit, step)
	out = nil
	for m, err := range a.Committed() {
		require.NoError(t, err)
		if m[0] != 'C' {
			lsn, _ := a.Held()
			require.Equal(t, event.LSN(100), lsn, "P1: not all of it was handed on yet")
		}
		out = append(out, bytes.Clone(m))
	}
	requireFrames(t, [][]byte{begin(10, 500), relation(1), insert("a"), insert("b"), relation(2), commit(500)}, out)
	lsn, _ = a.Held()
	require.Equal(t, event.LSN(200), lsn)

	out, err = feed(a, rollbackPrepared(30, 300), prepared('K', 20, 600), rollbackPrepared(99, 1))
	require.NoError(t, err)
	requireFrames(t, [][]byte{begin(20, 600), relation(1), insert("c"), relation(2), commit(600)}, out)
	_, held = a.Held()
	require.False(t, held)
}

// A prepared transaction whose changes another reader of the slot confirmed is
// a gap that is said, not a transaction without changes.
func TestPreparedThatWasConfirmedByAnother(t *testing.T) {
	_, err := feed(newAssembler(t, 64), prepared('K', 10, 500))
	var lost *LostError
	require.ErrorAs(t, err, &lost)
}

// P3: messages that cannot stand where they stand end the stream.
func TestWrongOrder(t *testing.T) {
	for name, frames := range map[string][][]byte{
		"nothing":                                   {{}},
		"unknown kind":                              {{'?'}},
		"segment in a transaction":                  {begin(1, 1), start(2, 1)},
		"Stream Stop outside":                       {stop},
		"Begin in a segment":                        {start(1, 1), begin(2, 2)},
		"Stream Commit in a segment":                {start(1, 1), streamCommit(1, 1)},
		"Stream Commit in a transaction":            {start(1, 1), stop, begin(2, 2), streamCommit(1, 1)},
		"Stream Commit of the unknown":              {streamCommit(1, 1)},
		"two first segments":                        {start(1, 1), stop, start(1, 1)},
		"second segment without a first":            {start(1, 0)},
		"change of a rolled-back savepoint":         {start(1, 1), stop, abort(1, 2), start(1, 0), in(2, insert("x"))},
		"Stream Prepare of the unknown":             {prepared('p', 1, 1)},
		"Prepare outside":                           {prepared('P', 1, 1)},
		"Prepare of another":                        {beginPrepare(1, 1), prepared('P', 2, 1)},
		"prepare in a transaction":                  {begin(1, 1), beginPrepare(2, 2)},
		"prepared twice":                            {beginPrepare(1, 1), prepared('P', 1, 1), beginPrepare(1, 1)},
		"Begin in a prepare":                        {beginPrepare(1, 1), begin(2, 2)},
		"Commit Prepared of what was not prepared":  {start(1, 1), stop, prepared('K', 1, 1)},
		"a change in a segment that is cut off":     {start(1, 1), {'I', 0}},
		"a description in a segment that is broken": {relation(1), start(1, 1), in(1, []byte{'R', 0}), stop, streamCommit(1, 1)},
	} {
		_, err := feed(newAssembler(t, 64), frames...)
		var order *OrderError
		var bad *pgoutput.FrameError
		var lost *LostError
		require.True(t, errors.As(err, &order) || errors.As(err, &bad) || errors.As(err, &lost), "%s: %v", name, err)
	}
}

// Case 19: no sequence of messages does worse than an error.
func FuzzTake(f *testing.F) {
	f.Add(bytes.Join([][]byte{{10}, start(10, 1), in(10, relation(1)), stop, streamCommit(10, 1)}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := newAssembler(t, 64)
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			out, err := feed(a, data[1:1+n])
			if err != nil {
				return
			}
			for _, m := range out {
				if len(m) == 0 {
					t.Fatal("an empty message came out")
				}
			}
			data = data[1+n:]
		}
	})
}
