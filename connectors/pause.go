package connectors

import (
	"context"
	"errors"
	"fmt"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Rest takes Run's place while the source is paused, until ctx ends. No
// connection reads the slot, so its WAL stays on the source's disk: the budget is
// watched as ever, and its policy acts (P7).
func (c *Connector) Rest(ctx context.Context, p pause.Pause) {
	c.setState(errors.New(p.String()))
	c.govern(ctx)
	c.setState(errStarting)
}

// PausedTable gives the pause that a table's quarantine is, by its reason.
func PausedTable(reason string) (pause.Pause, bool) { return pause.Parse(reason) }

func isPaused(t checkpoint.Table) bool {
	_, ok := PausedTable(t.Quarantined)
	return ok
}

// PauseTable sets tables aside as a quarantine does: their raw events go to
// their dead-letter topics and the slot goes on (P7), since one that kept the WAL
// of one table would keep that of all. A connector that runs does it at once, one
// that does not when it starts.
func PauseTable(ctx context.Context, kafka *topic.Client, source string, p pause.Pause, tables ...string) error {
	return remark(ctx, kafka, source, func(c *checkpoint.Checkpoint) error {
		for _, name := range tables {
			t, ok := c.Tables[name]
			switch {
			case !ok:
				return fmt.Errorf("source %s has no table %s: write it as schema.table", source, name)
			case isPaused(t):
				return fmt.Errorf("table %s of source %s is %s", name, source, t.Quarantined)
			case t.Quarantined != "":
				return fmt.Errorf("table %s of source %s is quarantined: its events are set aside already (%s)", name, source, t.Quarantined)
			}
			t.Quarantined = p.String()
			c.Tables[name] = t
		}
		return nil
	})
}

// ResumeTable has paused tables read anew: what changed meanwhile is in the
// rows, and what went is let go by the marker at their end (P2).
func ResumeTable(ctx context.Context, kafka *topic.Client, source string, tables ...string) error {
	return remark(ctx, kafka, source, func(c *checkpoint.Checkpoint) error {
		for _, name := range tables {
			t, ok := c.Tables[name]
			switch {
			case !ok:
				return fmt.Errorf("source %s has no table %s: write it as schema.table", source, name)
			case t.Quarantined == "":
				return fmt.Errorf("table %s of source %s is not paused", name, source)
			case !isPaused(t):
				return fmt.Errorf("table %s of source %s is not paused but quarantined (%s): remove the cause, then: hopluu connector resnapshot %s %s", name, source, t.Quarantined, source, name)
			}
			c.Tables[name] = checkpoint.Table{Restart: true}
		}
		return nil
	})
}
