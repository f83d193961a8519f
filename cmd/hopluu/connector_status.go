package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// sourceStatus is what `hopluu connector status` says of a source.
type sourceStatus struct {
	Kind string `json:"kind"`
	connectors.Status
	// Reasons of the quarantines, by table.
	Reasons map[string]string `json:"reasons"`
	// Error says why the database could not be asked; empty when it could.
	Error string `json:"error,omitempty"`
}

// attention tells whether a person has something to do.
func (s sourceStatus) attention() bool {
	return s.Error != "" || len(s.Quarantined) > 0 || s.State == "slot lost" || s.State == "slot missing"
}

func (a *app) connectorStatus() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status [SOURCE...]",
		Short: "Show how far each source is, what its slot holds back, which files were refused",
		Long: `Show the state of each source: never captured, snapshot, streaming, stopped, slot
lost, slot missing, or unreachable; how much WAL was written since what is
confirmed, how much the slot keeps on the server's disk and how much more it may;
and the tables that are quarantined, with the reason.

Of a source of files: never captured, waiting for files, taking in, or stopped
(its connector has not written for three minutes); how many files of each table
were taken in and refused; the last one, its time, and what became of its rows.

Exits with 1 when a source needs a person: a slot is gone, a table is quarantined,
a database does not answer, or the last file of a table, or rows of it, were
refused.`,
		Example: `  hopluu connector status
  hopluu connector status --json | jq '.[] | select(.quarantined != [])'`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			databases, files, err := a.status(cmd.Context(), args)
			if err != nil {
				return err
			}
			if asJSON {
				all := []any{}
				for _, s := range databases {
					all = append(all, s)
				}
				for _, s := range files {
					all = append(all, s)
				}
				err = printJSON(cmd.OutOrStdout(), all)
			} else {
				if len(databases) > 0 {
					printStatus(cmd.OutOrStdout(), databases)
				}
				if len(files) > 0 {
					printFileStatus(cmd.OutOrStdout(), files)
				}
			}
			if err == nil && (slices.ContainsFunc(databases, sourceStatus.attention) || slices.ContainsFunc(files, fileStatus.Attention)) {
				err = errFound
			}
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return command
}

func (a *app) status(ctx context.Context, names []string) (databases []sourceStatus, files []fileStatus, err error) {
	c, _, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	sources, err := reachable(c, names)
	if err != nil {
		return nil, nil, err
	}
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	for _, s := range sources {
		if s.files() {
			var tables []string
			for _, t := range s.Described.Tables {
				tables = append(tables, t.Schema+"."+t.Name)
			}
			status, err := file.ReadStatus(ctx, kafka, s.Name, tables, time.Now())
			if err != nil {
				return nil, nil, err
			}
			files = append(files, fileStatus{s.Kind, status})
			continue
		}
		checkpoint, err := connectors.Checkpoint(ctx, kafka, s.Name)
		if err != nil {
			return nil, nil, err
		}
		slot, err := slotStatus(ctx, s)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		status := sourceStatus{Kind: config.KindPostgres, Status: connectors.StatusOf(s.Name, checkpoint, slot), Reasons: map[string]string{}}
		if err != nil {
			// The others are shown all the same.
			status.State, status.Error = "unreachable", oneLine(err)
		}
		for _, name := range status.Quarantined {
			status.Reasons[name] = checkpoint.Tables[name].Quarantined
		}
		databases = append(databases, status)
	}
	return databases, files, nil
}

func slotStatus(ctx context.Context, s source) (status postgres.SlotStatus, err error) {
	bound, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	conn, err := connectSource(bound, s)
	if err != nil {
		return postgres.SlotStatus{}, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return postgres.ReadSlotStatus(ctx, conn, s.Slot)
}

func printStatus(w io.Writer, all []sourceStatus) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "state", "epoch", "confirmed", "behind", "retained WAL", "left until lost", "tables", "quarantined"})
	for _, s := range all {
		behind, retained, left := connectors.Bytes(s.BehindBytes), connectors.Bytes(s.RetainedBytes), s.LeftText()
		if s.Error != "" {
			behind, retained, left = "?", "?", "?"
		}
		t.AppendRow(table.Row{s.Source, s.State, s.Epoch, s.Confirmed, behind, retained, left, fmt.Sprintf("%d/%d", s.TablesComplete, s.Tables), strings.Join(s.Quarantined, ", ")})
	}
	t.Render()
	for _, s := range all {
		if s.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", s.Source, s.Error)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Reasons)) {
			fmt.Fprintf(w, "%s: quarantined: %s; remove the cause, then: hopluu connector resnapshot %s %s\n", s.Source, s.Reasons[name], s.Source, name)
		}
	}
}

func (a *app) connectorResnapshot() *cobra.Command {
	return &cobra.Command{
		Use:   "resnapshot SOURCE [SCHEMA.TABLE...]",
		Short: "Read tables anew",
		Long: `Mark tables to be read anew: rows that went meanwhile go, quarantine ends, and the
stream goes on in order. Without a table the whole source is captured anew under
the next epoch, which is what a lost slot or a restored database needs. A running
connector begins at once, a stopped one when it is started.`,
		Example: `  hopluu connector resnapshot health public.patient
  hopluu connector resnapshot health     # all of it, under a new epoch`,
		Args: func(cmd *cobra.Command, args []string) error {
			return oneSource(cmd, args[:min(1, len(args))])
		},
		ValidArgsFunction: a.completeTables,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			sources, err := loadSources(c)
			if err != nil {
				return err
			}
			chosen, err := choose(sources, args[:1])
			if err != nil {
				return err
			}
			if chosen[0].files() {
				return notOfFiles(chosen[0], "resnapshot")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			kafka, err := dialKafka(ctx, c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			checkpoint, err := connectors.Checkpoint(ctx, kafka, args[0])
			if err != nil {
				return err
			}
			if !checkpoint.Started() {
				return fmt.Errorf("source %s was never captured: start it with 'hopluu connector run %s'", args[0], args[0])
			}
			if err := connectors.Resnapshot(ctx, kafka, args[0], args[1:]...); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "source %s: marked; see 'hopluu connector status %s'\n", args[0], args[0])
			return err
		},
	}
}

// completeTables gives the shell a source, then its tables.
func (a *app) completeTables(cmd *cobra.Command, args []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeSources(true)(cmd, args, text)
	}
	var names []cobra.Completion
	if c, _, err := a.load(); err == nil {
		if sources, err := loadSources(c); err == nil {
			if chosen, err := choose(sources, args[:1]); err == nil {
				for _, t := range chosen[0].Described.Tables {
					names = append(names, cobra.CompletionWithDesc(t.Schema+"."+t.Name, t.Meaning.En))
				}
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
