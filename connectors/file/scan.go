package file

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/connectors/file/sheet"
	"github.com/hopluu/hopluu/schemas/token"
)

// headerRows is how many rows may stand above the heading: titles, dates,
// the name of the department.
const headerRows = 20

// row is one row of a file below the heading.
type row struct {
	*sheet.Row
	record   *column.Record
	refusals []column.Refusal
}

// each reads the file and gives every row, the same ones each time. An
// *sheet.UnreadableError says why the file as a whole is refused.
func (s *session) each(ctx context.Context, t *table, file *spool, format sheet.Format, heading func(*column.Header) error, fn func(*row) error) (err error) {
	in, err := format.Open(file, sheet.Limits{RowBytes: s.MaxRowBytes, Spill: s.scratch.spill})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	header, err := findHeader(t.columns, in)
	if err != nil {
		return err
	}
	if err := heading(header); err != nil {
		return err
	}
	r := row{record: &column.Record{}}
	for n := 0; ; n++ {
		if n%1000 == 0 {
			if err := s.beat(ctx); err != nil {
				return err
			}
		}
		if r.Row, err = in.Next(); errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.refusals = t.columns.Read(header, r.Row, r.record)
		if len(r.refusals) == 0 && len(r.record.Content) > s.MaxRowBytes {
			r.refusals = []column.Refusal{{Reason: column.Reason{
				En: fmt.Sprintf("the row has %d bytes, max_row_bytes is %d", len(r.record.Content), s.MaxRowBytes),
				Vi: fmt.Sprintf("dòng có %d byte, mức cho phép là %d", len(r.record.Content), s.MaxRowBytes),
			}}}
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
}

// findHeader finds the row that names the columns of the key.
func findHeader(columns *column.Table, in sheet.Reader) (*column.Header, error) {
	var best []string // missing of the key, at the row that misses least
	for range headerRows {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if r.Fault != nil {
			continue
		}
		header, missing, err := columns.Match(r)
		if err != nil || header != nil {
			return header, err
		}
		if best == nil || len(missing) < len(best) {
			best = missing
		}
	}
	if best == nil {
		return nil, &sheet.UnreadableError{En: "the file has no rows", Vi: "tệp không có dòng nào"}
	}
	names := strings.Join(best, ", ")
	return nil, &sheet.UnreadableError{
		En: fmt.Sprintf("no row among the first %d has a heading for the key (%s is missing): name the column so, or by its meaning in the sector file", headerRows, names),
		Vi: fmt.Sprintf("không tìm thấy tiêu đề của khóa trong %d dòng đầu (thiếu %s): hãy đặt tiêu đề bằng tên cột hoặc ý nghĩa của cột trong danh mục", headerRows, names),
	}
}

// scanned is what the first reading of a file found.
type scanned struct {
	format sheet.Format
	header *column.Header
	rows   *diff.Rows
	last   uint32 // line
	// accepted rows can be carried; unkeyed ones are refused and nobody knows
	// which row they are.
	accepted, refused, unkeyed int64
}

// scan reads the whole file, so that whatever refuses it as a whole is found
// before anything of it is produced.
func (s *session) scan(ctx context.Context, f found, file *spool) (_ *scanned, err error) {
	t := f.table
	if newest, ok := s.newest(t); ok && t.config.Full && f.again == nil && f.Modified.UnixMicro() < newest.ModifiedMicros {
		return nil, &sheet.UnreadableError{
			En: fmt.Sprintf("a full list that is older than %s, which was taken in: it would bring back what that one replaced; if it is the right one, save it again", newest.Name),
			Vi: fmt.Sprintf("danh sách đầy đủ này cũ hơn %s đã được nhận: nếu nhận sẽ khôi phục dữ liệu đã bị thay thế; nếu đây mới là danh sách đúng, hãy lưu lại tệp", newest.Name),
		}
	}
	sc := &scanned{rows: diff.NewRows(s.scratch.create, diff.DefaultMemory)}
	defer func() {
		if err != nil {
			err = errors.Join(err, sc.rows.Close())
		}
	}()
	if sc.format, err = sheet.Inspect(file); err != nil {
		return nil, err
	}
	var key, digest []byte
	err = s.each(ctx, t, file, sc.format, func(h *column.Header) error {
		sc.header = h
		if f.again != nil {
			return nil // it was taken in with the columns that it has
		}
		return s.sameColumns(t, h)
	}, func(r *row) (err error) {
		sc.last = r.Line
		if r.record.Keyed {
			if key, err = t.appendKey(key[:0], r.record.Row); err != nil {
				return err
			}
		}
		switch {
		case len(r.refusals) == 0:
			sc.accepted++
			digest = t.digest(digest[:0], cmp.Or(f.again, s.Tokens), r.record)
			return sc.rows.Accept(r.Line, key, digest)
		case r.record.Keyed:
			sc.refused++
			return sc.rows.Refuse(r.Line, key)
		}
		sc.refused++
		sc.unkeyed++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if t.config.Full && sc.accepted == 0 && t.known.Count() > 0 {
		return nil, &sheet.UnreadableError{
			En: fmt.Sprintf("a full list without one row that can be used would remove all %d rows", t.known.Count()),
			Vi: fmt.Sprintf("danh sách đầy đủ nhưng không có dòng nào dùng được: nếu nhận, toàn bộ %d dòng sẽ bị xóa", t.known.Count()),
		}
	}
	return sc, nil
}

// sameColumns refuses a file that lacks a column which earlier files had: its
// values would all become NULL, and nobody would have said so.
func (s *session) sameColumns(t *table, h *column.Header) error {
	for _, name := range h.Missing {
		if slices.Contains(s.checkpoint.Columns[t.name()], name) {
			return &sheet.UnreadableError{
				En: fmt.Sprintf("column %s, which earlier files had, is missing: add it, with empty cells where there is no value", name),
				Vi: fmt.Sprintf("thiếu cột %s mà các tệp trước có: hãy thêm cột này, để trống ô nếu không có giá trị", name),
			}
		}
	}
	return nil
}

// digestDomain keeps digests of rows apart from tokens of identifiers.
const digestDomain = "hopluu.file.row"

// digest is what a change of a row is told by. It is keyed as tokens are: from
// a plain hash, whoever knows the rest of a row could find out an identifier by
// trying all (P11).
func (t *table) digest(dst []byte, tokens *token.Tokenizer, r *column.Record) []byte {
	return tokens.Append(dst, digestDomain+t.rules, r.Content)
}

// rulesOf are what an owner keeps back of a table's columns. Under other rules
// a row that is dropped again is another row: what was public before is written
// over (P11).
func rulesOf(t *column.Table) string {
	var rules strings.Builder
	for _, c := range t.Columns {
		if c.Privacy != "" {
			fmt.Fprintf(&rules, "/%s=%s %s", c.Name, c.Privacy, c.Domain)
		}
	}
	return rules.String()
}

// compared is what a file changes.
type compared struct {
	next      *diff.Run    // what will be known of the rows
	decisions *diff.Sorter // by line, for rows that are not as before
	gone      *diff.Run    // keys
	duplicate int64
}

// compare tells what the file changes.
func (s *session) compare(f found, sc *scanned) (_ *compared, err error) {
	t := f.table
	c := &compared{decisions: diff.NewSorter(s.scratch.create, diff.DefaultMemory)}
	var open []*diff.RunWriter
	defer func() {
		if err != nil {
			err = errors.Join(err, c.decisions.Close())
			for _, w := range open {
				err = errors.Join(err, w.Discard())
			}
		}
	}()
	for range 2 {
		w, err := diff.NewRun(s.scratch.create)
		if err != nil {
			return nil, err
		}
		open = append(open, w)
	}
	next, gone := open[0], open[1]
	var line, decision []byte
	// A row whose key cannot be read may be any row that is not in the list:
	// then nothing is taken for gone.
	full := t.config.Full && sc.unkeyed == 0 && f.again == nil
	err = diff.Compare(t.known.Cursor(), sc.rows, full, func(change *diff.Change) error {
		switch change.Outcome {
		case diff.Gone:
			return gone.Add(change.Key, nil)
		case diff.Kept, diff.Same:
			return next.Add(change.Key, change.Digest)
		case diff.Duplicate:
			c.duplicate++
		default:
			if err := next.Add(change.Key, change.Digest); err != nil {
				return err
			}
		}
		line = binary.BigEndian.AppendUint32(line[:0], change.Line)
		decision = binary.BigEndian.AppendUint32(append(decision[:0], byte(change.Outcome)), change.First)
		return c.decisions.Add(line, decision)
	})
	if err != nil {
		return nil, err
	}
	if c.next, err = next.Finish(); err != nil {
		return nil, err
	}
	c.gone, err = gone.Finish()
	return c, err
}

// decisions gives what was decided of each line, line by line.
type decisions struct {
	cursor diff.Cursor
	line   uint32 // of the pair at the cursor; 0 before the first
	done   bool
}

// of gives the outcome of a row, and for a duplicate the line of the first.
// Lines are asked for in their order.
func (d *decisions) of(line uint32) (outcome diff.Outcome, first uint32, err error) {
	for !d.done && d.line < line {
		err := d.cursor.Next()
		if errors.Is(err, io.EOF) {
			d.done = true
			break
		}
		if err != nil {
			return 0, 0, err
		}
		d.line = binary.BigEndian.Uint32(d.cursor.Key())
	}
	if d.done || d.line != line {
		return diff.Same, 0, nil
	}
	value := d.cursor.Value()
	return diff.Outcome(value[0]), binary.BigEndian.Uint32(value[1:]), nil
}
