package spool

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// memoryFile is a file that can be damaged.
type memoryFile struct{ b []byte }

func (m *memoryFile) ReadAt(p []byte, at int64) (int, error) {
	if at > int64(len(m.b)) {
		return 0, errors.New("end of the file")
	}
	if n := copy(p, m.b[at:]); n < len(p) {
		return n, errors.New("end of the file")
	}
	return len(p), nil
}

func (m *memoryFile) WriteAt(p []byte, at int64) (int, error) {
	m.b = append(m.b[:at], p...)
	return len(p), nil
}

func (m *memoryFile) Close() error { return nil }

// Case 19: a block of any bytes is walked to its end or refused.
func FuzzWalk(f *testing.F) {
	t0 := &transaction{xid: 10, aborted: xidSet{}}
	good := t0.appendRecord(nil, 10, Frame{Arrival: 3, Data: []byte("frame")})
	f.Add(t0.appendRecord(good, 11, Frame{Arrival: 5}))
	f.Add(good[:len(good)-1])
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, block []byte) {
		tx := &transaction{xid: 10, aborted: xidSet{}}
		tx.aborted.add(12)
		total, arrival := 0, uint64(0)
		more, err := tx.walk(block, &arrival, func(frame Frame) bool {
			total += len(frame.Data)
			return true
		})
		require.Equal(t, err == nil, more)
		if err != nil {
			require.ErrorIs(t, err, errRecord)
		}
		require.LessOrEqual(t, total, len(block))
	})
}

// P2: what a file gives back is what was put into it, or an error: also when
// its bytes were damaged, cut off or moved.
func FuzzDamagedFile(f *testing.F) {
	f.Add([]byte("one block"), []byte("and another"), uint(3), byte(1), uint(0))
	f.Add([]byte(""), []byte("x"), uint(0), byte(0xff), uint(0))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), []byte("b"), uint(60), byte(4), uint(0))
	f.Add([]byte("cut"), []byte("off"), uint(0), byte(0), uint(2))
	f.Fuzz(func(t *testing.T, a, b []byte, at uint, flip byte, cut uint) {
		storage := &memoryFile{}
		file, err := newFile(storage)
		require.NoError(t, err)
		var s scratch
		require.NoError(t, file.append(&s, a))
		require.NoError(t, file.append(&s, b))
		storage.b[at%uint(len(storage.b))] ^= flip
		storage.b = storage.b[:uint(len(storage.b))-cut%uint(len(storage.b))]
		damaged := flip != 0 || int64(len(storage.b)) < file.size
		written := [][]byte{a, b}
		more, err := file.each(&s, func(block []byte) (bool, error) {
			require.NotEmpty(t, written)
			require.Equal(t, string(written[0]), string(block))
			written = written[1:]
			return true, nil
		})
		require.Equal(t, damaged, err != nil)
		require.Equal(t, !damaged, more)
		if !damaged {
			require.Empty(t, written)
		}
	})
}
