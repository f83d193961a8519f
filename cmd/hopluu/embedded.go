package main

import (
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/clickhouse"
	"github.com/spf13/cobra"
)

// embeddedCommand holds the one-machine servers that run as processes of
// their own; people need it only to look closer at what `hopluu dev` does.
func embeddedCommand() *cobra.Command {
	command := clickhouse.Command()
	command.Hidden = true
	return command
}
