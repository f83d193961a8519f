package connectors

import (
	"context"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
)

// A slot that takes longer to make is told of, and again and again.
const (
	patience   = 5 * time.Second
	tellsAgain = time.Minute
)

// tellOfWaiting says for whom the making of a slot waits, until the context
// ends: a transaction that somebody left open holds up a first snapshot, and
// every later one, and nothing else shows it.
func (s *session) tellOfWaiting(ctx context.Context) {
	for wait := patience; ; wait = tellsAgain {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		blockers, err := s.blockers(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.Log.Debug("it could not be seen for whom the snapshot waits", "error", err)
		case len(blockers) > 0:
			s.Log.Warn("a snapshot waits for the end of transactions that were open before it; the stream, if there is one, goes on", "transactions", blockers,
				"mend", "wait, or end what was left open: SELECT pg_terminate_backend(process), or ROLLBACK PREPARED")
		}
	}
}

// blockers asks over a connection of its own: the session's is in use.
func (s *session) blockers(ctx context.Context) ([]string, error) {
	conn, err := postgres.Connect(ctx, s.DSN)
	if err != nil {
		return nil, err
	}
	defer closeSQL(conn)
	return postgres.SlotBlockers(ctx, conn, s.Slot)
}
