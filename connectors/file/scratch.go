package file

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/connectors/file/sheet"
	"golang.org/x/sys/unix"
)

// scratch makes temporary files that never have a name where the file system
// can do that (O_TMPFILE, see open(2)), so that no crash leaves anything behind.
// Elsewhere the name is gone before anything is written: what a crash may leave
// is empty (P11).
type scratch struct{ folder string }

func (s scratch) open() (*os.File, error) {
	folder := cmp.Or(s.folder, os.TempDir())
	fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), filepath.Join(folder, "hopluu")), nil
	}
	f, err := os.CreateTemp(folder, "hopluu-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w: name a folder that can be written to as spool_dir", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s scratch) create() (diff.File, error)  { return s.open() }
func (s scratch) spill() (sheet.Spill, error) { return s.open() }
