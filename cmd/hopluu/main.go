// Command hopluu joins the data that a city's departments keep apart:
// connectors stream changes out of sector databases into Kafka, processors
// match every record to its citizen, sinks land them in ClickHouse.
//
// What belongs here: the command line, configuration, wiring and signals. What
// never does: the work itself, which the stages' packages do.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first Ctrl-C or SIGTERM ends the work cleanly; a second one ends the
	// program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		var silent *exitError
		if !errors.As(err, &silent) {
			fmt.Fprintln(os.Stderr, "hopluu:", err)
		}
		os.Exit(1)
	}
}

// exitError ends the program with 1 after a command has said all there is to
// say.
type exitError struct{}

func (*exitError) Error() string { return "failed" }
