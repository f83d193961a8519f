package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool is a copy of a file in scratch space: what is read of it twice is the
// same, whatever becomes of the file.
type spool struct {
	*os.File
	size    int64
	content string // hash
}

// Size in bytes.
func (s *spool) Size() int64 { return s.size }

// copy spools a file.
func (s *session) copy(ctx context.Context, f found) (_ *spool, err error) {
	in, err := s.place.Open(ctx, f.Entry)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := s.scratch.open()
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, hash), &interruptible{ctx, in})
	if err == nil && size != f.Size {
		err = fmt.Errorf("%s: %d bytes of %d were read", f.Name, size, f.Size)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return &spool{File: out, size: size, content: hex.EncodeToString(hash.Sum(nil))}, nil
}

// interruptible ends reading with the context.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.in.Read(p)
}
