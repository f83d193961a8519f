package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/jackc/pgx/v5"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func (a *app) connectorCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "connector",
		Short: "Capture changes from sector databases",
		Long: `Capture changes from sector databases.

  check    look at a database without changing it, and say what to mend
  enable   print (or, with --run, do) what a DBA must grant; every lock is named
  run      snapshot, then stream, into Kafka
  status   how far each source is, and what its slot holds back
  disable  print (or, with --run, do) the complete clean-up, and prove it`,
	}
	command.AddCommand(a.connectorCheck(), a.connectorEnable(), a.connectorRun(), a.connectorStatus(), a.connectorDisable(), a.connectorResnapshot())
	return command
}

// sources loads the configuration and the sources that args name.
func (a *app) sources(args []string) ([]source, error) {
	c, _, err := a.load()
	if err != nil {
		return nil, err
	}
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	return choose(sources, args)
}

func (a *app) connectorCheck() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "check [SOURCE...]",
		Short: "Look at the databases and say what stands in the way",
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := a.sources(args)
			if err != nil {
				return err
			}
			var reports []postgres.Report
			for _, s := range sources {
				report, err := preflight(cmd.Context(), s)
				if err != nil {
					return fmt.Errorf("source %s: %w", s.Name, err)
				}
				reports = append(reports, report)
			}
			return printReports(cmd.OutOrStdout(), reports, asJSON)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return command
}

func preflight(ctx context.Context, s source) (report postgres.Report, err error) {
	conn, err := postgres.Connect(ctx, s.DSN)
	if err != nil {
		return postgres.Report{}, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return postgres.Preflight(ctx, conn, s.Name, s.Slot, s.Publication, s.Described)
}

func printReports(w io.Writer, reports []postgres.Report, asJSON bool) error {
	ok := true
	for _, r := range reports {
		ok = ok && r.OK()
	}
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(reports); err != nil {
			return err
		}
	} else {
		for _, r := range reports {
			fmt.Fprintf(w, "%s: PostgreSQL %s, %d tables\n", r.Source, r.Version, r.Tables)
			for _, f := range r.Findings {
				fmt.Fprintf(w, "  %-8s %s\n", f.Level, f.What)
				if f.Mend != "" {
					fmt.Fprintf(w, "           mend: %s\n", f.Mend)
				}
			}
			if len(r.Findings) == 0 {
				fmt.Fprintln(w, "  nothing stands in the way")
			}
		}
	}
	if !ok {
		return &exitError{}
	}
	return nil
}

// setupOf tells what a source needs in its database; the role is the one in
// its connection string.
func setupOf(s source) (postgres.Setup, error) {
	config, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		return postgres.Setup{}, fmt.Errorf("source %s: dsn is not a PostgreSQL connection string", s.Name)
	}
	return postgres.Setup{Database: config.Database, Role: config.User, Password: config.Password, Slot: s.Slot, Publication: s.Publication, Tables: s.Described.Tables}, nil
}

func (a *app) connectorEnable() *cobra.Command {
	var admin string
	var run bool
	command := &cobra.Command{
		Use:   "enable SOURCE",
		Short: "Print the least-privilege script that capture needs, or run it",
		Long: `Print the script that a DBA runs once: a role that may replicate and read the
named tables only, and a publication of them. Each step says which lock it takes.
With --run it is run over --admin, a connection string of an administrator.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := a.sources(args)
			if err != nil {
				return err
			}
			setup, err := setupOf(sources[0])
			if err != nil {
				return err
			}
			return script(cmd, setup.EnableScript(), run, admin, nil)
		},
	}
	command.Flags().BoolVar(&run, "run", false, "run the script instead of printing it")
	command.Flags().StringVar(&admin, "admin", "", "an administrator's connection string, for --run")
	return command
}

func (a *app) connectorDisable() *cobra.Command {
	var admin string
	var run bool
	command := &cobra.Command{
		Use:   "disable SOURCE",
		Short: "Print the clean-up of a source (slot, publication, role), or run it and prove it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := a.sources(args)
			if err != nil {
				return err
			}
			setup, err := setupOf(sources[0])
			if err != nil {
				return err
			}
			return script(cmd, setup.DisableScript(), run, admin, func(ctx context.Context, conn *pgx.Conn) error {
				left, err := setup.Leftovers(ctx, conn)
				if err != nil {
					return err
				}
				if len(left) > 0 {
					return fmt.Errorf("still there: %s", strings.Join(left, ", "))
				}
				fmt.Fprintln(cmd.OutOrStdout(), "nothing of the connector is left in the database")
				return nil
			})
		},
	}
	command.Flags().BoolVar(&run, "run", false, "run the clean-up instead of printing it")
	command.Flags().StringVar(&admin, "admin", "", "an administrator's connection string, for --run")
	return command
}

// script prints the statements, or runs them and then what proves them.
func script(cmd *cobra.Command, statements []postgres.Statement, run bool, admin string, proof func(context.Context, *pgx.Conn) error) (err error) {
	if !run {
		for _, s := range statements {
			fmt.Fprintf(cmd.OutOrStdout(), "-- %s\n%s;\n", s.Why, s.SQL)
		}
		return nil
	}
	if admin == "" {
		return errors.New("--run needs --admin: an administrator's connection string")
	}
	conn, err := postgres.Connect(cmd.Context(), admin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(cmd.Context())) }()
	if err := postgres.Apply(cmd.Context(), conn, statements); err != nil {
		return err
	}
	if proof != nil {
		return proof(cmd.Context(), conn)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d statements run\n", len(statements))
	return nil
}

func (a *app) connectorRun() *cobra.Command {
	var listen string
	command := &cobra.Command{
		Use:   "run [SOURCE...]",
		Short: "Capture the named sources, or all, until stopped",
		Long: `Capture the named sources, or all of the configuration, in one process, until
stopped. Progress is kept in Kafka: a connector that is killed goes on where it
was, with no event lost and none doubled. Starting a second connector for a source
ends the first.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, log, err := a.load()
			if err != nil {
				return err
			}
			sources, err := loadSources(c)
			if err != nil {
				return err
			}
			if sources, err = choose(sources, args); err != nil {
				return err
			}
			if listen != "" {
				c.HTTP.Listen = listen
			}
			tokens, err := newTokenizer(c)
			if err != nil {
				return err
			}
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			schemas, err := dialRegistry(cmd.Context(), c)
			if err != nil {
				return err
			}
			metrics := newMetrics()
			var all []*connectors.Connector
			for _, s := range sources {
				report, err := preflight(cmd.Context(), s)
				if err != nil {
					return fmt.Errorf("source %s: %w", s.Name, err)
				}
				if !report.OK() {
					// To standard error: standard output stays for results.
					return errors.Join(fmt.Errorf("source %s cannot be captured as it is", s.Name), printReports(cmd.ErrOrStderr(), []postgres.Report{report}, false))
				}
				all = append(all, connectors.New(connectors.Config{
					Source: s.Name, DSN: s.DSN, Slot: s.Slot, Publication: s.Publication, Sector: s.Described,
					Kafka: kafka, Registry: schemas, Tokens: tokens.Clone(), Topics: topicSettings(c),
					MaxRowBytes: c.MaxRowBytes, Log: log, Metrics: metrics,
				}))
			}
			ready := func() error {
				var errs []error
				for _, connector := range all {
					errs = append(errs, connector.Ready())
				}
				return errors.Join(errs...)
			}
			return serve(cmd.Context(), c.HTTP.Listen, log, metrics, ready, func(ctx context.Context) error {
				// One source that a person must mend does not stop the others:
				// its error is told at once and again at the end.
				var group errgroup.Group
				for _, connector := range all {
					group.Go(func() error {
						err := connector.Run(ctx)
						if err != nil {
							log.Error("a source is no longer captured", "source", connector.Source, "error", err)
						}
						return err
					})
				}
				return group.Wait()
			})
		},
	}
	command.Flags().StringVar(&listen, "http", "", "address for /metrics, /healthz and /readyz (http.listen)")
	return command
}

func (a *app) connectorStatus() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status [SOURCE...]",
		Short: "Show how far each source is and what its slot holds back",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			sources, err := loadSources(c)
			if err != nil {
				return err
			}
			if sources, err = choose(sources, args); err != nil {
				return err
			}
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			checkpoints, err := connectors.Checkpoints(cmd.Context(), kafka)
			if err = errors.Join(err, kafka.Close()); err != nil {
				return err
			}
			var all []connectors.Status
			for _, s := range sources {
				slot, err := slotStatus(cmd.Context(), s)
				if err != nil {
					return fmt.Errorf("source %s: %w", s.Name, err)
				}
				all = append(all, connectors.StatusOf(s.Name, checkpoints[s.Name], slot))
			}
			return printStatus(cmd.OutOrStdout(), all, asJSON)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return command
}

func slotStatus(ctx context.Context, s source) (status postgres.SlotStatus, err error) {
	conn, err := postgres.Connect(ctx, s.DSN)
	if err != nil {
		return postgres.SlotStatus{}, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return postgres.ReadSlotStatus(ctx, conn, s.Slot)
}

func printStatus(w io.Writer, all []connectors.Status, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	}
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "state", "epoch", "confirmed", "behind", "retained WAL", "left until lost", "tables", "quarantined"})
	for _, s := range all {
		t.AppendRow(table.Row{s.Source, s.State, s.Epoch, s.Confirmed, connectors.Bytes(s.BehindBytes), connectors.Bytes(s.RetainedBytes), s.LeftText(), fmt.Sprintf("%d/%d", s.TablesComplete, s.Tables), strings.Join(s.Quarantined, ", ")})
	}
	t.Render()
	return nil
}

func (a *app) connectorResnapshot() *cobra.Command {
	command := &cobra.Command{
		Use:   "resnapshot SOURCE [SCHEMA.TABLE...]",
		Short: "Read tables anew when the connector next starts",
		Long: `Mark tables to be read anew: rows that went meanwhile go, quarantine ends, and the
stream goes on in order. Without a table the whole source is captured anew under
the next epoch, which is what a lost slot or a restored database needs. A running
connector of this source ends; start it again.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, _, err := a.load()
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
			if err := connectors.Resnapshot(ctx, kafka, args[0], args[1:]...); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "source %s: marked; start 'hopluu connector run %s'\n", args[0], args[0])
			return nil
		},
	}
	return command
}
