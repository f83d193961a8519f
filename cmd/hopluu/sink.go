package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
)

func (a *app) sinkCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "sink",
		Short:   "Land the topics in ClickHouse",
		Example: "  hopluu sink run --http :9466\n  hopluu sink status",
	}, a.sinkRun(), a.sinkStatus(), a.sinkRewind())
}

func (a *app) sinkRun() *cobra.Command {
	var listen httpFlag
	command := &cobra.Command{
		Use:   "run",
		Short: "Write bronze, silver and gold from the topics, until stopped",
		Long: `Write the topics of all configured sources, and those of the matcher, into
ClickHouse until SIGTERM or Ctrl-C: bronze (every event), silver (the rows as they are),
gold (figures), ops (dead letters, freshness). Tables are made, and grow with
their schemas. Several sinks of one sink.group share the work. A server that goes
away is waited for; records that cannot be applied go to dead letters, never away.
SIGHUP has it read the configuration and the sector files again.

It needs kafka.brokers, registry.url and clickhouse.dsn.`,
		Example: `  hopluu sink run --http :9466
  HOPLUU_CLICKHOUSE_DSN=clickhouse://hopluu:secret@ch1:9000/default hopluu sink run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.untilStopped(cmd.Context(), work{name: commandName(cmd), lay: func(c *config.Config) { listen.lay(cmd, c) }, check: describedSources, run: runSink})
		},
	}
	listen.on(command)
	return command
}

func runSink(ctx context.Context, c config.Config, log *slog.Logger) error {
	return staged(ctx, c.HTTP.Listen, log, func(ctx context.Context, s *stage) (err error) {
		settings, done, err := sinkConfig(ctx, c, log, s.until)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		watcher, err := s.pauses(ctx, settings.Kafka, topicSettings(c).PauseSpec())
		if err != nil {
			return err
		}
		settings.Held = func(dataset string) bool {
			p, _ := watcher.Of(pause.Dataset(c.Sink.Group, dataset))
			return p != nil
		}
		work := &holdable{watcher: watcher, target: pause.Sink(c.Sink.Group), metrics: s.metrics, begin: func(metrics prometheus.Registerer) (round, error) {
			settings := settings
			settings.Metrics = metrics
			sink, err := clickhouse.New(settings)
			if err != nil {
				return round{}, err
			}
			return round{ready: sink.Ready, run: sink.Run}, nil
		}}
		told, err := lineagesOf(c, log, s.metrics)
		if err != nil {
			return err
		}
		defer told.close()
		landing := told.during(work.run, func(ctx context.Context) ([]flow, error) { return told.sinkFlows(ctx, c, settings) })
		return s.work(ctx, service{kafka: settings.Kafka, ready: work.ready, run: landing})
	})
}
