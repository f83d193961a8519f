package file

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/file/sheet"
)

// report is the list of a file's refused rows, for the department that sent it:
// a CSV file that Excel opens, with the original cells under their headings. It
// goes beside the file, to whoever could read that (P11).
type report struct {
	file *os.File
	csv  *csv.Writer
	rows int64
}

// reportColumns stand before the file's own.
var reportColumns = []string{"line", "column", "reason", "ly_do"}

func (s *session) newReport(titles []string) (*report, error) {
	file, err := s.scratch.open()
	if err != nil {
		return nil, err
	}
	// Excel takes a CSV file for UTF-8 only with a byte order mark.
	if _, err := file.WriteString("\ufeff"); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r := &report{file: file, csv: csv.NewWriter(file)}
	if err := r.csv.Write(append(append([]string{}, reportColumns...), titles...)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// row adds a refused row with all that is wrong with it.
func (r *report) row(in *sheet.Row, refusals []column.Refusal) error {
	var columns, en, vi []string
	for _, f := range refusals {
		if f.Column == "" {
			en, vi = append(en, f.En), append(vi, f.Vi)
			continue
		}
		columns = append(columns, f.Column)
		en, vi = append(en, f.Column+": "+f.En), append(vi, f.Column+": "+f.Vi)
	}
	record := []string{strconv.FormatUint(uint64(in.Line), 10), strings.Join(columns, ", "), strings.Join(en, "; "), strings.Join(vi, "; ")}
	for _, c := range in.Cells {
		if c.Padded != "" {
			c.Text = c.Padded
		}
		record = append(record, c.Text)
	}
	r.rows++
	return r.csv.Write(record)
}

// whole says why the file is refused as a whole.
func (r *report) whole(why *sheet.UnreadableError) error {
	r.rows++
	return r.csv.Write([]string{"", "", why.En, why.Vi})
}

// publish puts the report where the department finds it.
func (r *report) publish(ctx context.Context, place drop.Place, name string) error {
	r.csv.Flush()
	if err := r.csv.Error(); err != nil {
		return err
	}
	size, err := r.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if err := place.Put(ctx, name+ReportSuffix, io.NewSectionReader(r.file, 0, size), size); err != nil {
		return fmt.Errorf("the report of refused rows cannot be written: %w: allow it, or name another place for reports", err)
	}
	return nil
}

func (r *report) close() error { return r.file.Close() }
