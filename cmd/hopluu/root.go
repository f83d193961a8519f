package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/spf13/cobra"
)

// app is what the subcommands share.
type app struct {
	configPath string
}

func rootCommand() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "hopluu",
		Short: "Join the data that a city's departments keep apart",
		Long: `hopluu (hợp lưu, where rivers meet) streams changes out of sector databases into
Kafka, matches every record to its citizen, and lands them in ClickHouse.

  sector database -> connector -> Kafka topics -> processor (identity) -> sink -> ClickHouse

To see it all on one machine: hopluu dev
To begin with a real database: hopluu config example > hopluu.yaml, fill it in,
then hopluu connector check.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVarP(&a.configPath, "config", "c", os.Getenv("HOPLUU_CONFIG"), "configuration file (see 'hopluu config example'; also HOPLUU_CONFIG)")
	root.AddCommand(
		a.connectorCommand(), a.processorCommand(), a.sinkCommand(), a.registryCommand(),
		a.topicsCommand(), a.reconcileCommand(), a.configCommand(), devCommand(), embeddedCommand(),
	)
	return root
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
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
