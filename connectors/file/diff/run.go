package diff

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// Storage gives a new, empty place for one run.
type Storage func() (File, error)

// File is a place that is written once from its start and then read.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// Cursor gives pairs in the order of their keys. Key and Value are valid until
// the next call of Next; Next gives io.EOF at the end.
type Cursor interface {
	Next() error
	Key() []byte
	Value() []byte
}

// Run is a sorted sequence of pairs in storage. It can be read any number of
// times.
type Run struct {
	file  File
	size  int64
	count int64
}

// Count is how many pairs it has.
func (r *Run) Count() int64 { return r.count }

// Close gives its storage back.
func (r *Run) Close() error { return r.file.Close() }

const runBuffer = 64 << 10

// Cursor reads it from the start.
func (r *Run) Cursor() Cursor {
	return &runCursor{in: bufio.NewReaderSize(io.NewSectionReader(r.file, 0, r.size), runBuffer)}
}

// RunWriter writes a run.
type RunWriter struct {
	file  File
	out   *bufio.Writer
	run   Run
	sizes []byte
}

// NewRun begins a run.
func NewRun(storage Storage) (*RunWriter, error) {
	file, err := storage()
	if err != nil {
		return nil, err
	}
	return &RunWriter{file: file, out: bufio.NewWriterSize(file, runBuffer)}, nil
}

// Add appends a pair. The caller keeps the order.
func (w *RunWriter) Add(key, value []byte) error {
	w.sizes = binary.AppendUvarint(w.sizes[:0], uint64(len(key)))
	w.sizes = binary.AppendUvarint(w.sizes, uint64(len(value)))
	for _, b := range [][]byte{w.sizes, key, value} {
		n, err := w.out.Write(b)
		w.run.size += int64(n)
		if err != nil {
			return err
		}
	}
	w.run.count++
	return nil
}

// Finish gives the run.
func (w *RunWriter) Finish() (*Run, error) {
	if err := w.out.Flush(); err != nil {
		return nil, err
	}
	w.run.file = w.file
	return &w.run, nil
}

// Discard gives the storage of an unfinished run back.
func (w *RunWriter) Discard() error { return w.file.Close() }

type runCursor struct {
	in   *bufio.Reader
	pair []byte
	key  int // length of the key in pair
}

func (c *runCursor) Key() []byte   { return c.pair[:c.key] }
func (c *runCursor) Value() []byte { return c.pair[c.key:] }

func (c *runCursor) Next() error {
	key, err := binary.ReadUvarint(c.in)
	if err != nil {
		return err // io.EOF only between two pairs
	}
	value, err := binary.ReadUvarint(c.in)
	if err != nil {
		return cut(err)
	}
	size := int(key + value)
	if cap(c.pair) < size {
		c.pair = make([]byte, size)
	}
	c.pair, c.key = c.pair[:size], int(key)
	_, err = io.ReadFull(c.in, c.pair)
	return cut(err)
}

func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
