package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// backupName is that of a backup's folder: when it was begun, in UTC.
var backupName = regexp.MustCompile(`^\d{8}T\d{6}Z(-\d+)?$`)

// newName gives a name that the folder does not have.
func newName(dir string, now time.Time) string {
	name := now.UTC().Format("20060102T150405Z")
	for i := 1; ; i++ {
		candidate := name
		if i > 1 {
			candidate = fmt.Sprintf("%s-%d", name, i)
		}
		if _, err := os.Stat(filepath.Join(dir, candidate)); errors.Is(err, fs.ErrNotExist) {
			return candidate
		}
	}
}

// lock makes this the one process that writes backups into a folder.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backup: %w: name a folder that hopluu may write to", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another backup is written to %s now: wait for its end, or end it", dir), f.Close())
	}
	return f, nil
}

// removePartial removes backups that did not come to their end. The caller has
// the folder's lock, so none of them is being written.
func removePartial(dir string) ([]string, error) {
	list, err := List(dir)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, l := range list {
		if _, err := os.Stat(filepath.Join(l.Path, manifestName)); !errors.Is(err, fs.ErrNotExist) {
			continue // also one that this release cannot read
		}
		if err := os.RemoveAll(l.Path); err != nil {
			return removed, fmt.Errorf("backup: what is left of %s, which did not come to its end: %w: remove it", l.Name, err)
		}
		removed = append(removed, l.Name)
	}
	return removed, nil
}

// output is a file of a backup while it is written: compressed, then sealed when
// there is a key, then counted.
type output struct {
	path   string // in the backup's folder
	file   *os.File
	buf    *bufio.Writer
	sealed io.WriteCloser // nil in the clear
	zip    *gzip.Writer
	hash   hash.Hash
	bytes  int64
}

func create(dir, path string, key []byte) (*output, error) {
	full := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return nil, onDisk(err)
	}
	f, err := os.OpenFile(full, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, onDisk(err)
	}
	o := &output{path: path, file: f, hash: sha256.New()}
	o.buf = bufio.NewWriterSize(io.MultiWriter(f, o.hash, counter{&o.bytes}), 1<<20)
	var to io.Writer = o.buf
	if key != nil {
		if o.sealed, err = seal(o.buf, key, path); err != nil {
			return nil, errors.Join(onDisk(err), f.Close())
		}
		to = o.sealed
	}
	// Speed over size: most of it is compressed no better by more effort.
	if o.zip, err = gzip.NewWriterLevel(to, gzip.BestSpeed); err != nil {
		return nil, errors.Join(onDisk(err), f.Close())
	}
	return o, nil
}

type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) { *c.n += int64(len(p)); return len(p), nil }

func (o *output) Write(p []byte) (int, error) { return o.zip.Write(p) }

// close ends the file and waits until the disk has it.
func (o *output) close() (File, error) {
	err := o.zip.Close()
	if o.sealed != nil {
		err = errors.Join(err, o.sealed.Close())
	}
	err = errors.Join(err, o.buf.Flush(), o.file.Sync(), o.file.Close())
	if err != nil {
		return File{}, onDisk(err)
	}
	return File{Path: o.path, Bytes: o.bytes, SHA256: hex.EncodeToString(o.hash.Sum(nil))}, nil
}

// onDisk says what a full disk is.
func onDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("backup: %w: make room, or name another folder with --to; what was written is removed by the next backup", err)
	}
	return fmt.Errorf("backup: %w", err)
}

// input is a file of a backup, unsealed and decompressed.
type input struct {
	io.Reader
	file *os.File
}

func (i *input) Close() error { return i.file.Close() }

func open(dir, path string, m *Manifest, key []byte) (*input, error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	var from io.Reader = bufio.NewReaderSize(f, 1<<20)
	if m.Sealed {
		if key == nil {
			return nil, errors.Join(fmt.Errorf("backup %s is encrypted: name the key it was made with in backup.key_file", m.Name), f.Close())
		}
		if from, err = unseal(from, key, path); err != nil {
			return nil, errors.Join(fmt.Errorf("backup %s, %s: %w", m.Name, path, err), f.Close())
		}
	}
	zip, err := gzip.NewReader(from)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("backup %s, %s: %w", m.Name, path, err), f.Close())
	}
	return &input{bufio.NewReaderSize(zip, 1<<16), f}, nil
}

// sum gives a file's size and checksum.
func sum(full, path string) (File, error) {
	f, err := os.Open(full)
	if err != nil {
		return File{}, fmt.Errorf("backup: %w", err)
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return File{}, fmt.Errorf("backup: %w", err)
	}
	return File{Path: path, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// sums gives the files below a folder of the backup, in their order.
func sums(ctx context.Context, dir, folder string) (files []File, err error) {
	err = filepath.WalkDir(filepath.Join(dir, folder), func(full string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		path, err := filepath.Rel(dir, full)
		if err != nil {
			return err
		}
		f, err := sum(full, filepath.ToSlash(path))
		files = append(files, f)
		return err
	})
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}
