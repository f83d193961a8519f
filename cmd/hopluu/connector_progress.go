package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hopluu/hopluu/connectors"
)

// barWidth is how many characters a progress bar has.
const barWidth = 24

// drawSnapshots draws on a terminal how far the snapshots are, in one line that
// stays below the log, until the function that it gives is called.
func drawSnapshots(w io.Writer, all []*connectors.Connector) (stop func()) {
	done := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		drawn := false
		for {
			select {
			case <-done:
				if drawn {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			case now := <-tick.C:
				line := snapshotLine(all, now)
				if line != "" || drawn {
					fmt.Fprint(w, "\r\x1b[K"+line)
				}
				drawn = line != ""
			}
		}
	})
	return func() { close(done); drawing.Wait() }
}

// snapshotLine shows the table that is read now, and how many wait; empty when
// none is read.
func snapshotLine(all []*connectors.Connector, now time.Time) string {
	var lines []string
	for _, c := range all {
		tables := c.Progress()
		for _, p := range tables {
			if p.Blocks == 0 && p.Part == 0 {
				continue
			}
			lines = append(lines, bar(p.Part)+" "+c.Source+" "+snapshotText(p, now))
		}
		if waiting := len(tables) - len(lines); len(lines) == 0 && waiting > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d tables to read", c.Source, waiting))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	if more := len(lines) - 1; more > 0 {
		return fmt.Sprintf("%s (and %d more)", lines[0], more)
	}
	return lines[0]
}

func bar(part float64) string {
	full := int(part * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "]"
}
