package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

func (a *app) connectorResnapshot() *cobra.Command {
	command := &cobra.Command{
		Use:   "resnapshot SOURCE [SCHEMA.TABLE...] [--from KEY] [--to KEY]",
		Short: "Read tables anew",
		Long: `Mark tables to be read anew: quarantine ends, and rows that went without an event
go once all others were read, so that nothing is missing meanwhile. The stream goes
on beside it. Without a table the whole source is captured anew under the next
epoch, which is what a lost slot or a restored database needs; its stream waits
until the tables are read. A running connector begins at once, a stopped one when
it is started; 'hopluu connector status' shows how far it is.

With --from, --to or both, only those rows of one table are read, and let go where
they are gone: from KEY to KEY in the first column of its key, both included. The
column has to be an integer, a text (compared byte by byte) or a date (2026-01-31).
They are read in one piece: an ALTER TABLE waits for it, so name a part that is
read in seconds.`,
		Example: `  hopluu connector resnapshot health public.patient
  hopluu connector resnapshot health public.patient --from 1000 --to 1999
  hopluu connector resnapshot health     # all of it, under a new epoch`,
		Args: func(cmd *cobra.Command, args []string) error {
			return oneSource(cmd, args[:min(1, len(args))])
		},
		ValidArgsFunction: a.completeTables,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ends, err := rangeFlags(cmd, args)
			if err != nil {
				return err
			}
			c, _, err := a.load()
			if err != nil {
				return err
			}
			s, err := database(c, args[0], "resnapshot")
			if err != nil {
				return err
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
			err = a.audited(cmd, args, c, touchedTables(args[0], args[1:]), func(func(...string)) error {
				if ends != nil {
					return resnapshotRange(ctx, kafka, s, args[1], ends)
				}
				return connectors.Resnapshot(ctx, kafka, args[0], args[1:]...)
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "source %s: marked; see 'hopluu connector status %s'\n", args[0], args[0])
			return err
		},
	}
	command.Flags().String("from", "", "read only rows from this key on, of one table")
	command.Flags().String("to", "", "read only rows up to this key, of one table")
	return command
}

// touchedTables names tables of a source for the record of actions.
func touchedTables(source string, tables []string) []string {
	if len(tables) == 0 {
		return []string{"source " + source}
	}
	var touched []string
	for _, t := range tables {
		touched = append(touched, "table "+source+"."+t)
	}
	return touched
}

// ends are those of a range of keys; nil is an open one.
type ends struct{ from, to *string }

// rangeFlags are --from and --to, nil when neither is given. An empty text is an
// end, too.
func rangeFlags(cmd *cobra.Command, args []string) (*ends, error) {
	var e ends
	for name, end := range map[string]**string{"from": &e.from, "to": &e.to} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			text := flag.Value.String()
			*end = &text
		}
	}
	switch {
	case e.from == nil && e.to == nil:
		return nil, nil
	case len(args) != 2:
		return nil, errors.New("--from and --to are of one table: name it as schema.table behind the source")
	}
	return &e, nil
}

// resnapshotRange asks the database what the key of the table is, and marks the
// range.
func resnapshotRange(ctx context.Context, kafka *topic.Client, s source, table string, e *ends) (err error) {
	if err := checkDSN(s.Source); err != nil {
		return err
	}
	conn, err := postgres.Connect(ctx, s.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	of, err := connectors.KeyRange(ctx, conn, s.Described, table, e.from, e.to)
	if err != nil {
		return err
	}
	return connectors.ResnapshotRange(ctx, kafka, s.Name, table, of)
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
