package file

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/file/sheet"
	"github.com/hopluu/hopluu/connectors/postgres"
)

// Check looks at a source as a connector would, without Kafka: the place, the
// reports' place, which files match which table, and, when contents is true, the
// columns of the newest of each, which are read for it. It changes nothing but
// that it tries to write where reports go.
func Check(ctx context.Context, config Config, contents bool) (findings []postgres.Finding) {
	k := &checker{session: &session{Connector: &Connector{Config: config}, scratch: scratch{config.Scratch}}, contents: contents}
	k.all(ctx)
	return k.findings
}

type checker struct {
	*session
	contents bool
	findings []postgres.Finding
}

func (k *checker) add(level postgres.Level, mend, format string, args ...any) {
	k.findings = append(k.findings, postgres.Finding{Level: level, What: fmt.Sprintf(format, args...), Mend: mend})
}

func (k *checker) all(ctx context.Context) {
	err := k.Validate()
	if err == nil {
		k.tables, err = k.declared()
	}
	if err != nil {
		k.add(postgres.Fault, "correct the configuration ('hopluu config example' explains its keys)", "%v", err)
		return
	}
	if k.place, err = drop.Open(k.Location, k.Credentials); err != nil {
		k.add(postgres.Fault, "make or mount the folder, and let the user that runs hopluu read it", "%v", err)
		return
	}
	defer k.close(k.place)
	entries, err := k.place.List(ctx)
	if err != nil {
		k.add(postgres.Fault, "check the address, the credentials and the right to list and read", "%v", err)
		if !Permanent(err) {
			k.findings[len(k.findings)-1].Check = postgres.Unreachable
		}
		return
	}
	k.checkReports(ctx)
	newest := k.assign(entries)
	for _, t := range k.tables {
		e, ok := newest[t]
		if !ok {
			k.add(postgres.Note, fmt.Sprintf("drop one, or correct the pattern of table %s", t.sector.Name), "no file matches %s yet, the pattern of table %s", t.config.Pattern, t.name())
			continue
		}
		if k.contents {
			k.checkFile(ctx, t, e)
		}
	}
}

// close ends the use of a place.
func (k *checker) close(place drop.Place) {
	if err := place.Close(); err != nil {
		k.add(postgres.Warning, "look again", "%v", err)
	}
}

// checkReports tries to write where reports go.
func (k *checker) checkReports(ctx context.Context) {
	place := k.place
	if k.Reports != "" {
		var err error
		if place, err = drop.Open(k.Reports, k.Credentials); err != nil {
			k.add(postgres.Fault, "make or mount the folder that `reports` names", "reports: %v", err)
			return
		}
		defer k.close(place)
	}
	if err := place.Writable(ctx); err != nil {
		k.add(postgres.Fault, "allow it, or name another place with `reports`", "reports of refused rows cannot be written: %v", err)
	}
}

// maxNamed is how many files a finding names.
const maxNamed = 5

// assign gives the newest file of each table, and finds the files that are
// nobody's.
func (k *checker) assign(entries []drop.Entry) map[*table]drop.Entry {
	newest := map[*table]drop.Entry{}
	var nobodys []string
	for _, e := range entries {
		if ignored(e.Name) {
			continue
		}
		t, err := k.tableOf(e.Name)
		switch {
		case err != nil:
			k.add(postgres.Warning, "correct the patterns, or rename the file", "file %s cannot be taken in: %v", e.Name, err)
		case t == nil:
			nobodys = append(nobodys, e.Name)
		default:
			if at, ok := newest[t]; !ok || later(e, at) > 0 {
				newest[t] = e
			}
		}
	}
	if n := len(nobodys); n > 0 {
		named := strings.Join(nobodys[:min(n, maxNamed)], ", ")
		if n > maxNamed {
			named += ", …"
		}
		k.add(postgres.Warning, "rename them, correct a pattern, or put them elsewhere", "%d files match no table's pattern and are not taken in: %s", n, named)
	}
	return newest
}

// checkFile looks at a file's columns.
func (k *checker) checkFile(ctx context.Context, t *table, e drop.Entry) {
	err := k.columns(ctx, t, e)
	var unreadable *sheet.UnreadableError
	var changed *drop.ChangedError
	switch {
	case err == nil, errors.As(err, &changed): // it is still being written
	case errors.As(err, &unreadable):
		k.add(postgres.Warning, "correct the file, or drop another", "file %s of table %s would be refused: %v", e.Name, t.name(), err)
	case ctx.Err() != nil:
		k.add(postgres.Warning, "it is taken in however long that takes; look at its headings yourself", "file %s of table %s could not be read in the time that a check takes", e.Name, t.name())
	default:
		k.add(postgres.Fault, "let the user that runs hopluu read it", "%v", err)
	}
}

func (k *checker) columns(ctx context.Context, t *table, e drop.Entry) (err error) {
	file, err := k.copy(ctx, found{Entry: e, table: t})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	format, err := sheet.Inspect(file)
	if err != nil {
		return err
	}
	in, err := format.Open(file, sheet.Limits{RowBytes: k.MaxRowBytes, Spill: k.scratch.spill})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	header, err := findHeader(t.columns, in)
	if err != nil {
		return err
	}
	if unknown := header.Unknown(); len(unknown) > 0 {
		k.add(postgres.Warning, "name them as the sector file does, by name or meaning, or describe them there", "headings of %s that table %s does not have, whose columns are left out: %s", e.Name, t.name(), strings.Join(unknown, ", "))
	}
	if len(header.Missing) > 0 {
		k.add(postgres.Note, "add them, if there are values", "columns of table %s that %s does not have, which are NULL: %s", t.name(), e.Name, strings.Join(header.Missing, ", "))
	}
	return nil
}
