package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/file/sheet"
	"github.com/hopluu/hopluu/schemas/event"
)

// take takes one file in: all of it, or nothing when it cannot be read or was
// taken in before. A file that changes under our eyes is left for the next
// look.
func (s *session) take(ctx context.Context, f found) (err error) {
	file, err := s.copy(ctx, f)
	var changed *drop.ChangedError
	if errors.As(err, &changed) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content := f.table.name() + "/" + file.content
	if before, ok := s.taken[content]; ok && before.Reason == "" {
		if f.again = s.moving(before); f.again == nil {
			return s.repeated(ctx, f, before)
		}
	}
	if !s.begin(f, file) {
		return nil
	}
	sc, err := s.scan(ctx, f, file)
	var unreadable *sheet.UnreadableError
	if errors.As(err, &unreadable) {
		return s.refuse(ctx, f, content, unreadable)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sc.rows.Close()) }()
	c, err := s.compare(f, sc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.decisions.Close(), c.gone.Close()) }()
	report, err := s.newReport(sc.header.Titles)
	if err != nil {
		return errors.Join(err, c.next.Close())
	}
	defer func() { err = errors.Join(err, report.close()) }()
	if err := s.produce(ctx, f, file, sc, c, report); err != nil {
		return errors.Join(err, c.next.Close())
	}
	if err := s.finish(ctx, f, content, sc, c, report); err != nil {
		return errors.Join(err, c.next.Close())
	}
	if f.again != nil {
		// Which rows have other digests now, the state knows.
		return errors.Join(c.next.Close(), s.own(ctx))
	}
	before := f.table.known
	f.table.known = c.next
	return before.Close()
}

// newest gives the newest of the table's files that were taken in.
func (s *session) newest(t *table) (newest taken, ok bool) {
	for content, before := range s.taken {
		if name, _, _ := strings.Cut(content, "/"); name == t.name() && before.Reason == "" && (!ok || before.ModifiedMicros > newest.ModifiedMicros) {
			newest, ok = before, true
		}
	}
	return newest, ok
}

// repeated notes that a content comes again: nothing at all happens.
func (s *session) repeated(ctx context.Context, f found, before taken) error {
	s.Log.Warn("a file has a content that was taken in already: nothing is done; if its older rows are wanted again, change anything in it",
		"file", f.Name, "as", before.Name, "sequence", before.Sequence)
	s.metrics.files.WithLabelValues(f.table.name(), "repeated").Inc()
	return s.done(ctx, f, s.names[f.Name].Reported, "")
}

// done notes that the file was dealt with, and commits; refused is the table's
// shape when it was refused as a whole.
func (s *session) done(ctx context.Context, f found, reported bool, refused string) error {
	k := known{Size: f.Size, ModifiedMicros: f.Modified.UnixMicro(), Tag: f.Tag, Reported: reported, Refused: refused}
	if err := s.putJSON(ctx, stateName, f.Name, k); err != nil {
		return err
	}
	s.checkpoint.Current = nil
	if err := s.save(ctx); err != nil {
		return err
	}
	s.names[f.Name] = k
	return nil
}

// begin gives the file its number, or goes on under the one that it has. It is
// false when another file stands half done.
func (s *session) begin(f found, file *spool) bool {
	c := s.checkpoint.Current
	if c != nil && (c.Content != file.content || c.Table != f.table.name()) {
		return false
	}
	if c != nil && c.Shape == f.table.shape {
		s.Log.Info("going on with a file", "file", f.Name, "table", c.Table, "sequence", c.Sequence, "line", c.Line)
		return true
	}
	s.checkpoint.Sequence++
	if c == nil {
		c = &current{
			Name: f.Name, Table: f.table.name(), Content: file.content,
			ModifiedMicros: f.Modified.UnixMicro(), SeenMillis: time.Now().UnixMilli(),
		}
		s.checkpoint.Current = c
	}
	// With another shape what is left of the file makes other events than it
	// would have made: they get a number of their own (P6).
	c.Sequence, c.Shape, c.Line = s.checkpoint.Sequence, f.table.shape, 0
	return true
}

// position is the place of an event among all of its source: the file's number
// and the row's line (P6). A file that is delivered again is known by its
// content, and one that is taken in again after a crash has the number that it
// had.
func (s *session) position(ordinal uint32) event.Position {
	return event.Position{Epoch: s.checkpoint.Epoch, LSN: event.LSN(s.checkpoint.Current.Sequence), Ordinal: ordinal}
}

func (s *session) event(op event.Op, ordinal uint32) event.Event {
	c := s.checkpoint.Current
	return event.Event{Op: op, Position: s.position(ordinal), TxID: uint32(c.Sequence), CommitMicros: c.ModifiedMicros, Snapshot: op == event.Read}
}

// produce makes the events of what differs. What an earlier session produced is
// in what is known of the rows, and differs no more (P2).
func (s *session) produce(ctx context.Context, f found, file *spool, sc *scanned, c *compared, report *report) error {
	t := f.table
	sorted, err := c.decisions.Sorted()
	if err != nil {
		return err
	}
	decided := decisions{cursor: sorted}
	current := s.checkpoint.Current
	err = s.each(ctx, t, file, sc.format, func(*column.Header) error { return nil }, func(r *row) error {
		if len(r.refusals) > 0 {
			return report.row(r.Row, r.refusals)
		}
		outcome, first, err := decided.of(r.Line)
		if err != nil {
			return err
		}
		if f.again != nil {
			outcome = moved(outcome)
		}
		var ev event.Event
		counted := &current.Counts.Created
		switch outcome {
		case diff.Duplicate:
			return report.row(r.Row, []column.Refusal{duplicate(first)})
		case diff.New:
			current.Counts.Created++
			ev = s.event(event.Create, r.Line)
			if t.config.Full {
				ev = s.event(event.Read, r.Line)
			}
		case diff.Changed:
			counted = &current.Counts.Updated
			current.Counts.Updated++
			ev = s.event(event.Update, r.Line)
		default:
			return s.cut(ctx)
		}
		ev.After = r.record.Row
		if err := s.emit(ctx, t, &ev); errors.Is(err, errErased) {
			// Nor is it noted as taken in: after a lift it comes with the next file.
			*counted--
			current.Counts.Erased++
			return s.cut(ctx)
		} else if err != nil {
			return err
		}
		if s.rowKey, err = t.appendKey(append(append(s.rowKey[:0], t.name()...), '/'), r.record.Row); err != nil {
			return err
		}
		s.rowDigest = t.digest(s.rowDigest[:0], s.Tokens, r.record)
		if err := s.put(ctx, stateRow, string(s.rowKey), s.rowDigest); err != nil {
			return err
		}
		current.Line = r.Line
		return s.cut(ctx)
	})
	if err != nil {
		return err
	}
	return s.remove(ctx, t, sc, c)
}

// remove produces the deletes of the rows that a full list has no more. They
// stand behind its last line, in the order of their keys.
func (s *session) remove(ctx context.Context, t *table, sc *scanned, c *compared) error {
	current := s.checkpoint.Current
	gone := c.gone.Cursor()
	for {
		err := gone.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		current.Counts.Removed++
		ev := s.event(event.Delete, sc.last+uint32(current.Counts.Removed))
		ev.BeforeKeyOnly = true
		if ev.Before, err = t.goneRow(gone.Key()); err != nil {
			return err
		}
		if err := s.emit(ctx, t, &ev); err != nil {
			return err
		}
		if err := s.put(ctx, stateRow, t.name()+"/"+string(gone.Key()), nil); err != nil {
			return err
		}
		if err := s.cut(ctx); err != nil {
			return err
		}
	}
}

// finish writes the report and then notes, in the last transaction of the
// file, that it is taken in.
func (s *session) finish(ctx context.Context, f found, content string, sc *scanned, c *compared, report *report) error {
	current, t := s.checkpoint.Current, f.table
	current.Counts.Refused = sc.refused + c.duplicate
	current.Counts.Same = sc.accepted - c.duplicate - current.Counts.Created - current.Counts.Updated
	reported := report.rows > 0
	if reported || s.names[f.Name].Reported {
		// An earlier version of the file may have left a report: it no longer
		// holds then, and an empty one says so.
		if err := report.publish(ctx, s.reports, f.Name); err != nil {
			return err
		}
	}
	summary := taken{Name: f.Name, Sequence: current.Sequence, ModifiedMicros: current.ModifiedMicros, SeenMillis: current.SeenMillis, Counts: current.Counts, Key: s.Tokens.Name()}
	if err := s.putJSON(ctx, stateContent, content, summary); err != nil {
		return err
	}
	var columns []string
	for _, i := range sc.header.Of {
		if i >= 0 {
			columns = append(columns, t.columns.Columns[i].Name)
		}
	}
	s.checkpoint.addColumns(t.name(), columns)
	if err := s.done(ctx, f, reported, ""); err != nil {
		return err
	}
	s.taken[content] = summary
	s.tell(f, sc, current)
	s.metrics.files.WithLabelValues(t.name(), "taken").Inc() // last: who saw it finds the rest told
	return nil
}

// tell logs what became of a file. Nothing of a row's content is told (P11).
func (s *session) tell(f found, sc *scanned, c *current) {
	log := s.Log.With("file", f.Name, "table", c.Table, "sequence", c.Sequence)
	log.Info("file taken in", "format", sc.format.String(),
		"created", c.Counts.Created, "updated", c.Counts.Updated, "removed", c.Counts.Removed, "same", c.Counts.Same, "refused", c.Counts.Refused, "erased", c.Counts.Erased)
	if unknown := sc.header.Unknown(); len(unknown) > 0 {
		log.Warn("headings that the sector file does not describe: their columns are left out", "headings", unknown)
	}
	if len(sc.header.Missing) > 0 {
		log.Info("columns that the file does not have: they are NULL", "columns", sc.header.Missing)
	}
	if c.Counts.Refused > 0 {
		s.metrics.refused.WithLabelValues(c.Table).Add(float64(c.Counts.Refused))
		log.Error("rows refused: correct them and drop the file again", "refused", c.Counts.Refused, "of", sc.accepted+sc.refused, "report", f.Name+ReportSuffix)
	}
	if f.again != nil {
		log.Info("its rows that still stand have tokens of the key in force now")
		return
	}
	if newest, ok := s.newest(f.table); ok && c.ModifiedMicros < newest.ModifiedMicros {
		log.Warn("the file is older than one that was taken in before: where both have a row, this one's stands now", "newer", newest.Name)
	}
	if f.table.config.Full && sc.unkeyed > 0 {
		log.Error("no row of this full list was removed, as rows without a readable key may be any of those that seem to be gone", "rows", sc.unkeyed)
	}
}

// refuse notes that a file cannot be used as a whole. It is tried again when it
// is written anew, or when the sector file or the configuration change what its
// rows become.
func (s *session) refuse(ctx context.Context, f found, content string, why *sheet.UnreadableError) (err error) {
	report, err := s.newReport(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, report.close()) }()
	if err := report.whole(why); err != nil {
		return err
	}
	if err := report.publish(ctx, s.reports, f.Name); err != nil {
		return err
	}
	current := s.checkpoint.Current
	summary := taken{Name: f.Name, Sequence: current.Sequence, ModifiedMicros: current.ModifiedMicros, SeenMillis: current.SeenMillis, Counts: current.Counts, Reason: why.En}
	if err := s.putJSON(ctx, stateContent, content, summary); err != nil {
		return err
	}
	if err := s.done(ctx, f, true, f.table.shape); err != nil {
		return err
	}
	s.taken[content] = summary
	s.Log.Error("file refused", "file", f.Name, "table", f.table.name(), "reason", why.En)
	s.metrics.files.WithLabelValues(f.table.name(), "refused").Inc()
	return nil
}

func duplicate(first uint32) column.Refusal {
	return column.Refusal{Reason: column.Reason{
		En: fmt.Sprintf("the key is on line %d already", first),
		Vi: fmt.Sprintf("khóa đã có ở dòng %d", first),
	}}
}
