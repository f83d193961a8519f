package diff

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// History gathers what is known of a table's rows from a log in which later
// entries supersede earlier ones.
type History struct {
	storage Storage
	sorter  *Sorter
	at      uint64
	value   []byte
}

// NewHistory makes room for a log.
func NewHistory(storage Storage, memory int) *History {
	return &History{storage: storage, sorter: NewSorter(storage, memory)}
}

// Put adds an entry; without a digest the key is no longer known.
func (h *History) Put(key, digest []byte) error {
	h.at++
	h.value = binary.BigEndian.AppendUint64(h.value[:0], h.at)
	h.value = append(h.value, digest...)
	return h.sorter.Add(key, h.value)
}

// Close gives storage back; Run has done so already.
func (h *History) Close() error { return h.sorter.Close() }

// Run gives the last digest of each key that is known, and ends the History.
func (h *History) Run() (run *Run, err error) {
	defer func() { err = errors.Join(err, h.sorter.Close()) }()
	cursor, err := h.sorter.Sorted()
	if err != nil {
		return nil, err
	}
	w, err := NewRun(h.storage)
	if err != nil {
		return nil, err
	}
	var key, digest []byte
	begun := false
	put := func() error {
		if !begun || len(digest) == 0 {
			return nil
		}
		return w.Add(key, digest)
	}
	for {
		err := cursor.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, errors.Join(err, w.Discard())
		}
		if err != nil || !begun || !bytes.Equal(cursor.Key(), key) {
			if err := put(); err != nil {
				return nil, errors.Join(err, w.Discard())
			}
		}
		if err != nil {
			break
		}
		begun = true
		key = append(key[:0], cursor.Key()...)
		digest = append(digest[:0], cursor.Value()[8:]...)
	}
	if run, err = w.Finish(); err != nil {
		return nil, errors.Join(err, w.Discard())
	}
	return run, nil
}
