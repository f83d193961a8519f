package main

import (
	"errors"
	"fmt"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

func (a *app) topicsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "topics",
		Short: "Make and check the Kafka topics",
	}
	create := &cobra.Command{
		Use:   "create",
		Short: "Make the topics that are missing, with the partitions, replication and retention of the configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			specs, err := allTopics(c)
			if err != nil {
				return err
			}
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			created, err := kafka.Ensure(cmd.Context(), specs...)
			for _, name := range created {
				fmt.Fprintln(cmd.OutOrStdout(), "created", name)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d topics are there, %d of them new\n", len(specs), len(created))
			return err
		},
	}
	check := &cobra.Command{
		Use:   "check",
		Short: "Say which topics are missing or have other partitions than the configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			specs, err := allTopics(c)
			if err != nil {
				return err
			}
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			var names []string
			for _, s := range specs {
				names = append(names, s.Name)
			}
			counts, err := kafka.PartitionCounts(cmd.Context(), names...)
			if err != nil {
				return err
			}
			bad := 0
			for _, s := range specs {
				switch n, ok := counts[s.Name]; {
				case !ok:
					bad++
					fmt.Fprintf(cmd.OutOrStdout(), "missing  %s: make it with 'hopluu topics create'\n", s.Name)
				case n != s.Partitions:
					bad++
					fmt.Fprintf(cmd.OutOrStdout(), "differs  %s has %d partitions, the configuration says %d: set topics.partitions to what is there\n", s.Name, n, s.Partitions)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d topics, %d in order\n", len(specs), len(specs)-bad)
			if bad > 0 {
				return &exitError{}
			}
			return nil
		},
	}
	command.AddCommand(create, check)
	return command
}

// allTopics are the topics of every configured source and of the stages.
func allTopics(c config.Config) ([]topic.Spec, error) {
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	settings := topicSettings(c)
	specs := append(settings.IdentitySpecs(), settings.StateSpec())
	for _, s := range sources {
		specs = append(specs, settings.Specs(s.Name, s.Described)...)
	}
	return specs, nil
}
