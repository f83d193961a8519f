package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func newSpool(t testing.TB, memory int) *Spool {
	s := New(Config{Dir: t.TempDir(), MemoryBytes: memory})
	require.NoError(t, s.Try())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func replay(t testing.TB, s *Spool, xid uint32) (texts []string, arrivals []uint64) {
	for f, err := range s.Replay(xid) {
		require.NoError(t, err)
		texts, arrivals = append(texts, string(f.Data)), append(arrivals, f.Arrival)
	}
	return texts, arrivals
}

// script adds frames of transaction 10, each named "subxid:text".
func script(t testing.TB, s *Spool, frames ...string) {
	for _, f := range frames {
		var subxid uint32
		_, err := fmt.Sscanf(f, "%d:", &subxid)
		require.NoError(t, err)
		require.NoError(t, s.Add(10, subxid, Frame{Data: []byte(f)}))
	}
}

// Case 3: ROLLBACK TO SAVEPOINT drops what came after the savepoint, the
// savepoints within it too, and nothing else.
func TestCase03SavepointRollback(t *testing.T) {
	for _, memory := range []int{64, 1 << 20} {
		s := newSpool(t, memory)
		require.NoError(t, s.Start(10))
		script(t, s, "10:a", "11:b", "12:c", "11:d")
		require.NoError(t, s.Abort(10, 12), "the inner savepoint")
		script(t, s, "11:e", "13:f", "10:g")
		texts, _ := replay(t, s, 10)
		require.Equal(t, []string{"10:a", "11:b", "11:d", "11:e", "13:f", "10:g"}, texts)
		// The server tells of each that goes with the outer one.
		require.NoError(t, s.Abort(10, 11))
		require.NoError(t, s.Abort(10, 13))
		script(t, s, "10:h", "14:i")
		texts, _ = replay(t, s, 10)
		require.Equal(t, []string{"10:a", "10:g", "10:h", "14:i"}, texts)
		require.ErrorIs(t, s.Add(10, 11, Frame{}), ErrAborted)
		require.NoError(t, s.Abort(10, 10))
		require.False(t, s.Known(10))
		require.Equal(t, Usage{}, s.Usage())
	}
}

// Case 4: servers tell of the end of transactions of which they sent nothing.
func TestCase04StrayStreamAbort(t *testing.T) {
	s := newSpool(t, 64)
	require.NoError(t, s.Abort(7, 7))
	require.NoError(t, s.Abort(7, 8))
	require.NoError(t, s.Start(10))
	script(t, s, "10:a", "11:b")
	require.NoError(t, s.Abort(7, 11), "another transaction's")
	require.NoError(t, s.Abort(10, 99), "a savepoint without a change")
	texts, _ := replay(t, s, 10)
	require.Equal(t, []string{"10:a", "11:b"}, texts)
	require.False(t, s.Known(7))
}

// Case 18, P8: what is kept in memory is bounded whatever the size of the
// transactions.
func TestCase18TransactionLargerThanMemory(t *testing.T) {
	const bound, rows = 1 << 20, 400_000
	s := newSpool(t, bound)
	row := func(xid uint32, i int) []byte {
		return fmt.Appendf(nil, "%d %d %0200d", xid, i, i)
	}
	before := heap()
	for xid := range uint32(4) {
		require.NoError(t, s.Start(xid))
	}
	for i := range rows {
		xid := uint32(i % 4)
		require.NoError(t, s.Add(xid, xid, Frame{Arrival: uint64(i), Data: row(xid, i)}))
		require.LessOrEqual(t, s.Usage().MemoryBytes, bound)
	}
	require.Less(t, heap()-before, int64(4*bound))
	require.Positive(t, s.Usage().DiskBytes)
	for xid := range uint32(4) {
		i := int(xid)
		for f, err := range s.Replay(xid) {
			require.NoError(t, err)
			if !bytes.Equal(row(xid, i), f.Data) || f.Arrival != uint64(i) {
				require.FailNow(t, "not what was written", "%d of %d: %s", i, xid, f.Data)
			}
			i += 4
		}
		require.Equal(t, rows+int(xid), i, "every row")
		require.NoError(t, s.Drop(xid))
	}
	require.Equal(t, Usage{}, s.Usage())
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A row that is larger than all the memory that the spool may take, among
// others.
func TestRowLargerThanTheBound(t *testing.T) {
	s := newSpool(t, 4096)
	require.NoError(t, s.Start(1))
	require.NoError(t, s.Start(2))
	large := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 3 {
		require.NoError(t, s.Add(1, 1, Frame{Arrival: uint64(3 * i), Data: []byte("small")}))
		require.NoError(t, s.Add(1, 1, Frame{Arrival: uint64(3*i + 1), Data: large}))
		require.NoError(t, s.Add(2, 2, Frame{Arrival: uint64(3*i + 2), Data: []byte("other")}))
		require.LessOrEqual(t, s.Usage().MemoryBytes, 4096)
	}
	texts, arrivals := replay(t, s, 1)
	require.Equal(t, []string{"small", string(large), "small", string(large), "small", string(large)}, texts)
	require.Equal(t, []uint64{0, 1, 3, 4, 6, 7}, arrivals)
	texts, _ = replay(t, s, 2)
	require.Equal(t, []string{"other", "other", "other"}, texts)
}

// modelled is a frame in the model: a list per transaction.
type modelled struct {
	subxid  uint32
	arrival uint64
	text    string
}

// Transactions that interleave, with savepoints in savepoints, released and
// rolled back, give what a list per transaction gives, wherever the bound cuts.
func TestAsASimpleModel(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(20260301, seed))
		s := newSpool(t, []int{1, 100, 1000, 20_000, 1 << 20}[random.IntN(5)])
		model := map[uint32][]modelled{}
		// open are the savepoints of a transaction, the transaction first, each
		// with those within it that were released.
		type savepoint []uint32
		open := map[uint32][]savepoint{}
		next, arrival := random.Uint32(), uint64(0) // the numbers may wrap
		pick := func() uint32 {
			xids := make([]uint32, 0, len(open))
			for xid := range open {
				xids = append(xids, xid)
			}
			slices.Sort(xids)
			return xids[random.IntN(len(xids))]
		}
		drop := func(xid, subxid uint32) {
			require.NoError(t, s.Abort(xid, subxid))
			model[xid] = slices.DeleteFunc(model[xid], func(f modelled) bool { return f.subxid == subxid })
		}
		check := func(xid uint32) {
			var texts, want []string
			var arrivals, wantArrivals []uint64
			texts, arrivals = replay(t, s, xid)
			for _, f := range model[xid] {
				want, wantArrivals = append(want, f.text), append(wantArrivals, f.arrival)
			}
			require.Equal(t, want, texts, "seed %d", seed)
			require.Equal(t, wantArrivals, arrivals, "seed %d", seed)
		}
		for range 400 {
			dice := random.IntN(100)
			if len(open) == 0 || dice < 4 {
				next++
				require.NoError(t, s.Start(next))
				require.ErrorIs(t, s.Start(next), ErrKnown)
				open[next] = []savepoint{{next}}
				continue
			}
			xid := pick()
			stack := open[xid]
			top := len(stack) - 1
			switch {
			case dice < 70:
				arrival += uint64(random.IntN(3))
				f := modelled{stack[top][0], arrival, fmt.Sprintf("%d %s", arrival, bytes.Repeat([]byte("z"), random.IntN(300)))}
				require.NoError(t, s.Add(xid, f.subxid, Frame{Arrival: arrival, Data: []byte(f.text)}))
				model[xid] = append(model[xid], f)
			case dice < 80: // SAVEPOINT
				next++
				open[xid] = append(stack, savepoint{next})
			case dice < 86 && top > 0: // RELEASE
				stack[top-1] = append(stack[top-1], stack[top]...)
				open[xid] = stack[:top]
			case dice < 93 && top > 0: // ROLLBACK TO
				to := 1 + random.IntN(top)
				for _, level := range stack[to:] {
					for _, subxid := range append(level[1:], level[0]) {
						drop(xid, subxid)
					}
				}
				open[xid] = stack[:to]
			case dice < 96: // COMMIT
				check(xid)
				require.NoError(t, s.Drop(xid))
				delete(model, xid)
				delete(open, xid)
			case dice < 98: // ROLLBACK
				for _, level := range stack {
					for _, subxid := range level {
						if subxid != xid {
							drop(xid, subxid)
						}
					}
				}
				require.NoError(t, s.Abort(xid, xid))
				require.False(t, s.Known(xid))
				delete(model, xid)
				delete(open, xid)
			default:
				check(xid)
			}
		}
		for xid := range open {
			check(xid)
		}
		require.Equal(t, len(open), s.Usage().Transactions)
	}
}

// A full disk is told, with what to do.
func TestDiskFull(t *testing.T) {
	s := newSpool(t, 64)
	s.open = func(string) (storage, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
	require.NoError(t, s.Start(1))
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = s.Add(1, 1, Frame{Data: []byte("a row")})
	}
	var disk *DiskError
	require.ErrorAs(t, err, &disk)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "make room there")
}

func TestFolderThatIsNotThere(t *testing.T) {
	err := New(Config{Dir: t.TempDir() + "/none"}).Try()
	var disk *DiskError
	require.ErrorAs(t, err, &disk)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// P11: the files have no name, and what is in them cannot be read without the
// process.
func TestFilesKeepSecrets(t *testing.T) {
	s := newSpool(t, 4096)
	var kept *os.File
	open := s.open
	s.open = func(dir string) (storage, error) {
		f, err := open(dir)
		kept, _ = f.(*os.File)
		return f, err
	}
	require.NoError(t, s.Start(1))
	const secret = "079201001234"
	for range 1000 {
		require.NoError(t, s.Add(1, 1, Frame{Data: []byte("row of " + secret)}))
	}
	names, err := os.ReadDir(s.config.Dir)
	require.NoError(t, err)
	require.Empty(t, names)
	content := make([]byte, s.Usage().DiskBytes)
	_, err = kept.ReadAt(content, 0)
	require.NoError(t, err)
	require.NotEmpty(t, content)
	require.NotContains(t, string(content), secret)
	texts, _ := replay(t, s, 1)
	require.Len(t, texts, 1000)
	require.NoError(t, s.Drop(1))
	_, err = kept.Stat()
	require.ErrorIs(t, err, os.ErrClosed)
}

// broken is a disk that changes one byte.
type broken struct {
	storage
	at int64
}

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	n, err := b.storage.ReadAt(p, at)
	if i := b.at - at; i >= 0 && i < int64(n) {
		p[i] ^= 1
	}
	return n, err
}

// P3: a file that is not what was written is an error, never other rows.
func TestDamagedFile(t *testing.T) {
	for at := range int64(150) {
		s := newSpool(t, 64)
		open := s.open
		s.open = func(dir string) (storage, error) {
			f, err := open(dir)
			return broken{f, at}, err
		}
		require.NoError(t, s.Start(1))
		for i := range 30 {
			require.NoError(t, s.Add(1, 1, Frame{Data: fmt.Appendf(nil, "row %d", i)}))
		}
		require.Greater(t, s.Usage().DiskBytes, at)
		var err error
		n := 0
		for f, e := range s.Replay(1) {
			if err = e; e == nil {
				require.Equal(t, fmt.Sprintf("row %d", n), string(f.Data))
				n++
			}
		}
		require.ErrorIs(t, err, errRecord)
	}
}

// A loop stops without an error, as on a context that ended.
func TestReplayStops(t *testing.T) {
	s := newSpool(t, 64)
	require.NoError(t, s.Start(1))
	for range 100 {
		require.NoError(t, s.Add(1, 1, Frame{Data: []byte("row")}))
	}
	for range 2 {
		n := 0
		for _, err := range s.Replay(1) {
			require.NoError(t, err)
			if n++; n == 3 {
				break
			}
		}
		require.Equal(t, 3, n)
	}
	var err error
	for _, e := range s.Replay(2) {
		err = errors.Join(err, e)
	}
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorIs(t, s.Add(2, 2, Frame{}), ErrUnknown)
}

// P8: ten million savepoints that are all rolled back are remembered in little.
func TestManySavepointsTakeLittle(t *testing.T) {
	set := xidSet{}
	const n, first = 10_000_000, 1<<32 - 5_000_000 // the numbers wrap
	before := heap()
	for i := range uint32(n) {
		set.add(first + 2*i)
	}
	require.Less(t, heap()-before, int64(4<<20))
	for i := range uint32(n) {
		if !set.has(first+2*i) || set.has(first+2*i+1) {
			require.FailNow(t, "wrong", "%d", i)
		}
	}
}

func BenchmarkSpool(b *testing.B) {
	s := newSpool(b, DefaultMemoryBytes)
	row := bytes.Repeat([]byte("Nguyễn Văn An 1234 "), 11)
	b.SetBytes(int64(len(row)))
	require.NoError(b, s.Start(1))
	for i := range b.N {
		row[i%len(row)]++
		if err := s.Add(1, 1, Frame{Arrival: uint64(i), Data: row}); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	for _, err := range s.Replay(1) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	if n != b.N {
		b.Fatal(n)
	}
}
