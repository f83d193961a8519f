package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/trace"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

// backwards are the flags that name an event.
type backwards struct {
	event, record, lsn, source string
	kafka                      bool
}

// given is how many of them name one.
func (b backwards) given() (n int) {
	for _, text := range []string{b.event, b.record, b.lsn} {
		if text != "" {
			n++
		}
	}
	return n
}

// find reads the flags.
func (b backwards) find(limit int) (trace.Find, error) {
	find := trace.Find{Record: b.record, Source: b.source, Limit: limit}
	switch {
	case b.event != "":
		parts := strings.Split(b.event, "/")
		wrong := fmt.Errorf("--event %s: write TOPIC/PARTITION/OFFSET, such as health.public.patient/1/1234", b.event)
		if len(parts) != 3 {
			return find, wrong
		}
		id, err := strconv.ParseInt(parts[1], 10, 32)
		if err != nil {
			return find, wrong
		}
		find.Partition = topic.Partition{Topic: parts[0], ID: int32(id)}
		if find.Offset, err = strconv.ParseInt(parts[2], 10, 64); err != nil {
			return find, wrong
		}
	case b.lsn != "":
		var err error
		if find.LSN, err = event.ParseLSN(b.lsn); err != nil {
			return find, fmt.Errorf("--lsn %s: write it as PostgreSQL does, such as 16/B374D848", b.lsn)
		}
	}
	return find, nil
}

func (a *app) traceBack(cmd *cobra.Command, b backwards, limit int, asJSON bool) error {
	if asJSON {
		limit = limitOf(cmd, limit)
	}
	find, err := b.find(limit)
	if err != nil {
		return err
	}
	// The record's name is among the flags that are recorded.
	return a.withTracer(cmd, nil, nil, func(ctx context.Context, t *trace.Tracer) error {
		found, amiss := 0, false
		err := t.Back(ctx, find, func(f trace.Found) error {
			found++
			amiss = amiss || f.State == trace.Unknown || f.Kafka != nil && f.Kafka.There && !f.Kafka.Same
			if asJSON {
				return line(cmd.OutOrStdout(), "event", f)
			}
			return printFound(cmd.OutOrStdout(), f)
		})
		switch {
		case err != nil:
			return err
		case found == 0:
			return fmt.Errorf("bronze has no event of LSN %s: it may not be written yet ('hopluu sink status'), be of another source, or be gone by retention", b.lsn)
		case asJSON:
			if err := line(cmd.OutOrStdout(), "end", map[string]int{"events": found}); err != nil {
				return err
			}
		}
		if amiss {
			return errFound
		}
		return nil
	}, b.kafka)
}

func printFound(w io.Writer, f trace.Found) error {
	var b strings.Builder
	if f.Event != nil {
		fmt.Fprintf(&b, "%s\n", eventText(*f.Event))
	}
	if k := f.Kafka; k != nil {
		switch {
		case !k.There:
			fmt.Fprintf(&b, "├─ Kafka: %s\n", k.Note)
		case k.Same:
			fmt.Fprintf(&b, "├─ Kafka has it: %d bytes, which say what bronze says %s\n", k.Bytes, k.Note)
		default:
			fmt.Fprintf(&b, "├─ Kafka has ANOTHER one (%d bytes): %s\n", k.Bytes, k.Note)
		}
	}
	of := ""
	if f.Record != "" {
		of = f.Record + " in silver." + f.Dataset + ": "
	}
	fmt.Fprintf(&b, "├─ %s%s\n", of, stateText(f))
	if f.By != nil {
		fmt.Fprintf(&b, "│    next event  %s\n", eventText(*f.By))
	}
	if f.Row != nil && (f.By == nil || f.Row.Position() != f.By.Position()) && f.State != trace.RowNow {
		fmt.Fprintf(&b, "│    row now     %s\n", eventText(*f.Row))
	}
	if f.Link != nil {
		fmt.Fprintf(&b, "├─ %s\n", linkText(f.Link, f.Record))
	}
	for _, use := range f.Uses {
		var row []string
		for _, c := range use.Row {
			row = append(row, c.Column+"="+orNull(c.Value))
		}
		fmt.Fprintf(&b, "├─ %s in %s  %s: %s\n", use.Part, use.View, strings.Join(row, " "), strings.Join(use.Figures, ", "))
	}
	if len(f.Views) > 0 {
		fmt.Fprintf(&b, "├─ read by %s, of which it cannot be said whether they count it\n", strings.Join(f.Views, ", "))
	}
	fmt.Fprintf(&b, "└─ %d figures count it\n", len(f.Uses))
	_, err := io.WriteString(w, b.String())
	return err
}

func stateText(f trace.Found) string {
	text := map[string]string{
		trace.RowNow:     "the row is as this event left it",
		trace.Superseded: "a later event of the record stands in the row",
		trace.Deleted:    "the row is deleted",
		trace.Cut:        "a TRUNCATE or a new snapshot took the row",
		trace.Erased:     "erased",
		trace.DeadLetter: "in the dead letters",
		trace.Thinned:    "gone from bronze",
		trace.Waiting:    "not written yet",
		trace.Whole:      "it is of the whole table, and no row's",
		trace.Unknown:    "NOT where it should be",
	}[f.State]
	if f.Note != "" {
		text += ": " + f.Note
	}
	return text
}
