package clickhouse

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Command is `hopluu embedded`, with its one subcommand `clickhouse`.
func Command() *cobra.Command {
	embedded := &cobra.Command{
		Use:   "embedded",
		Short: "Parts of a one-machine installation that run as processes of their own",
	}
	embedded.AddCommand(serveCommand())
	return embedded
}

func serveCommand() *cobra.Command {
	var cfg Config
	cmd := &cobra.Command{
		Use:   "clickhouse",
		Short: "Serve ClickHouse's HTTP interface over ClickHouse's engine, on one machine",
		Long: `Serve ClickHouse's HTTP interface over ClickHouse's engine, on one machine.

It is for one machine and has no users or passwords. hopluu dev starts it;
anything bigger has a ClickHouse server.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Path == "" || cfg.Lib == "" {
				return errors.New("--path and --lib are needed: the data folder, and libchdb.so as hopluu dev downloads it")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
			return Serve(ctx, cfg)
		},
	}
	cmd.Flags().StringVar(&cfg.Path, "path", "", "data folder, made when it is not there")
	cmd.Flags().StringVar(&cfg.Backups, "backups", "", "folder that BACKUP may write to (default backups in the data folder)")
	cmd.Flags().StringVar(&cfg.Listen, "listen", "127.0.0.1:8123", "address of the HTTP interface")
	cmd.Flags().StringVar(&cfg.Lib, "lib", "", "path of ClickHouse's engine, libchdb.so")
	cmd.Flags().StringVar(&cfg.Users, "users", "", "ClickHouse's users.xml, with the users by whom views may be defined; every request is still default's")
	cmd.Flags().Int64Var(&cfg.MaxMemory, "max-memory", DefaultMaxMemory, "bytes of memory that the engine may take")
	return cmd
}
