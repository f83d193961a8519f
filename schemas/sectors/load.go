package sectors

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

//go:embed *.yaml
var files embed.FS

// Load gives the sectors that the program was built with.
func Load() (*Set, error) { return load(files) }

// LoadDir reads every *.yaml file of a folder: a user's own sectors in place
// of those that the program was built with.
func LoadDir(dir string) (*Set, error) {
	set, err := load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("sector files in %s: %w", dir, err)
	}
	return set, nil
}

// load parses the *.yaml files of a folder in the order of their names, and
// reports the faults of all of them together.
func load(dir fs.FS) (*Set, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no *.yaml file found; name the folder that holds the sector files")
	}
	var set Set
	var faults []error
	for _, file := range names {
		data, err := fs.ReadFile(dir, file)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		s, err := Parse(file, data)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		set.Sectors = append(set.Sectors, *s)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &set, nil
}
