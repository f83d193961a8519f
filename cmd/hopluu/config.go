package main

import (
	"fmt"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	command := &cobra.Command{Use: "config", Short: "Explain and check the configuration"}
	command.AddCommand(
		&cobra.Command{
			Use: "example", Short: "Print a configuration with every key, its default and its meaning", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprint(cmd.OutOrStdout(), config.Example)
				return err
			},
		},
		&cobra.Command{
			Use: "check", Short: "Read the configuration and say what is wrong with it", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := config.Load(a.configPath)
				if err != nil {
					return err
				}
				if _, err := loadSources(c); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the configuration is good: %d sources\n", len(c.Sources))
				return err
			},
		},
	)
	return command
}
