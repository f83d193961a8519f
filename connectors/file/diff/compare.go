package diff

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Outcome is what a comparison says of a row or of a key.
type Outcome uint8

// The outcomes.
const (
	Same      Outcome = iota // the row is as it was
	New                      // the key was not known
	Changed                  // the row has another digest
	Duplicate                // an earlier line of the file has the key
	Kept                     // the key is known; the file has no row that replaces it, and it stays
	Gone                     // the key is known, and a full file has it no more
)

// Change is one outcome. Its slices are valid until the next.
type Change struct {
	Outcome Outcome
	Key     []byte
	// Digest is the row's own; of a key that is Kept or Gone the known one.
	Digest []byte
	// Line is the row's, First that of the row which a Duplicate repeats; 0 for
	// Kept and Gone.
	Line, First uint32
}

// Rows gathers the rows of a file for a comparison, in any order.
type Rows struct {
	sorter *Sorter
	value  []byte
}

// NewRows makes room for the rows of a file.
func NewRows(storage Storage, memory int) *Rows {
	return &Rows{sorter: NewSorter(storage, memory)}
}

// Accept adds a row that counts.
func (r *Rows) Accept(line uint32, key, digest []byte) error { return r.add(line, 1, key, digest) }

// Refuse adds a row that was refused but whose key could be read: the key is
// not gone, it only has no new row.
func (r *Rows) Refuse(line uint32, key []byte) error { return r.add(line, 0, key, nil) }

func (r *Rows) add(line uint32, accepted byte, key, digest []byte) error {
	r.value = binary.BigEndian.AppendUint32(r.value[:0], line)
	r.value = append(append(r.value, accepted), digest...)
	return r.sorter.Add(key, r.value)
}

// Close gives storage back.
func (r *Rows) Close() error { return r.sorter.Close() }

// Compare tells each the outcome of every row that was accepted and of every
// known key without one, by key and line. known gives the digest of each key,
// in the order of the keys, each once. full: the file says that it has all
// rows, and what it does not have is gone.
func Compare(known Cursor, rows *Rows, full bool, each func(*Change) error) error {
	file, err := rows.sorter.Sorted()
	if err != nil {
		return err
	}
	c := comparison{known: known, file: file, full: full, each: each}
	if c.moreKnown, err = next(known); err != nil {
		return err
	}
	if c.moreFile, err = next(file); err != nil {
		return err
	}
	for c.moreKnown || c.moreFile {
		order := -1 // of the known key to the file's
		switch {
		case !c.moreKnown:
			order = 1
		case c.moreFile:
			order = bytes.Compare(known.Key(), file.Key())
		}
		if order < 0 {
			err = c.absent()
		} else {
			err = c.present(order == 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type comparison struct {
	known, file         Cursor
	moreKnown, moreFile bool
	full                bool
	each                func(*Change) error
	key                 []byte
}

func next(c Cursor) (bool, error) {
	err := c.Next()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// absent is a known key that the file does not have.
func (c *comparison) absent() (err error) {
	outcome := Kept
	if c.full {
		outcome = Gone
	}
	if err := c.each(&Change{Outcome: outcome, Key: c.known.Key(), Digest: c.known.Value()}); err != nil {
		return err
	}
	c.moreKnown, err = next(c.known)
	return err
}

// present is a key of the file with all of its rows. The first that counts
// stands for the key.
func (c *comparison) present(known bool) (err error) {
	c.key = append(c.key[:0], c.file.Key()...)
	first := uint32(0)
	for c.moreFile && bytes.Equal(c.file.Key(), c.key) {
		value := c.file.Value()
		if len(value) < 5 {
			return fmt.Errorf("a row of %d bytes in storage", len(value))
		}
		line, accepted, digest := binary.BigEndian.Uint32(value), value[4] == 1, value[5:]
		if accepted {
			change := Change{Outcome: New, Key: c.key, Digest: digest, Line: line, First: first}
			switch {
			case first > 0:
				change.Outcome = Duplicate
			case known && bytes.Equal(digest, c.known.Value()):
				change.Outcome = Same
			case known:
				change.Outcome = Changed
			}
			if first == 0 {
				first = line
			}
			if err := c.each(&change); err != nil {
				return err
			}
		}
		if c.moreFile, err = next(c.file); err != nil {
			return err
		}
	}
	if !known {
		return nil
	}
	if first == 0 {
		if err := c.each(&Change{Outcome: Kept, Key: c.key, Digest: c.known.Value()}); err != nil {
			return err
		}
	}
	c.moreKnown, err = next(c.known)
	return err
}
