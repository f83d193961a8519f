package main

import (
	"errors"

	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/spf13/cobra"
)

func (a *app) sinkCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "sink",
		Short: "Land the topics in ClickHouse",
	}
	var listen string
	run := &cobra.Command{
		Use:   "run",
		Short: "Write bronze, silver and gold from the topics, until stopped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, log, err := a.load()
			if err != nil {
				return err
			}
			if listen != "" {
				c.HTTP.Listen = listen
			}
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
			if err := pingClickHouse(cmd.Context(), options); err != nil {
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
			var refs []clickhouse.SourceRef
			for _, s := range sources {
				refs = append(refs, clickhouse.SourceRef{Name: s.Name, Sector: s.Sector})
			}
			sink, err := clickhouse.New(clickhouse.Config{
				Kafka: kafka, Registry: schemas, Sectors: set, Sources: refs, ClickHouse: options,
				Group: c.Sink.Group, BatchRows: c.Sink.BatchRows, BatchBytes: c.Sink.BatchBytes, BatchWait: c.Sink.BatchWait,
				Log: log, Metrics: metrics,
			})
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c.HTTP.Listen, log, metrics, sink.Ready, sink.Run)
		},
	}
	run.Flags().StringVar(&listen, "http", "", "address for /metrics, /healthz and /readyz (http.listen)")
	command.AddCommand(run)
	return command
}
