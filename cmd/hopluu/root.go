package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/spf13/cobra"
)

// app is what the subcommands share.
type app struct {
	configPath string
	// by is who gives the command, where that is not who is logged in.
	by string
}

func rootCommand() *cobra.Command {
	a := &app{}
	root := group(&cobra.Command{
		Use:   "hopluu",
		Short: "Join the data that a city's departments keep apart",
		Long: `hopluu (hợp lưu, where rivers meet) streams changes out of sector databases into
Kafka, matches every record to its citizen, and lands them in ClickHouse.

  sector database -> connector -> Kafka topics -> processor (identity) -> sink -> ClickHouse

Every command reads one configuration file, named by --config or HOPLUU_CONFIG;
an environment variable wins over it (HOPLUU_KAFKA_BROKERS over kafka.brokers).

Exit codes: 0 all is well; 1 a check or comparison found something, and says what;
2 it could not be done, and one line on standard error says why; 130 interrupted.
Commands named run work until SIGTERM or Ctrl-C, which ends them with 0.`,
		Example: `  # Everything on this one machine, to look at:
  hopluu dev

  # With a real database:
  hopluu config example > hopluu.yaml      # fill it in
  export HOPLUU_CONFIG=hopluu.yaml
  hopluu config check
  hopluu connector enable health           # the script for the DBA
  hopluu connector check
  hopluu topics create
  hopluu connector run & hopluu processor run --http :9465 & hopluu sink run --http :9466 &
  hopluu reconcile`,
		Version:       version().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	},
		a.connectorCommand(), a.processorCommand(), a.sinkCommand(), a.dlqCommand(), a.registryCommand(),
		a.topicsCommand(), a.backupCommand(), a.restoreCommand(), a.recoverCommand(), a.reconcileCommand(), a.replayCommand(), a.traceCommand(), a.identityCommand(), a.topCommand(), a.pauseCommand(), a.resumeCommand(), a.auditCommand(), a.accessCommand(), a.configCommand(), devCommand(), embeddedCommand(), versionCommand(),
	)
	root.SetVersionTemplate("hopluu {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see '%s --help'", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.configPath, "config", "c", os.Getenv("HOPLUU_CONFIG"), "configuration file (see 'hopluu config example'; also HOPLUU_CONFIG)")
	flags.StringVar(&a.by, "by", os.Getenv("HOPLUU_BY"), "who gives this command, for the record of actions (see 'hopluu audit'; also HOPLUU_BY)")
	if err := root.MarkPersistentFlagFilename("config", "yaml", "yml"); err != nil {
		panic(err) // the flag is the one above
	}
	return root
}

// group completes a command that only holds others. Of cobra's own accord an
// unknown one among them would print the help and count as success.
func group(command *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	command.DisableFlagsInUseLine = true
	command.Args = cobra.ArbitraryArgs
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := "see '" + cmd.CommandPath() + " --help'"
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return fmt.Errorf("%s has no command %q: %s", cmd.CommandPath(), args[0], hint)
	}
	command.SuggestionsMinimumDistance = 2
	command.AddCommand(subs...)
	return command
}

// noArgs refuses arguments of commands that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, but was given %q: see '%s --help'", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// exactly wants as many arguments as the usage names.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s was given %d arguments, and takes %d: %s (see '%s --help')", cmd.CommandPath(), len(args), n, cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

// atMostOne wants no more than one argument.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s was given %d arguments, and takes one at most: %s (see '%s --help')", cmd.CommandPath(), len(args), cmd.UseLine(), cmd.CommandPath())
	}
	return nil
}

// oneSource wants the name of one source.
func oneSource(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s needs the name of one source: %s", cmd.CommandPath(), cmd.UseLine())
	}
	return nil
}

// completeSources gives the shell the names of the configured sources; only
// first says that no more than one is taken.
func (a *app) completeSources(only bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := config.Load(a.configPath)
		if err != nil || only && len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, s := range c.Sources {
			names = append(names, cobra.CompletionWithDesc(s.Name, "sector "+s.Sector))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// load reads the configuration and makes the logger that it asks for.
func (a *app) load() (config.Config, *slog.Logger, error) {
	c, err := config.Load(a.configPath)
	if err != nil {
		return config.Config{}, nil, err
	}
	return c, logger(c.Log), nil
}

func logger(c config.Log) *slog.Logger {
	var level slog.Level
	// The configuration's check has let only known levels through.
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
