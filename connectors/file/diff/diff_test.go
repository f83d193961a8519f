package diff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// disk counts what is open, and fails when told to.
type disk struct {
	open   int
	writes int
	failAt int // the write that fails; 0 for none
}

var errFull = errors.New("no space left on device")

type block struct {
	bytes.Buffer
	d *disk
}

func (d *disk) create() (File, error) {
	d.open++
	return &block{d: d}, nil
}

func (b *block) Write(p []byte) (int, error) {
	if b.d.writes++; b.d.writes == b.d.failAt {
		return 0, errFull
	}
	return b.Buffer.Write(p)
}

func (b *block) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(b.Bytes()).ReadAt(p, at)
}
func (b *block) Close() error { b.d.open--; return nil }

// fileRow is a row of a file in tests.
type fileRow struct {
	line     uint32
	key      string
	digest   string
	accepted bool
}

// naive is what Compare has to say, with everything in memory.
func naive(known map[string]string, rows []fileRow, full bool) []string {
	var out []string
	byKey := map[string][]fileRow{}
	for _, r := range rows {
		byKey[r.key] = append(byKey[r.key], r)
	}
	for key, all := range byKey {
		slices.SortFunc(all, func(a, b fileRow) int { return int(a.line) - int(b.line) })
		first := uint32(0)
		for _, r := range all {
			if !r.accepted {
				continue
			}
			outcome := New
			old, ok := known[key]
			switch {
			case first > 0:
				outcome = Duplicate
			case ok && old == r.digest:
				outcome = Same
			case ok:
				outcome = Changed
			}
			out = append(out, fmt.Sprint(outcome, key, r.digest, r.line, first))
			if first == 0 {
				first = r.line
			}
		}
		if old, ok := known[key]; ok && first == 0 {
			out = append(out, fmt.Sprint(Kept, key, old, 0, 0))
		}
	}
	for key, old := range known {
		if len(byKey[key]) > 0 {
			continue
		}
		outcome := Kept
		if full {
			outcome = Gone
		}
		out = append(out, fmt.Sprint(outcome, key, old, 0, 0))
	}
	slices.Sort(out)
	return out
}

// compare does the same by Compare, through a History and runs of a few pairs.
func compare(t *testing.T, d *disk, log [][2]string, rows []fileRow, full bool, memory int) ([]string, error) {
	history := NewHistory(d.create, memory)
	for _, entry := range log {
		if err := history.Put([]byte(entry[0]), []byte(entry[1])); err != nil {
			return nil, errors.Join(err, history.Close())
		}
	}
	known, err := history.Run()
	if err != nil {
		return nil, err
	}
	file := NewRows(d.create, memory)
	for _, r := range rows {
		if r.accepted {
			err = file.Accept(r.line, []byte(r.key), []byte(r.digest))
		} else {
			err = file.Refuse(r.line, []byte(r.key))
		}
		if err != nil {
			return nil, errors.Join(err, file.Close(), known.Close())
		}
	}
	var out []string
	last := ""
	err = Compare(known.Cursor(), file, full, func(c *Change) error {
		require.GreaterOrEqual(t, string(c.Key), last, "keys come in order")
		last = string(c.Key)
		out = append(out, fmt.Sprint(c.Outcome, string(c.Key), string(c.Digest), c.Line, c.First))
		return nil
	})
	slices.Sort(out)
	return out, errors.Join(err, file.Close(), known.Close())
}

// P8: with memory for a few pairs only, the outcome is that of maps.
func TestCompareIsThatOfMaps(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		known := map[string]string{}
		var log [][2]string
		for range random.IntN(200) {
			key, digest := fmt.Sprintf("k%d", random.IntN(60)), fmt.Sprintf("d%d", random.IntN(3))
			if random.IntN(5) == 0 {
				digest = ""
				delete(known, key)
			} else {
				known[key] = digest
			}
			log = append(log, [2]string{key, digest})
		}
		var rows []fileRow
		for line := range random.IntN(200) {
			rows = append(rows, fileRow{uint32(line + 2), fmt.Sprintf("k%d", random.IntN(100)), fmt.Sprintf("d%d", random.IntN(3)), random.IntN(4) > 0})
		}
		full := round%2 == 0
		d := &disk{}
		got, err := compare(t, d, log, rows, full, []int{1, 200, 4000, 1 << 20}[round%4])
		require.NoError(t, err)
		require.Equal(t, naive(known, rows, full), got)
		require.Zero(t, d.open, "storage is given back")
	}
}

// Storage that is full is an error, never a shorter file or another outcome.
func TestStorageThatFails(t *testing.T) {
	var log [][2]string
	var rows []fileRow
	for i := range 100 {
		log = append(log, [2]string{fmt.Sprint("k", i), "d"})
		rows = append(rows, fileRow{uint32(i + 2), fmt.Sprint("k", i), "e", true})
	}
	d := &disk{}
	_, err := compare(t, d, log, rows, true, 500)
	require.NoError(t, err)
	writes := d.writes
	require.Greater(t, writes, 10)
	for at := 1; at <= writes; at++ {
		d := &disk{failAt: at}
		_, err := compare(t, d, log, rows, true, 500)
		require.ErrorIs(t, err, errFull)
		require.Zero(t, d.open, "write %d", at)
	}
}

// A run that is shorter than it was written is not taken for its end.
func TestRunThatIsCut(t *testing.T) {
	d := &disk{}
	w, err := NewRun(d.create)
	require.NoError(t, err)
	require.NoError(t, w.Add([]byte("a"), []byte("1")))
	require.NoError(t, w.Add([]byte("b"), []byte("2")))
	run, err := w.Finish()
	require.NoError(t, err)
	require.EqualValues(t, 2, run.Count())
	for cut := int64(1); cut < run.size; cut++ {
		shorter := *run
		shorter.size = run.size - cut
		c := shorter.Cursor()
		n := 0
		for err = c.Next(); err == nil; err = c.Next() {
			n++
		}
		if shorter.size%4 == 0 {
			require.Equal(t, io.EOF, err)
		} else {
			require.Equal(t, io.ErrUnexpectedEOF, err)
		}
		require.Less(t, n, 2)
	}
	require.NoError(t, run.Close())
}

// Many runs are merged before there are more than buffers for them.
func TestManyRuns(t *testing.T) {
	d := &disk{}
	s := NewSorter(d.create, 1)
	most := 0
	for i := range 500 {
		require.NoError(t, s.Add([]byte(fmt.Sprintf("%03d", (i*7)%500)), nil))
		most = max(most, d.open)
	}
	require.LessOrEqual(t, most, maxRuns+1)
	require.EqualValues(t, 500, s.Count())
	c, err := s.Sorted()
	require.NoError(t, err)
	for i := range 500 {
		require.NoError(t, c.Next())
		require.Equal(t, fmt.Sprintf("%03d", i), string(c.Key()))
	}
	require.Equal(t, io.EOF, c.Next())
	require.NoError(t, s.Close())
	require.Zero(t, d.open)
}

func BenchmarkCompare(b *testing.B) {
	digest := []byte(strings.Repeat("d", 29))
	d := &disk{}
	history := NewHistory(d.create, DefaultMemory)
	const n = 100_000
	for i := range n {
		require.NoError(b, history.Put([]byte(fmt.Sprintf("%016d", i*7919%n)), digest))
	}
	known, err := history.Run()
	require.NoError(b, err)
	b.ResetTimer()
	for b.Loop() {
		rows := NewRows(d.create, DefaultMemory)
		for i := range n {
			require.NoError(b, rows.Accept(uint32(i+2), []byte(fmt.Sprintf("%016d", i*7919%n)), digest))
		}
		require.NoError(b, Compare(known.Cursor(), rows, true, func(*Change) error { return nil }))
		require.NoError(b, rows.Close())
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
}
