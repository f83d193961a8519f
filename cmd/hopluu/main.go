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
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// The exit codes. Scripts rely on them; the help of the root command tells
// them.
const (
	exitFound       = 1   // a check or comparison found something, and said what
	exitFailed      = 2   // it could not be done; one line says why
	exitInterrupted = 130 // as shells have it: 128 and SIGINT
)

// errFound ends a command that has printed what it found.
var errFound = errors.New("something was found")

func main() {
	// The first Ctrl-C or SIGTERM ends the work cleanly; a second one ends the
	// program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(ctx, rootCommand().ExecuteContext(ctx), os.Stderr))
}

// exitCode tells of the error in one line, and gives the program's exit code.
func exitCode(ctx context.Context, err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound) && err.Error() == errFound.Error(): // nothing was said beside it
		return exitFound
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "hopluu: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(stderr, "hopluu:", oneLine(err))
	switch {
	case errors.Is(err, errFound):
		return exitFound
	case ctx.Err() != nil:
		return exitInterrupted
	}
	return exitFailed
}

// houseURL is a request to ClickHouse as the driver's errors have it, with all
// settings, and what the driver was about.
var houseURL = regexp.MustCompile(`(?:failed to query server hello: |failed to query server hello info: |sendQuery: )*(?:Post|Get) "https?://(?:[^@/?"]*@)?([^/?"]+)[^"]*\bclient_protocol_version=[^"]*"`)

// oneLine makes one line of an error that may be several joined ones, or that
// a library has laid out over lines. Of a request to ClickHouse it keeps the
// address: settings tell nobody anything.
func oneLine(err error) string {
	var b strings.Builder
	for line := range strings.Lines(houseURL.ReplaceAllString(err.Error(), "ClickHouse at $1")) {
		line = strings.Join(strings.Fields(line), " ")
		switch {
		case line == "":
			continue
		case b.Len() == 0:
		case strings.HasSuffix(b.String(), ":") || strings.HasSuffix(b.String(), ","):
			b.WriteByte(' ')
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// stopped makes an end that was asked for a clean one, for commands that run
// until they are stopped.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
