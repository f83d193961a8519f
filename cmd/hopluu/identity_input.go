package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/identity/tablefile"
)

const inputHelp = `An input is a CSV file, or clickhouse:TABLE or clickhouse:QUERY, which is read with the
clickhouse.dsn of the configuration. Identifiers are tokens there: give their columns
the role identifier.`

// readTable reads all inputs. A file is a source by its name without its ending.
func (a *app) readTable(ctx context.Context, m *linkage.Model, inputs []string, show *progress) (*linkage.Table, error) {
	t, err := linkage.NewTable(m)
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	var house *houseReader
	for _, input := range inputs {
		query, inHouse := strings.CutPrefix(input, housePrefix)
		name := strings.TrimSuffix(filepath.Base(input), filepath.Ext(input))
		if inHouse {
			name = houseName(query)
		}
		if other, again := seen[name]; again {
			return nil, fmt.Errorf("%s and %s are both named %s, which is their source in the links: rename one", other, input, name)
		}
		seen[name] = input
		if !inHouse {
			if err := readInput(t, name, input, show); err != nil {
				return nil, err
			}
			continue
		}
		if house == nil {
			if house, err = a.openHouse(ctx); err != nil {
				return nil, err
			}
			defer house.close()
		}
		if err := house.read(ctx, t, name, query, show); err != nil {
			return nil, err
		}
	}
	show.tell("normalising", 0, 0)
	return t, t.Close()
}

func readInput(t *linkage.Table, name, path string, show *progress) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder: name the CSV files in it, each with --input", path)
	}
	// What is read ahead counts as read: it is little.
	counted := &counter{r: f}
	if err := tablefile.Read(t, name, counted, func(int64) { show.tell("reading "+path, counted.n, info.Size()) }); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
