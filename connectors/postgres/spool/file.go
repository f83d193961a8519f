package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"
)

// storage is a file without a name; its other user is the test of a full disk.
type storage interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// openFile makes a file and removes its name: it goes with the process, however
// that ends.
func openFile(dir string) (storage, error) {
	f, err := os.CreateTemp(dir, "hopluu-spool-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// file holds the older blocks of one transaction, compressed and sealed under a
// key of its own (P11).
type file struct {
	storage
	seal   cipher.AEAD
	blocks uint64
	size   int64
}

func newFile(s storage) (*file, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails: it ends the program instead
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	return &file{storage: s, seal: seal}, err
}

// blockHead is the size of the length that goes before a block.
const blockHead = 4

// nonce numbers the blocks of a key.
func nonce(block uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), block)
}

// append writes a block behind the others.
func (f *file) append(s *scratch, block []byte) error {
	s.packed = s2.Encode(s.packed[:cap(s.packed)], block)
	s.sealed = binary.BigEndian.AppendUint32(s.sealed[:0], uint32(len(s.packed)+f.seal.Overhead()))
	s.sealed = f.seal.Seal(s.sealed, nonce(f.blocks), s.packed, nil)
	if _, err := f.WriteAt(s.sealed, f.size); err != nil {
		return err
	}
	f.blocks++
	f.size += int64(len(s.sealed))
	return nil
}

// each reads the blocks from the first until visit gives false. A block is
// valid until the next one.
func (f *file) each(s *scratch, visit func(block []byte) (more bool, err error)) (more bool, err error) {
	var head [blockHead]byte
	for n, at := uint64(0), int64(0); n < f.blocks; n++ {
		if _, err := f.ReadAt(head[:], at); err != nil {
			return false, fmt.Errorf("read a temporary file: %w", err)
		}
		size := int(binary.BigEndian.Uint32(head[:]))
		if at += blockHead; at+int64(size) > f.size {
			return false, errRecord
		}
		s.sealed = grown(s.sealed, size)
		if _, err := f.ReadAt(s.sealed, at); err != nil {
			return false, fmt.Errorf("read a temporary file: %w", err)
		}
		at += int64(size)
		if s.packed, err = f.seal.Open(s.packed[:0], nonce(n), s.sealed, nil); err != nil {
			return false, fmt.Errorf("%w: %w", errRecord, err)
		}
		if s.block, err = s2.Decode(s.block[:cap(s.block)], s.packed); err != nil {
			return false, fmt.Errorf("%w: %w", errRecord, err)
		}
		if more, err := visit(s.block); !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// scratch is memory that writing and reading use again and again.
type scratch struct{ packed, sealed, block []byte }

// trim gives back what a frame of unusual size took.
func (s *scratch) trim() {
	if cap(s.packed)+cap(s.sealed)+cap(s.block) > 8*maxBlockBytes {
		*s = scratch{}
	}
}

func grown(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
