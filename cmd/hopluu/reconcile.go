package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) reconcileCommand() *cobra.Command {
	var asJSON, continuous bool
	var catchUp time.Duration
	var rounds int
	var listen httpFlag
	command := &cobra.Command{
		Use:   "reconcile [SOURCE...]",
		Short: "Compare sources, topics and ClickHouse by count and checksum",
		Long: `Compare sources, topics and ClickHouse, table by table: by count, by checksum over
key ranges, and where these differ by key. The source is read as one snapshot, with
no lock that anybody notices and a message of a few bytes in its log to mark it;
ClickHouse once it has applied that snapshot's LSN; keys that changed meanwhile are
looked at again, so rows may go on flowing: "rows under way" marks tables of which
rows and checksums are of two moments for it. The events that a topic still holds are
compared with bronze. Sources of files are left out, which is said: departments take
files away, and what a file changed is reported when it is taken in.

A key of which an event stands in the open dead letters, or waits behind one there,
is counted apart and is no difference: see 'hopluu dlq list'.

Exits with 0 when everything agrees; with 1 when something differs, and names the
keys, and of many the ranges; with 2 when it could not be compared. The result is noted in
ops.reconciliation. It needs the sources' dsn, kafka.brokers, clickhouse.dsn and
the token key, under which identifiers are compared.

With --continuous it compares in the background until it is stopped, a range of
some thousand rows at a time, each with a snapshot of its own that lasts as long as
these are read; it rests between ranges as the configuration's reconcile.share and
rows_per_second say, and begins a new round every reconcile.every. Each range is
noted in ops.reconciliation_range, each table of a round in ops.reconciliation; one
that is stopped goes on where it was. What differs is an error in the log and in
the metrics hopluu_reconcile_*. With --rounds it ends after so many rounds, and
prints and exits as without --continuous.`,
		Example: `  hopluu reconcile
  hopluu reconcile health tax --json | jq '.[] | select(.ok | not)'
  hopluu reconcile --catch-up 30m          # while a first load still runs
  hopluu reconcile --continuous --http :9467
  hopluu reconcile --continuous --rounds 1 # one round within the budget`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if continuous {
				return a.reconcileOn(cmd, args, watching{listen: &listen, rounds: rounds, catchUp: catchUp, asJSON: asJSON})
			}
			for _, name := range []string{"rounds", "http"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s is of --continuous: give both", name)
				}
			}
			c, _, err := a.load()
			if err != nil {
				return err
			}
			if err := tellFiles(cmd.ErrOrStderr(), c, args); err != nil {
				return err
			}
			settings := reconcile.Config{CatchUp: catchUp}
			if term.IsTerminal(int(os.Stderr.Fd())) && !asJSON {
				settings.Progress = func(source, table string) {
					fmt.Fprintf(os.Stderr, "\r\x1b[Kcomparing %s %s", source, table)
				}
				defer fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
			all, err := reconcileAll(cmd.Context(), c, args, settings)
			if len(all) > 0 {
				if printErr := printReconciliation(cmd.OutOrStdout(), all, asJSON); err == nil {
					err = printErr
				}
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVar(&asJSON, "json", false, "print the result as JSON")
	flags.DurationVar(&catchUp, "catch-up", reconcile.DefaultCatchUp, "how long ClickHouse may take to apply the snapshot's LSN")
	flags.BoolVar(&continuous, "continuous", false, "compare in the background until stopped, within the budget of the configuration")
	flags.IntVar(&rounds, "rounds", 0, "with --continuous: end after so many rounds (default never)")
	listen.on(command)
	command.AddCommand(a.reconcileRepair())
	return command
}

// tellFiles says which sources are left out.
func tellFiles(stderr io.Writer, c config.Config, names []string) error {
	_, files, err := inDatabases(c, names)
	if err == nil && len(files) > 0 {
		fmt.Fprintf(stderr, "not compared: %s, of files; see 'hopluu connector status' for what became of them\n", strings.Join(files, ", "))
	}
	return err
}

// inDatabases gives the named sources, or all, that are databases, and the names
// of those that are not: of files there is nothing left to compare with once
// departments took them away.
func inDatabases(c config.Config, names []string) (databases []source, files []string, err error) {
	sources, err := reachable(c, names)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sources {
		if s.files() {
			files = append(files, s.Name)
		} else {
			databases = append(databases, s)
		}
	}
	if len(databases) == 0 {
		return nil, nil, fmt.Errorf("nothing can be compared: %s is of files; see 'hopluu connector status' for what became of them", strings.Join(files, ", "))
	}
	return databases, files, nil
}

// reconcileAll compares the chosen sources; settings says how, and is completed
// with the connections.
func reconcileAll(ctx context.Context, c config.Config, names []string, settings reconcile.Config) (all []reconcile.Result, err error) {
	sources, done, err := reconciled(ctx, c, names, &settings, brief)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	var failed []error
	for _, s := range sources {
		results, err := reconcile.Run(ctx, settings, s)
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		// The others are compared all the same.
		failed = append(failed, err)
		all = append(all, results...)
	}
	if err := reconcile.Save(ctx, settings.ClickHouse, all); err != nil {
		failed = append(failed, fmt.Errorf("the comparison is done but could not be noted: %w", err))
	}
	return all, errors.Join(failed...)
}

// reconciled gives the chosen sources, and completes settings with the
// connections, which done closes.
func reconciled(ctx context.Context, c config.Config, names []string, settings *reconcile.Config, asked patience) (all []reconcile.Source, done func() error, err error) {
	sources, _, err := inDatabases(c, names)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sources {
		all = append(all, reconcile.Source{Name: s.Name, DSN: cmp.Or(s.PrimaryDSN, s.DSN), Slot: s.Slot, Publication: s.Publication, Sector: s.Described})
	}
	if settings.Tokens, err = newTokenizer(c); err != nil {
		return nil, nil, err
	}
	if settings.OldTokens, err = oldTokenizers(c); err != nil {
		return nil, nil, err
	}
	if settings.Records, err = recordTokenizer(c); err != nil {
		return nil, nil, err
	}
	options, err := clickhouseOptions(c)
	if err != nil {
		return nil, nil, err
	}
	if settings.ClickHouse, err = reachClickHouse(ctx, options, asked); err != nil {
		return nil, nil, err
	}
	if settings.Kafka, err = reachKafka(ctx, c, asked); err != nil {
		return nil, nil, errors.Join(err, settings.ClickHouse.Close())
	}
	settings.Group = c.Sink.Group
	return all, func() error { return errors.Join(settings.Kafka.Close(), settings.ClickHouse.Close()) }, nil
}

// twoMoments tells that the numbers of the two sides are unlike for keys that
// changed between the reading of one and of the other, which were compared apart.
func twoMoments(r *reconcile.Result) bool {
	unlike := r.SourceRows != r.ClickHouseRows || r.SourceChecksum != r.ClickHouseChecksum
	return r.UnderWay > 0 || r.Changed > 0 || r.OK && unlike && r.Waiting == 0
}

func printReconciliation(w io.Writer, all []reconcile.Result, asJSON bool) error {
	ok := true
	for _, r := range all {
		ok = ok && r.OK
	}
	if asJSON {
		if err := printJSON(w, all); err != nil {
			return err
		}
	} else {
		t := table.NewWriter()
		t.SetOutputMirror(w)
		t.SetStyle(table.StyleLight)
		t.AppendHeader(table.Row{"source", "table", "source rows", "ClickHouse rows", "source checksum", "ClickHouse checksum", "duplicates", "topic events", "bronze", "dead letters", ""})
		for _, r := range all {
			verdict := "agree"
			switch {
			case !r.OK:
				verdict = "DIFFER"
			case r.Waiting > 0:
				verdict = "agree but for dead letters"
			}
			if twoMoments(&r) {
				verdict += ", rows under way"
			}
			t.AppendRow(table.Row{r.Source, r.Table, r.SourceRows, r.ClickHouseRows, r.SourceChecksum, r.ClickHouseChecksum, r.Duplicates + r.Topic.Duplicates, r.Topic.Events, r.Topic.Bronze, r.Topic.DeadLetters, verdict})
		}
		t.Render()
		for _, r := range all {
			if r.Changed > 0 {
				fmt.Fprintf(w, "%s %s: %d keys changed again and again meanwhile and are not compared\n", r.Source, r.Table, r.Changed)
			}
			if r.UnderWay > 0 {
				fmt.Fprintf(w, "%s %s: %d keys changed between the readings of the two sides, which is why their rows and checksums are unlike; each was looked at again and agrees\n", r.Source, r.Table, r.UnderWay)
			} else if twoMoments(&r) && r.Changed == 0 {
				fmt.Fprintf(w, "%s %s: keys changed between the readings of the two sides, which is why their rows and checksums are unlike; each was looked at again and agrees\n", r.Source, r.Table)
			}
			if r.Waiting > 0 {
				keys := r.WaitingKeys
				if r.Waiting > len(keys) {
					keys = append(keys, "…")
				}
				fmt.Fprintf(w, "%s %s: %d keys wait behind open dead letters and are no difference: %s; 'hopluu dlq list' says why, 'hopluu dlq retry' applies them once that is mended\n", r.Source, r.Table, r.Waiting, strings.Join(keys, " "))
			}
			if r.UnreadableLetters > 0 {
				fmt.Fprintf(w, "%s %s: %d open dead letters have no key that can be read, so that a row they hold back counts as different; see 'hopluu dlq list'\n", r.Source, r.Table, r.UnreadableLetters)
			}
			if r.OK {
				continue
			}
			fmt.Fprintf(w, "%s %s:\n", r.Source, r.Table)
			for _, kind := range []struct {
				what string
				keys []string
				all  int
			}{
				{"only in the source", r.Missing, r.Counts["missing"]},
				{"only in ClickHouse", r.Extra, r.Counts["extra"]},
				{"different", r.Different, r.Counts["different"]},
			} {
				if kind.all > len(kind.keys) {
					kind.keys = append(kind.keys, "…")
				}
				if kind.all > 0 {
					fmt.Fprintf(w, "  %d keys %s: %s\n", kind.all, kind.what, strings.Join(kind.keys, " "))
				}
			}
			if r.Duplicates > 0 {
				fmt.Fprintf(w, "  %d rows of silver have a key that another has\n", r.Duplicates)
			}
			// Where every key is named a range of thousands tells nothing more.
			named := r.Keys <= len(r.Missing)+len(r.Extra)+len(r.Different)
			for _, g := range r.Ranges {
				if named {
					break
				}
				fmt.Fprintf(w, "  they lie between %s and %s: source %d rows %s, ClickHouse %d rows %s\n", g.From, g.To, g.SourceRows, g.SourceChecksum, g.ClickHouseRows, g.ClickHouseChecksum)
			}
			if r.Error != "" {
				fmt.Fprintf(w, "  could not be compared: %s\n", r.Error)
			}
			for _, kind := range []struct {
				what   string
				places []string
				all    int64
			}{
				{"events are lost in bronze", r.Topic.Offsets.Lost, r.Topic.Offsets.LostCount},
				{"events are in bronze more than once", r.Topic.Offsets.Doubled, r.Topic.Offsets.DoubledCount},
				{"rows of bronze are no event of the topic", r.Topic.Offsets.Unknown, r.Topic.Offsets.UnknownCount},
			} {
				if kind.all > 0 {
					fmt.Fprintf(w, "  %d %s (partition:offset): %s\n", kind.all, kind.what, strings.Join(kind.places, " "))
				}
			}
			if !r.Topic.OK {
				fmt.Fprintf(w, "  topic: %d events %s; bronze: %d rows %s, %d duplicates, %d dead letters\n", r.Topic.Events, r.Topic.Checksum, r.Topic.Bronze, r.Topic.BronzeChecksum, r.Topic.Duplicates, r.Topic.DeadLetters)
			}
		}
	}
	if !ok {
		return errFound
	}
	return nil
}
