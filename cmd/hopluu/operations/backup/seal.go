package backup

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// KeyBytes is the length of the key that files are sealed with.
const KeyBytes = 32

// sealMagic begins a sealed file; a salt of saltBytes follows, and then chunks:
// their length as four bytes, big endian, and the sealed bytes.
const (
	sealMagic  = "hopluu sealed 1\n"
	saltBytes  = 16
	chunkBytes = 64 << 10
)

// ErrSeal says that a sealed file is not what was written, or that the key is
// not the one it was sealed with; the two cannot be told apart.
var ErrSeal = errors.New("it was damaged, or is sealed with another key than backup.key_file")

// sealer is AES-256-GCM over chunks, each with its number and whether it is the
// last in its nonce: none can be left out, moved or cut off at the end (STREAM,
// Hoang, Reyhanitabar, Rogaway, Vizar 2015). Every file has a key of its own, made
// from the configured one, a salt and the file's name, so that the numbers can
// begin at 0 in each.
type sealer struct {
	aead  cipher.AEAD
	chunk uint64
}

func newSealer(key, salt []byte, name string) (*sealer, error) {
	own, err := hkdf.Key(sha256.New, key, salt, "hopluu backup "+name, KeyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead: aead}, err
}

func (s *sealer) nonce(last bool) []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[3:], s.chunk)
	s.chunk++
	if last {
		nonce[11] = 1
	}
	return nonce
}

// sealWriter seals what is written to it. Close writes the last chunk.
type sealWriter struct {
	*sealer
	to  io.Writer
	buf []byte
}

func seal(to io.Writer, key []byte, name string) (io.WriteCloser, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	s, err := newSealer(key, salt, name)
	if err != nil {
		return nil, err
	}
	if _, err := to.Write(append([]byte(sealMagic), salt...)); err != nil {
		return nil, err
	}
	return &sealWriter{sealer: s, to: to, buf: make([]byte, 0, chunkBytes)}, nil
}

func (w *sealWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if len(w.buf) == chunkBytes {
			if err := w.flush(false); err != nil {
				return n, err
			}
		}
		room := min(chunkBytes-len(w.buf), len(p)-n)
		w.buf = append(w.buf, p[n:n+room]...)
		n += room
	}
	return n, nil
}

func (w *sealWriter) flush(last bool) error {
	sealed := w.aead.Seal(nil, w.nonce(last), w.buf, nil)
	w.buf = w.buf[:0]
	if _, err := w.to.Write(binary.BigEndian.AppendUint32(nil, uint32(len(sealed)))); err != nil {
		return err
	}
	_, err := w.to.Write(sealed)
	return err
}

func (w *sealWriter) Close() error { return w.flush(true) }

// sealReader opens what seal wrote.
type sealReader struct {
	*sealer
	from *bufio.Reader
	open []byte
	done bool
}

func unseal(from io.Reader, key []byte, name string) (io.Reader, error) {
	head := make([]byte, len(sealMagic)+saltBytes)
	if _, err := io.ReadFull(from, head); err != nil || string(head[:len(sealMagic)]) != sealMagic {
		return nil, fmt.Errorf("it is not sealed as this hopluu seals: %w", ErrSeal)
	}
	s, err := newSealer(key, head[len(sealMagic):], name)
	if err != nil {
		return nil, err
	}
	return &sealReader{sealer: s, from: bufio.NewReaderSize(from, chunkBytes+64)}, nil
}

func (r *sealReader) Read(p []byte) (int, error) {
	for len(r.open) == 0 {
		if r.done {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.open)
	r.open = r.open[n:]
	return n, nil
}

func (r *sealReader) next() error {
	var head [4]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return fmt.Errorf("it ends early: %w", ErrSeal)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > chunkBytes+uint32(r.aead.Overhead()) {
		return ErrSeal
	}
	sealed := make([]byte, size)
	if _, err := io.ReadFull(r.from, sealed); err != nil {
		return fmt.Errorf("it ends early: %w", ErrSeal)
	}
	_, err := r.from.Peek(1)
	r.done = errors.Is(err, io.EOF)
	if r.open, err = r.aead.Open(nil, r.nonce(r.done), sealed, nil); err != nil {
		return ErrSeal
	}
	return nil
}
