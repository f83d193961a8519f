package main

import (
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/clickhouse"
	"github.com/spf13/cobra"
)

// embeddedCommand holds the one-machine servers that run as processes of
// their own.
func embeddedCommand() *cobra.Command {
	command := &cobra.Command{
		Use:    "embedded",
		Short:  "Run a one-machine server by itself (used by 'hopluu dev')",
		Hidden: true,
	}
	command.AddCommand(clickhouse.Command())
	return command
}
