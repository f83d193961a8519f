package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

func devCommand() *cobra.Command {
	c := dev.Config{Out: os.Stdout}
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this one machine, with source systems that keep changing",
		Long: `Run everything on this one machine: five PostgreSQL servers with the source
systems, Kafka, the schema registry, ClickHouse's engine behind its HTTP interface,
the connectors, the matcher and the sink, and a generator of generated people that
keeps registering births, visits, payments, permits, corrections and deaths.

For trying things out, not for production. Ctrl-C stops everything; starting again
goes on from the same data. Ports that are taken are replaced by free ones. Every
flag has an environment variable too: HOPLUU_DEMO_ and its name in capitals.`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnvironment(cmd, "HOPLUU_DEMO_")
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Terminal = term.IsTerminal(int(os.Stdout.Fd())) && !c.Exit
			return dev.Run(cmd.Context(), c, func(ctx context.Context, path string) (bool, error) {
				return reconcileDev(ctx, path, os.Stdout)
			})
		},
	}
	clean := &cobra.Command{
		Use: "clean", Short: "Remove the demonstration's data", Args: cobra.NoArgs,
		PreRunE: command.PreRunE,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := dev.Clean(c.Dir); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "removed", c.Dir)
			return err
		},
	}
	clean.Flags().StringVar(&c.Dir, "data", ".hopluu/demo", "folder of all data and logs")
	command.AddCommand(clean)
	f := command.Flags()
	f.StringVar(&c.Dir, "data", ".hopluu/demo", "folder for all data and logs")
	f.BoolVar(&c.Exit, "exit", false, "run the fixed load, compare, and end: 0 only if everything agrees")
	f.IntVar(&c.Persons, "persons", 12_000, "people of the generated city")
	f.Float64Var(&c.Rate, "rate", 100, "changes a second of the generator")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of the generated city")
	f.IntVar(&c.Ports.Kafka, "kafka-port", 9092, "wanted port of Kafka")
	f.IntVar(&c.Ports.Registry, "registry-port", 8081, "wanted port of the schema registry")
	f.IntVar(&c.Ports.ClickHouse, "clickhouse-port", 8123, "wanted port of ClickHouse's HTTP interface")
	f.IntVar(&c.Ports.Postgres, "postgres-port", 5441, "wanted port of the first PostgreSQL; the others follow")
	return command
}

// reconcileDev compares all sources of a demonstration and prints one line a
// table.
func reconcileDev(ctx context.Context, path string, out io.Writer) (ok bool, err error) {
	c, err := config.Load(path)
	if err != nil {
		return false, err
	}
	results, err := reconcileAll(ctx, c, nil, reconcile.Config{CatchUp: reconcile.DefaultCatchUp})
	if err != nil {
		return false, err
	}
	ok = true
	for _, r := range results {
		verdict := "agree"
		if !r.OK {
			verdict, ok = "DIFFER", false
		}
		fmt.Fprintf(out, "%-13s %-24s source %7d rows  ClickHouse %7d rows  checksums %s %s  duplicates %d  %s\n",
			r.Source, r.Table, r.SourceRows, r.ClickHouseRows, r.SourceChecksum, r.ClickHouseChecksum, r.Duplicates+r.Topic.Duplicates, verdict)
	}
	if !ok {
		err := printReconciliation(out, results, false)
		var failed *exitError
		if !errors.As(err, &failed) {
			return false, err
		}
	}
	return ok, nil
}

// reconcileAll compares the chosen sources; settings says how, and is completed
// with the connections.
func reconcileAll(ctx context.Context, c config.Config, names []string, settings reconcile.Config) (all []reconcile.Result, err error) {
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	if sources, err = choose(sources, names); err != nil {
		return nil, err
	}
	if settings.Tokens, err = newTokenizer(c); err != nil {
		return nil, err
	}
	options, err := clickhouseOptions(c)
	if err != nil {
		return nil, err
	}
	if err := pingClickHouse(ctx, options); err != nil {
		return nil, err
	}
	if settings.ClickHouse, err = clickhouse.Open(options); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, settings.ClickHouse.Close()) }()
	if settings.Kafka, err = dialKafka(ctx, c); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, settings.Kafka.Close()) }()
	settings.Group = c.Sink.Group
	for _, s := range sources {
		results, err := reconcile.Run(ctx, settings, reconcile.Source{Name: s.Name, DSN: s.DSN, Slot: s.Slot, Sector: s.Described})
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	if err := reconcile.Save(ctx, settings.ClickHouse, all); err != nil {
		return all, fmt.Errorf("the comparison is done but could not be noted: %w", err)
	}
	return all, nil
}

// flagsFromEnvironment lays the environment under the flags that were not
// given.
func flagsFromEnvironment(cmd *cobra.Command, prefix string) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := prefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok && !f.Changed && err == nil {
			if setErr := f.Value.Set(value); setErr != nil {
				err = fmt.Errorf("%s is %s: %w", name, strconv.Quote(value), setErr)
			}
		}
	})
	return err
}
