package main

import (
	"fmt"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "config",
		Short: "Explain and check the configuration",
		Long: `Explain and check the configuration: one YAML file for all commands, every key of
which an environment variable may override.`,
		Example: `  hopluu config example > hopluu.yaml
  hopluu config check -c hopluu.yaml`,
	}, configExample(), a.configCheck())
}

func configExample() *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Short:   "Print a configuration with every key, its default and its meaning",
		Example: "  hopluu config example > hopluu.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), config.Example)
			return err
		},
	}
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the configuration and say what is wrong with it",
		Long: `Read the configuration with everything that it names on this machine: the sector
files, the keys of tokens, the matcher's model, the connection strings. No server is
asked: that is what 'hopluu connector check' and 'hopluu topics check' do. Exits with 2
and one line that names the key when something is wrong.`,
		Example: `  hopluu config check -c hopluu.yaml
  HOPLUU_TOPICS_PARTITIONS=12 hopluu config check -c hopluu.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(a.configPath)
			if err != nil {
				return err
			}
			sources, err := loadSources(c)
			if err != nil {
				return err
			}
			var notes []string
			for _, s := range sources {
				if s.files() {
					continue // checked when it was loaded
				}
				if s.DSN == "" {
					notes = append(notes, "source "+s.Name+" has no dsn: connector commands and reconcile need it")
				} else if err := checkDSN(s.Source); err != nil {
					return err
				}
			}
			if c.Tokens.Key == "" && c.Tokens.KeyFile == "" {
				notes = append(notes, "tokens.key_file is not set: connectors and reconcile need it")
			} else if _, err := newTokenizer(c); err != nil {
				return err
			}
			if _, err := oldTokenizers(c); err != nil {
				return err
			}
			if _, err := recordTokenizer(c); err != nil {
				return err
			}
			if c.Registry.URL == "" {
				notes = append(notes, "registry.url is not set: connectors, processors and sinks need it")
			}
			if c.ClickHouse.DSN == "" {
				notes = append(notes, "clickhouse.dsn is not set: sinks and reconcile need it")
			} else if _, err := clickhouseOptions(c); err != nil {
				return err
			}
			if _, err := clickhouseShards(c); err != nil {
				return err
			}
			if _, err := kafkaTLS(c.Kafka.TLS); err != nil {
				return err
			}
			if _, _, err := liveModel(c.Identity); err != nil {
				return err
			}
			for _, note := range notes {
				fmt.Fprintln(cmd.OutOrStdout(), "note:", note)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the configuration is good: %d sources\n", len(sources))
			return err
		},
	}
}
