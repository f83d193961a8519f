package diff

import (
	"bytes"
	"container/heap"
	"errors"
	"io"
	"slices"
)

// DefaultMemory is what a Sorter holds in memory before it writes a run.
const DefaultMemory = 8 << 20

// maxRuns is how many runs are merged at a time; each takes a buffer.
const maxRuns = 64

// Sorter sorts pairs by key, and those of one key by value.
type Sorter struct {
	storage Storage
	memory  int
	arena   []byte
	pairs   []pair
	runs    []*Run
	count   int64
}

// pair is a place in the arena.
type pair struct{ start, value, end int }

// pairBytes is what a pair takes besides its bytes.
const pairBytes = 24

// NewSorter makes a sorter that holds about memory bytes.
func NewSorter(storage Storage, memory int) *Sorter {
	return &Sorter{storage: storage, memory: memory}
}

// Count is how many pairs were added.
func (s *Sorter) Count() int64 { return s.count }

// Add takes a pair; it copies both.
func (s *Sorter) Add(key, value []byte) error {
	start := len(s.arena)
	s.arena = append(append(s.arena, key...), value...)
	s.pairs = append(s.pairs, pair{start, start + len(key), len(s.arena)})
	s.count++
	if len(s.arena)+len(s.pairs)*pairBytes < s.memory {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	if len(s.runs) < maxRuns {
		return nil
	}
	merged, err := s.merge(s.runs)
	if err != nil {
		return err
	}
	err = closeRuns(s.runs)
	s.runs = []*Run{merged}
	return err
}

func (s *Sorter) sort() {
	slices.SortFunc(s.pairs, func(a, b pair) int {
		if c := bytes.Compare(s.arena[a.start:a.value], s.arena[b.start:b.value]); c != 0 {
			return c
		}
		return bytes.Compare(s.arena[a.value:a.end], s.arena[b.value:b.end])
	})
}

// flush writes what is in memory as a run.
func (s *Sorter) flush() error {
	s.sort()
	run, err := s.write(&memoryCursor{s: s, at: -1})
	if err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	s.arena, s.pairs = s.arena[:0], s.pairs[:0]
	return nil
}

func (s *Sorter) write(from Cursor) (*Run, error) {
	w, err := NewRun(s.storage)
	if err != nil {
		return nil, err
	}
	for err == nil {
		if err = from.Next(); err == nil {
			err = w.Add(from.Key(), from.Value())
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, w.Discard())
	}
	run, err := w.Finish()
	if err != nil {
		return nil, errors.Join(err, w.Discard())
	}
	return run, nil
}

func (s *Sorter) merge(runs []*Run) (*Run, error) {
	cursor, err := newMerge(runs)
	if err != nil {
		return nil, err
	}
	return s.write(cursor)
}

// Sorted gives what was added, in order. Nothing may be added afterwards; the
// cursor is good until Close.
func (s *Sorter) Sorted() (Cursor, error) {
	if len(s.runs) == 0 {
		s.sort()
		return &memoryCursor{s: s, at: -1}, nil
	}
	if len(s.pairs) > 0 {
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
	s.arena, s.pairs = nil, nil
	return newMerge(s.runs)
}

// Close gives storage back.
func (s *Sorter) Close() error {
	err := closeRuns(s.runs)
	s.runs, s.arena, s.pairs = nil, nil, nil
	return err
}

func closeRuns(runs []*Run) error {
	var errs []error
	for _, r := range runs {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// memoryCursor gives sorted pairs that never left memory.
type memoryCursor struct {
	s  *Sorter
	at int
}

func (c *memoryCursor) Next() error {
	if c.at++; c.at >= len(c.s.pairs) {
		return io.EOF
	}
	return nil
}

func (c *memoryCursor) Key() []byte {
	p := c.s.pairs[c.at]
	return c.s.arena[p.start:p.value]
}

func (c *memoryCursor) Value() []byte {
	p := c.s.pairs[c.at]
	return c.s.arena[p.value:p.end]
}

// mergeCursor gives the pairs of several runs in one order.
type mergeCursor struct {
	cursors []Cursor // a heap by key and value
	begun   bool
}

func newMerge(runs []*Run) (*mergeCursor, error) {
	m := &mergeCursor{}
	for _, r := range runs {
		c := r.Cursor()
		switch err := c.Next(); {
		case errors.Is(err, io.EOF):
		case err != nil:
			return nil, err
		default:
			m.cursors = append(m.cursors, c)
		}
	}
	heap.Init(m)
	return m, nil
}

func (m *mergeCursor) Next() error {
	if !m.begun {
		m.begun = true
	} else if err := m.cursors[0].Next(); errors.Is(err, io.EOF) {
		heap.Pop(m)
	} else if err != nil {
		return err
	} else {
		heap.Fix(m, 0)
	}
	if len(m.cursors) == 0 {
		return io.EOF
	}
	return nil
}

func (m *mergeCursor) Key() []byte   { return m.cursors[0].Key() }
func (m *mergeCursor) Value() []byte { return m.cursors[0].Value() }

// Len, Less, Swap, Push and Pop make it a heap.
func (m *mergeCursor) Len() int { return len(m.cursors) }

// Less orders by key, then value.
func (m *mergeCursor) Less(i, j int) bool {
	a, b := m.cursors[i], m.cursors[j]
	if c := bytes.Compare(a.Key(), b.Key()); c != 0 {
		return c < 0
	}
	return bytes.Compare(a.Value(), b.Value()) < 0
}

// Swap exchanges two.
func (m *mergeCursor) Swap(i, j int) { m.cursors[i], m.cursors[j] = m.cursors[j], m.cursors[i] }

// Push is never called: a merge only shrinks.
func (m *mergeCursor) Push(c any) { m.cursors = append(m.cursors, c.(Cursor)) }

// Pop takes the last away.
func (m *mergeCursor) Pop() any {
	last := m.cursors[len(m.cursors)-1]
	m.cursors = m.cursors[:len(m.cursors)-1]
	return last
}
