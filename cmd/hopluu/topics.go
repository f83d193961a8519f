package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

func (a *app) topicsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "topics",
		Short: "Make and check the Kafka topics",
		Long: `Make and check the Kafka topics: one of events for every table of every source
(<source>.<schema>.<table>), one in the vault for tables with identifiers, their
dead letters, those of the matcher (identity.*), and the state of the connectors.`,
		Example: `  hopluu topics create
  hopluu topics check --json
  hopluu topics acl > acl.sh`,
	}, a.topicsCreate(), a.topicsCheck(), a.topicsACL())
}

func (a *app) topicsCreate() *cobra.Command {
	return &cobra.Command{
		Use:   "create",
		Short: "Make the topics that are missing",
		Long: `Make the topics that are missing, with the partitions, replication and retention
of the configuration (topics.*). A topic that is there is not changed; one with
another number of partitions is an error, and nothing is made then. Connectors and
the processor make missing topics too: this command is for those who want them
made by somebody with more rights in Kafka.`,
		Example: `  hopluu topics create
  HOPLUU_TOPICS_PARTITIONS=12 hopluu topics create`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTopics(cmd.Context(), func(kafka *topic.Client, c config.Config, specs []topic.Spec) error {
				findings, _, err := checkCluster(cmd.Context(), kafka, c.Topics, specs)
				if err != nil {
					return err
				}
				for _, f := range faults(findings) {
					return fmt.Errorf("%s: %s", f.What, f.Mend)
				}
				created, err := kafka.Ensure(cmd.Context(), specs...)
				for _, name := range created {
					fmt.Fprintln(cmd.OutOrStdout(), "created", name)
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d topics are there, %d of them new\n", len(specs), len(created))
				return err
			})
		},
	}
}

// topicsReport is what `hopluu topics check` found.
type topicsReport struct {
	OK       bool               `json:"ok"`
	Topics   int                `json:"topics"`
	Cluster  []postgres.Finding `json:"cluster"`
	Findings []topicFinding     `json:"findings"`
}

func (a *app) topicsCheck() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "check",
		Short: "Say which topics are missing or differ from the configuration",
		Long: `Compare the topics with the configuration: partitions, copies, how many of them
must have an event before it counts, cleanup, retention. Exits with 1 when a topic is missing
or differs, and says how to mend it.`,
		Example: `  hopluu topics check
  hopluu topics check --json | jq -r '.findings[].topic'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTopics(cmd.Context(), func(kafka *topic.Client, c config.Config, specs []topic.Spec) error {
				report := topicsReport{Topics: len(specs), Cluster: []postgres.Finding{}, Findings: []topicFinding{}}
				cluster, topics, err := checkCluster(cmd.Context(), kafka, c.Topics, specs)
				if err != nil {
					return err
				}
				report.Cluster, report.Findings = append(report.Cluster, cluster...), append(report.Findings, topics...)
				report.OK = len(cluster) == 0 && len(topics) == 0
				return printTopics(cmd, report, asJSON)
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON: ok, topics, cluster and findings")
	return command
}

func printTopics(cmd *cobra.Command, report topicsReport, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		if err := printJSON(w, report); err != nil {
			return err
		}
	} else {
		for _, f := range report.Cluster {
			printFinding(w, "", f)
		}
		differ := map[string]bool{}
		for _, f := range report.Findings {
			differ[f.Topic] = true
			printFinding(w, f.Topic+" ", f.Finding)
		}
		fmt.Fprintf(w, "%d topics, %d in order\n", report.Topics, report.Topics-len(differ))
	}
	if !report.OK {
		return errFound
	}
	return nil
}

// withTopics gives do a client and the topics that the configuration asks for.
func (a *app) withTopics(ctx context.Context, do func(*topic.Client, config.Config, []topic.Spec) error) (err error) {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	specs, err := allTopics(c)
	if err != nil {
		return err
	}
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	return do(kafka, c, specs)
}

// allTopics are the topics of every configured source and of the stages.
func allTopics(c config.Config) ([]topic.Spec, error) {
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	settings := topicSettings(c)
	return append(append(settings.IdentitySpecs(), settings.PauseSpec(), settings.ModelSpec()), sourceTopics(c, sources)...), nil
}

// sourceTopics are the topics that the connectors of the sources write.
func sourceTopics(c config.Config, sources []source) []topic.Spec {
	settings := topicSettings(c)
	var specs []topic.Spec
	for _, s := range sources {
		if s.files() {
			specs = append(specs, file.StateSpec(settings, s.Name))
		} else {
			specs = append(specs, settings.StateSpec(s.Name))
		}
		specs = append(specs, settings.Specs(s.Name, s.Described)...)
		specs = append(specs, settings.StreamSpecs(s.Name, s.Transactions, len(s.Messages) > 0)...)
	}
	return specs
}
