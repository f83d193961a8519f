package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/sinks/clickhouse"
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

func runSink(ctx context.Context, c config.Config, log *slog.Logger) (err error) {
	set, err := loadSectors(c)
	if err != nil {
		return err
	}
	sources, err := loadSources(c)
	if err != nil {
		return err
	}
	options, err := clickhouseOptions(c)
	if err != nil {
		return err
	}
	if err := pingClickHouse(ctx, options); err != nil {
		return err
	}
	shards, err := clickhouseShards(c)
	if err != nil {
		return err
	}
	for i, shard := range shards {
		if err := pingClickHouse(ctx, shard); err != nil {
			return fmt.Errorf("shard %d of cluster %s: %w", i+1, c.ClickHouse.Cluster, err)
		}
	}
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	schemas, err := dialRegistry(ctx, c)
	if err != nil {
		return err
	}
	metrics := newMetrics()
	var refs []clickhouse.SourceRef
	for _, s := range sources {
		refs = append(refs, clickhouse.SourceRef{Name: s.Name, Sector: s.Sector})
	}
	sink, err := clickhouse.New(clickhouse.Config{
		Kafka: kafka, Registry: schemas, Sectors: set, Sources: refs,
		ClickHouse: options, Cluster: c.ClickHouse.Cluster, Shards: shards,
		Group: c.Sink.Group, BatchRows: c.Sink.BatchRows, BatchBytes: c.Sink.BatchBytes, BatchWait: c.Sink.BatchWait,
		Log: log, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	return serve(ctx, c.HTTP.Listen, log, metrics, service{kafka: kafka, ready: sink.Ready, run: sink.Run})
}
