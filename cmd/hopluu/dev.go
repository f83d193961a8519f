package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

func devCommand() *cobra.Command {
	c := dev.Config{Out: os.Stdout}
	command := group(&cobra.Command{
		Use:   "dev",
		Short: "Run everything on this one machine, with source systems that keep changing",
		Long: `Run everything on this one machine: five PostgreSQL servers with the source
systems, Kafka, the schema registry, ClickHouse's engine behind its HTTP interface,
the connectors, the matcher and the sink, and a generator of generated people that
keeps registering births, visits, payments, permits, corrections and deaths.

For trying things out, not for production. Ctrl-C stops everything; starting again
goes on from the same data. Ports that are taken are replaced by free ones. Every
flag has an environment variable too: HOPLUU_DEMO_ and its name in capitals. It
makes a configuration of its own, hopluu.yaml in the folder, which other commands
can read meanwhile. Who may read it is its one reviewer, who decides on pairs and
erases people.

With --exit it exits with 0 if everything agrees in the end, with 1 if not.`,
		Example: `  hopluu dev
  hopluu connector status -c .hopluu/demo/hopluu.yaml     # in another terminal
  hopluu identity review -c .hopluu/demo/hopluu.yaml
  hopluu dev --exit --persons 3000 --data /tmp/demo
  hopluu dev clean`,
	}, devClean(&c))
	command.DisableFlagsInUseLine = false
	command.Args = noArgs
	command.PreRunE = devPreRun
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if vars := config.Overrides(os.Environ()); len(vars) > 0 {
			// They would send what is generated here to the servers of a real
			// installation.
			return fmt.Errorf("environment variable %s is set, but hopluu dev makes its own configuration: unset it", vars[0])
		}
		c.Terminal = term.IsTerminal(int(os.Stdout.Fd())) && !c.Exit
		err := dev.Run(cmd.Context(), c, func(ctx context.Context, path string) (bool, error) {
			return reconcileDev(ctx, path, os.Stdout)
		})
		if errors.Is(err, dev.ErrDiffers) {
			err = fmt.Errorf("%w: %w", err, errFound)
		}
		if err == nil && c.Exit {
			// Stopped before anything was compared: no agreement to tell of.
			err = cmd.Context().Err()
		}
		return err
	}
	f := command.Flags()
	f.StringVar(&c.Dir, "data", ".hopluu/demo", "folder for all data and logs")
	f.BoolVar(&c.Exit, "exit", false, "run the fixed load, compare, and end: 0 only if everything agrees")
	f.IntVar(&c.Persons, "persons", 12_000, "people of the generated city")
	f.Float64Var(&c.Rate, "rate", 100, "changes a second of the generator")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of the generated city")
	f.IntVar(&c.Ports.Kafka, "kafka-port", 9092, "wanted port of Kafka")
	f.IntVar(&c.Ports.Registry, "registry-port", 8081, "wanted port of the schema registry")
	f.IntVar(&c.Ports.ClickHouse, "clickhouse-port", 8123, "wanted port of ClickHouse's HTTP interface")
	f.IntVar(&c.Ports.Matcher, "matcher-port", 9464, "wanted port of the matcher, which answers 'hopluu identity review'")
	f.IntVar(&c.Ports.Postgres, "postgres-port", 5441, "wanted port of the first PostgreSQL; the others follow")
	return command
}

func devClean(c *dev.Config) *cobra.Command {
	clean := &cobra.Command{
		Use:   "clean",
		Short: "Remove the demonstration's data",
		Long: `Remove the folder with all data and logs of the demonstration. What was fetched to
run it (PostgreSQL, Kafka, ClickHouse's engine) stays for the next time.`,
		Example: "  hopluu dev clean --data /tmp/demo",
		Args:    noArgs,
		PreRunE: devPreRun,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := dev.Clean(c.Dir); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "removed", c.Dir)
			return err
		},
	}
	clean.Flags().StringVar(&c.Dir, "data", ".hopluu/demo", "folder of all data and logs")
	return clean
}

// demoPrefix begins the environment variables of hopluu dev.
const demoPrefix = "HOPLUU_DEMO_"

// devPreRun reads the environment, and refuses what makes no sense.
func devPreRun(cmd *cobra.Command, _ []string) error {
	if err := flagsFromEnvironment(cmd, demoPrefix); err != nil {
		return err
	}
	known := map[string]bool{}
	for c := cmd; c != nil; c = c.Parent() {
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { known[variable(demoPrefix, f)] = true })
	}
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, demoPrefix) && !known[name] {
			return fmt.Errorf("environment variable %s names no flag of hopluu dev: unset it, or see 'hopluu dev --help'", name)
		}
	}
	for flag, sensible := range map[string]func(float64) bool{
		"persons": func(n float64) bool { return n >= 1 }, "rate": func(n float64) bool { return n > 0 },
		"kafka-port": isPort, "registry-port": isPort, "clickhouse-port": isPort, "matcher-port": isPort, "postgres-port": isPort,
	} {
		f := cmd.Flags().Lookup(flag)
		if f == nil {
			continue
		}
		if n, err := strconv.ParseFloat(f.Value.String(), 64); err != nil || !sensible(n) {
			return fmt.Errorf("--%s is %s: see 'hopluu dev --help'", flag, f.Value)
		}
	}
	return nil
}

func isPort(n float64) bool { return n >= 0 && n <= 65535 }

func variable(prefix string, f *pflag.Flag) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
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
		if err := printReconciliation(out, results, false); !errors.Is(err, errFound) {
			return false, err
		}
	}
	return ok, nil
}

// flagsFromEnvironment lays the environment under the flags that were not
// given.
func flagsFromEnvironment(cmd *cobra.Command, prefix string) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := variable(prefix, f)
		if value, ok := os.LookupEnv(name); ok && !f.Changed && err == nil {
			if setErr := f.Value.Set(value); setErr != nil {
				err = fmt.Errorf("%s is %s: %w", name, strconv.Quote(value), setErr)
			}
		}
	})
	return err
}
