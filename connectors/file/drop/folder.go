package drop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folder is a local or mounted folder. Everything goes through its root, so
// that no link leads out of it.
type folder struct {
	path string
	root *os.Root
}

func openFolder(path string) (Place, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("folder %s cannot be opened: %w", path, err)
	}
	return &folder{path: filepath.Clean(path), root: root}, nil
}

func (f *folder) String() string { return f.path }

// Whole is false: a file shows as soon as its first byte is written.
func (f *folder) Whole() bool { return false }

func (f *folder) Close() error { return f.root.Close() }

// List gives the plain files of the folder, not those of folders in it, nor
// what links lead to. The folder is opened anew each time: a share may have
// been mounted there since, or mounted again.
func (f *folder) List(ctx context.Context) (entries []Entry, err error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fmt.Errorf("folder %s cannot be opened: %w", f.path, err)
	}
	if err := f.root.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("folder %s: %w", f.path, err), root.Close())
	}
	f.root = root
	dir, err := f.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("folder %s cannot be read: %w", f.path, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	for {
		found, readErr := dir.ReadDir(256)
		for _, d := range found {
			if !d.Type().IsRegular() {
				continue
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // gone since
			}
			if err != nil {
				return nil, fmt.Errorf("folder %s: %w", f.path, err)
			}
			entries = append(entries, entryOf(info))
		}
		if errors.Is(readErr, io.EOF) {
			return entries, ctx.Err()
		}
		if readErr != nil {
			return nil, fmt.Errorf("folder %s cannot be read: %w", f.path, readErr)
		}
	}
}

func entryOf(info fs.FileInfo) Entry {
	return Entry{Name: info.Name(), Size: info.Size(), Modified: info.ModTime()}
}

// Open gives the file; whoever reads it to the end learns whether it stayed
// the same meanwhile.
func (f *folder) Open(_ context.Context, e Entry) (io.ReadCloser, error) {
	info, err := f.root.Lstat(e.Name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || !entryOf(info).Same(e)) {
		return nil, &ChangedError{e.Name}
	}
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", e.Name, err)
	}
	file, err := f.root.Open(e.Name)
	if err != nil {
		return nil, fmt.Errorf("file %s cannot be opened: %w", e.Name, err)
	}
	return &unchanged{File: file, entry: e}, nil
}

// unchanged is a file that must not change while it is read.
type unchanged struct {
	*os.File
	entry Entry
}

func (u *unchanged) Read(p []byte) (int, error) {
	n, err := u.File.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	info, statErr := u.Stat()
	if statErr != nil {
		return n, statErr
	}
	if !entryOf(info).Same(u.entry) {
		return n, &ChangedError{u.entry.Name}
	}
	return n, err
}

// Put writes beside the name and renames, so that nobody reads half a file.
func (f *folder) Put(_ context.Context, name string, content io.Reader, _ int64) (err error) {
	temporary := "." + name + "." + rand.Text()[:8]
	out, err := f.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return fmt.Errorf("folder %s cannot be written to: %w", f.path, err)
	}
	_, err = io.Copy(out, content)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = f.root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("file %s cannot be written: %w", name, err), f.root.Remove(temporary))
	}
	return nil
}

// Writable makes an empty file and removes it again.
func (f *folder) Writable(context.Context) error {
	temporary := ".hopluu-check." + rand.Text()[:8]
	out, err := f.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("folder %s cannot be written to: %w", f.path, err)
	}
	if err := errors.Join(out.Close(), f.root.Remove(temporary)); err != nil {
		return fmt.Errorf("folder %s: %w", f.path, err)
	}
	return nil
}
