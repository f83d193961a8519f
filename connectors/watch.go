package connectors

import (
	"context"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
)

// watchInterval is how often the tables are compared with what the topics say
// of them, and an idle connector finds out that it was fenced.
const watchInterval = 5 * time.Second

// watch looks for what no event tells: rows that changed with their table's
// definition, and tables that left the publication. It marks the first for a
// new snapshot, which is taken beside the stream; the second are quarantined
// until a person says what they should be. The caller saves the checkpoint.
func (s *session) watch(ctx context.Context, names ...string) error {
	shapes, err := s.catalog.Shapes(ctx, s.Publication, names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		state := s.checkpoint.Tables[name]
		if !state.Complete || state.Quarantined != "" {
			continue
		}
		now := shapes[name]
		switch {
		case now.OID == 0:
			s.quarantine(name, s.gone(name))
		case now.Published == 0:
			s.quarantine(name, s.unpublished(name))
		case now.Unlogged:
			s.quarantine(name, s.unlogged(name))
		default:
			if why := state.Outdated(now); why != "" {
				s.Log.Warn("the table is read anew", "table", name, "why", why)
				s.setTable(name, checkpoint.Table{Restart: true})
			} else if !state.Knows(now) {
				s.setTable(name, state.Seen(now))
			}
		}
	}
	return nil
}

// gone, unpublished and unlogged set a table aside that was captured, while the others
// flow.
func (s *session) gone(table string) error {
	return &QuarantineError{Table: table, Err: fmt.Errorf("it is gone from database %s, or has another name now: change the sector file to what it should be", s.database)}
}

func (s *session) unpublished(table string) error {
	return &QuarantineError{Table: table, Err: fmt.Errorf("it is not in publication %s any more, so its changes are not sent: run 'hopluu connector enable %s'", s.Publication, s.Source)}
}

func (s *session) unlogged(table string) error {
	return &QuarantineError{Table: table, Err: fmt.Errorf("it is unlogged, so its changes are not in the log and are not sent: run ALTER TABLE %s SET LOGGED", table)}
}
