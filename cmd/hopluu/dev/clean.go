package dev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/deploy/local/systems"
)

// Clean removes everything that Run keeps in dir, also the databases' folders
// that had to be elsewhere. What was fetched stays in the cache for the next
// time.
func Clean(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is not a folder of hopluu dev: nothing is removed", dir)
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	names, err := systems.Names()
	if err != nil {
		return errors.Join(err, unlock())
	}
	var errs []error
	for _, name := range names {
		actual, _, err := embedded.PostgresDir(filepath.Join(dir, "postgres-"+name))
		if err == nil {
			err = os.RemoveAll(actual)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, os.RemoveAll(dir), unlock())...)
}
