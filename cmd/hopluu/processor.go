package main

import (
	"errors"

	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/spf13/cobra"
)

func (a *app) processorCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "processor",
		Short: "Match every record to its citizen",
	}
	var listen string
	run := &cobra.Command{
		Use:   "run",
		Short: "Read the vault topics, match records to citizens, write identity.link, until stopped",
		Long: `Read the vault topics, match records to citizens, and write identity.link, until
stopped. What it writes depends on the records alone, not on their order or
timing: it can be killed and started again at any time. A second one ends the
first.`,
		Args: cobra.NoArgs,
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
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			schemas, err := dialRegistry(cmd.Context(), c)
			if err != nil {
				return err
			}
			if _, err := kafka.Ensure(cmd.Context(), topicSettings(c).IdentitySpecs()...); err != nil {
				return err
			}
			metrics := newMetrics()
			var refs []matcher.SourceRef
			for _, s := range sources {
				refs = append(refs, matcher.SourceRef{Name: s.Name, Sector: s.Sector})
			}
			m, err := matcher.New(matcher.Config{
				Kafka: kafka, Registry: schemas, Sectors: set, Sources: refs,
				TransactionalID: "hopluu-matcher", Log: log, Metrics: metrics,
			})
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c.HTTP.Listen, log, metrics, m.Ready, m.Run)
		},
	}
	run.Flags().StringVar(&listen, "http", "", "address for /metrics, /healthz and /readyz (http.listen)")
	command.AddCommand(run)
	return command
}
