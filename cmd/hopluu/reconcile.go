package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) reconcileCommand() *cobra.Command {
	var asJSON bool
	var catchUp time.Duration
	command := &cobra.Command{
		Use:   "reconcile [SOURCE...]",
		Short: "Compare sources, topics and ClickHouse by count and checksum",
		Long: `Compare sources, topics and ClickHouse, table by table: by count, by checksum over
key ranges, and where these differ by key. The source is read as one snapshot, with
no lock that anybody notices; ClickHouse once it has applied that snapshot's LSN;
keys that changed meanwhile are looked at again, so rows may go on flowing. The
events that a topic still holds are compared with bronze.

Exits with 0 when everything agrees; with 1 when something differs, and names the
ranges and keys; with 2 when it could not be compared. The result is noted in
ops.reconciliation. It needs the sources' dsn, kafka.brokers, clickhouse.dsn and
the token key, under which identifiers are compared.`,
		Example: `  hopluu reconcile
  hopluu reconcile health tax --json | jq '.[] | select(.ok | not)'
  hopluu reconcile --catch-up 30m          # while a first load still runs`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.load()
			if err != nil {
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
			if err != nil {
				return err
			}
			return printReconciliation(cmd.OutOrStdout(), all, asJSON)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	command.Flags().DurationVar(&catchUp, "catch-up", reconcile.DefaultCatchUp, "how long ClickHouse may take to apply the snapshot's LSN")
	return command
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
			if !r.OK {
				verdict = "DIFFER"
			}
			t.AppendRow(table.Row{r.Source, r.Table, r.SourceRows, r.ClickHouseRows, r.SourceChecksum, r.ClickHouseChecksum, r.Duplicates + r.Topic.Duplicates, r.Topic.Events, r.Topic.Bronze, r.Topic.DeadLetters, verdict})
		}
		t.Render()
		for _, r := range all {
			if r.OK {
				continue
			}
			fmt.Fprintf(w, "%s %s: %d keys differ (only in the source: %v; only in ClickHouse: %v; different: %v)\n", r.Source, r.Table, r.Keys, r.Missing, r.Extra, r.Different)
			for _, g := range r.Ranges {
				fmt.Fprintf(w, "  keys %s to %s: source %d rows %s, ClickHouse %d rows %s\n", g.From, g.To, g.SourceRows, g.SourceChecksum, g.ClickHouseRows, g.ClickHouseChecksum)
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
