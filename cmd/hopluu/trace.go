package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/trace"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
	"github.com/spf13/cobra"
)

func (a *app) traceCommand() *cobra.Command {
	var where []string
	var figure, at string
	var limit int
	var asJSON bool
	var back backwards
	command := &cobra.Command{
		Use:   "trace {gold.VIEW [--where COLUMN=VALUE]... | --event TOPIC/PARTITION/OFFSET | --record NAME | --lsn LSN}",
		Short: "Go from a figure of gold to its rows and events, and from an event to the figures",
		Long: `From one row of a view of gold down: the data sets it is made of and how fresh they are;
the very rows of silver that it counts, and those by which others are counted; of each row
its events (topic, partition, offset, LSN, transaction), and the link that joined it to its
person. The figure is then counted again over these rows alone, and it is said whether that
gives it back. At the end stand the commands that make it anew from the events.

--where names the row by its columns, as texts. --at asks as rows and links were at a time.
Of a view of your own the data sets are given; which rows it counts is not known.

With --event, --record or --lsn it goes the other way: from an event to the row that it is
in, or what took it from there (a later event, a deletion, a TRUNCATE, an erasure, the dead
letters, retention), the row's person, and the figures that count the row. --kafka reads
the message itself, too, and compares it with what bronze has of it.

Shown are names of records and positions, never cells of people's rows; of an erased
record 'erased' and nothing else. Each call is recorded ('hopluu audit').

Exits with 1 when the rows alone do not give the figure again, and when an event is not
where it should be.`,
		Example: `  hopluu trace gold.insured_share_by_ward --where ward_code=26737
  hopluu trace gold.population_by_ward --where ward_code=26737 --figure under_6 --limit 50
  hopluu trace gold.indicators --where code=citizens.insured_share
  hopluu trace gold.population_by_ward --where ward_code=26737 --at 2026-01-31T00:00:00+07:00
  hopluu trace --event health.public.patient/1/1234 --kafka
  hopluu trace --record health.patient:311
  hopluu trace --lsn 16/B374D848 --source health
  hopluu trace gold.welfare_funds --where fund_id=1 --json | jq -r 'select(.kind == "row").record'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if asked := len(args) + back.given(); asked != 1 || len(args) == 0 && (len(where) > 0 || figure != "" || at != "") {
				return fmt.Errorf("%s takes a view of gold with its flags, or one of --event, --record, --lsn: see '%s --help'", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.traceBack(cmd, back, limit, asJSON)
			}
			request := trace.Request{View: args[0], Figure: figure}
			if !strings.Contains(request.View, ".") {
				request.View = "gold." + request.View
			}
			for _, text := range where {
				column, value, ok := strings.Cut(text, "=")
				if !ok {
					return fmt.Errorf("--where %s: write COLUMN=VALUE", text)
				}
				request.Where = append(request.Where, trace.Condition{Column: column, Value: value})
			}
			if at != "" {
				var err error
				if request.At, err = time.Parse(time.RFC3339, at); err != nil {
					return fmt.Errorf("--at %s: write a time such as 2026-01-31T08:00:00+07:00", at)
				}
			}
			return a.withTracer(cmd, args, []string{request.View}, func(ctx context.Context, t *trace.Tracer) error {
				f, err := t.Trace(ctx, request)
				if err != nil {
					return err
				}
				if asJSON {
					err = figureLines(ctx, cmd.OutOrStdout(), t, f, limitOf(cmd, limit))
				} else {
					err = printFigure(ctx, cmd.OutOrStdout(), t, f, limit)
				}
				if err == nil && f.Named && !f.Same {
					err = errFound
				}
				return err
			}, false)
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&where, "where", nil, "COLUMN=VALUE of the view's row; NULL for none; may be given again")
	flags.StringVar(&figure, "figure", "", "only this column of the row")
	flags.StringVar(&at, "at", "", "as of this time, such as 2026-01-31T08:00:00+07:00 (default now)")
	flags.IntVar(&limit, "limit", 5, "rows shown of each data set, 0 for all (with --json all, unless it is given)")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object a line: the figure, each row, the end")
	flags.StringVar(&back.event, "event", "", "the event at this place: TOPIC/PARTITION/OFFSET")
	flags.StringVar(&back.record, "record", "", "the newest event of this record, named source.table:key as in _record")
	flags.StringVar(&back.lsn, "lsn", "", "the events of the transaction with this LSN, such as 16/B374D848")
	flags.StringVar(&back.source, "source", "", "with --lsn, the source whose log it is")
	flags.BoolVar(&back.kafka, "kafka", false, "read the message from Kafka, too, and compare")
	return command
}

// limitOf is the limit of a complete answer: none, unless one was asked for.
func limitOf(cmd *cobra.Command, limit int) int {
	if !cmd.Flags().Changed("limit") {
		return 0
	}
	return limit
}

// withTracer gives do a tracer, and records the call.
func (a *app) withTracer(cmd *cobra.Command, args, touched []string, do func(context.Context, *trace.Tracer) error, kafka bool) error {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	return a.audited(cmd, args, c, touched, func(func(...string)) error {
		return withTracing(cmd.Context(), c, do, kafka)
	})
}

func withTracing(ctx context.Context, c config.Config, do func(context.Context, *trace.Tracer) error, kafka bool) error {
	return houseOf(ctx, c, func(conn driver.Conn) (err error) {
		settings := trace.Config{ClickHouse: conn}
		if kafka {
			if settings.Kafka, err = dialKafka(ctx, c); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, settings.Kafka.Close()) }()
			if settings.Registry, err = dialRegistry(ctx, c); err != nil {
				return err
			}
		}
		t, err := trace.New(ctx, settings)
		if err != nil {
			return err
		}
		return do(ctx, t)
	})
}

// line writes one JSON object a line, each with its kind.
func line(w io.Writer, kind string, of any) error {
	text, err := json.Marshal(of)
	if err != nil {
		return err
	}
	rest := strings.TrimPrefix(string(text), "{")
	if rest != "}" {
		rest = "," + rest
	}
	_, err = fmt.Fprintf(w, "{\"kind\":%q%s\n", kind, rest)
	return err
}

func figureLines(ctx context.Context, w io.Writer, t *trace.Tracer, f *trace.Figure, limit int) error {
	if err := line(w, "figure", f); err != nil {
		return err
	}
	n := 0
	err := t.Rows(ctx, f, limit, func(r trace.Row) error {
		n++
		return line(w, "row", r)
	})
	if err != nil {
		return err
	}
	return line(w, "end", map[string]int{"rows": n})
}

func printFigure(ctx context.Context, w io.Writer, t *trace.Tracer, f *trace.Figure, limit int) error {
	var b strings.Builder
	var cells []string
	for _, c := range f.Row {
		if c.Column != "as_of" {
			cells = append(cells, c.Column+" "+orNull(c.Value))
		}
	}
	fmt.Fprintf(&b, "%s  as of %s", f.View, cmp.Or(f.AsOf, "(not known)"))
	if f.At != nil {
		fmt.Fprintf(&b, ", asked for %s", f.At.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "\n  %s\n", strings.Join(cells, " · "))
	for _, d := range f.Datasets {
		fresh := "freshness not known"
		if d.AsOf != nil {
			fresh = "as of " + cityTime(*d.AsOf)
		}
		fmt.Fprintf(&b, "  reads silver.%s, %s, from %s\n", d.Name, fresh, cmp.Or(strings.Join(d.Topics, ", "), "no topic"))
	}
	if !f.Named {
		b.WriteString("which rows it counts cannot be said: nothing is declared of this view\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	var of trace.Count
	shown := uint64(0)
	rest := func() {
		if of.Rows > shown {
			fmt.Fprintf(&b, "│  └─ … %d more (--limit, or --json for all)\n", of.Rows-shown)
		}
	}
	err := t.Rows(ctx, f, limit, func(r trace.Row) error {
		if r.Dataset != of.Dataset || r.Part != of.Part {
			rest()
			at := slices.IndexFunc(f.Counts, func(c trace.Count) bool { return c.Dataset == r.Dataset && c.Part == r.Part })
			of, shown = trace.Count{Dataset: r.Dataset, Part: r.Part}, 0
			if at >= 0 {
				of = f.Counts[at]
			}
			fmt.Fprintf(&b, "├─ silver.%s: %d rows %s\n", of.Dataset, of.Rows, of.Part)
		}
		shown++
		fmt.Fprintf(&b, "│  ├─ %s  (%s)\n", cmp.Or(r.Record, r.Note), strings.Join(r.Figures, ", "))
		if r.Record != "" {
			printEvents(&b, "│  │    ", r.Events)
			if r.Link != nil {
				fmt.Fprintf(&b, "│  │    %s\n", linkText(r.Link, r.Record))
			}
			if r.Note != "" {
				fmt.Fprintf(&b, "│  │    note: %s\n", r.Note)
			}
		}
		if b.Len() < 1<<16 {
			return nil
		}
		_, err := io.WriteString(w, b.String())
		b.Reset()
		return err
	})
	if err != nil {
		return err
	}
	rest()
	total := uint64(0)
	for _, c := range f.Counts {
		total += c.Rows
	}
	switch {
	case f.Same:
		fmt.Fprintf(&b, "└─ counted again over these %d rows alone: the same\n", total)
	case f.Moving:
		fmt.Fprintf(&b, "└─ counted again over these %d rows alone: not the same, for the figure changed meanwhile; ask again\n", total)
	default:
		var again []string
		for _, c := range f.Again {
			again = append(again, c.Column+" "+orNull(c.Value))
		}
		fmt.Fprintf(&b, "└─ counted again over these %d rows alone: NOT the same: %s\n", total, cmp.Or(strings.Join(again, " · "), "no row"))
	}
	if len(f.Replay) > 0 {
		b.WriteString("made anew from the events, table by table ('run', 'diff' and 'swap' follow the plan):\n")
		for _, command := range f.Replay {
			fmt.Fprintf(&b, "  %s\n", command)
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// cityTime shows a time as the views do.
func cityTime(t time.Time) string {
	return t.In(time.FixedZone(tables.TimeZone, 7*60*60)).Format("2006-01-02 15:04:05.000000")
}

// shownEvents is how many events of a row are shown to people.
const shownEvents = 3

func printEvents(b *strings.Builder, indent string, events []trace.Event) {
	for i, e := range events {
		if i == shownEvents {
			fmt.Fprintf(b, "%s… %d earlier events\n", indent, len(events)-i)
			return
		}
		fmt.Fprintf(b, "%s%s\n", indent, eventText(e))
	}
}

func eventText(e trace.Event) string {
	text := fmt.Sprintf("%s  %s  LSN %s  %s", e.Position(), e.Op, e.LSN, cityTime(e.CommitTime))
	if e.Transaction != 0 {
		text += fmt.Sprintf("  tx %d", e.Transaction)
	}
	if e.Now {
		text += "  (the row now)"
	}
	return text
}

func linkText(l *trace.Link, of string) string {
	text := fmt.Sprintf("person %s: %s", l.Person, l.Decision)
	if l.Rule != "" {
		text += " by " + l.Rule
	}
	if l.Weight != nil {
		text += fmt.Sprintf(", %.1f bits", *l.Weight)
	}
	if l.Record != of {
		text = "through " + l.Record + ", " + text
	}
	return fmt.Sprintf("%s, model %s, %s/%d/%d", text, l.Model, l.Topic, l.Partition, l.Offset)
}
