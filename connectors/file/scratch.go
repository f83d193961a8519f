package file

import (
	"errors"
	"fmt"
	"os"

	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/connectors/file/sheet"
)

// scratch makes temporary files. They have no name from the moment they are
// made, so that no crash leaves personal data behind (P11).
type scratch struct{ folder string }

func (s scratch) open() (*os.File, error) {
	f, err := os.CreateTemp(s.folder, "hopluu-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w: give `scratch` a folder that can be written to", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s scratch) create() (diff.File, error)  { return s.open() }
func (s scratch) spill() (sheet.Spill, error) { return s.open() }
