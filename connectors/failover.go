package connectors

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/jackc/pgx/v5/pgconn"
)

// inspect asks the server who it is and, when it is on another timeline than
// what was captured so far, where the two part.
func (s *session) inspect(ctx context.Context, repl *pgconn.PgConn) (checkpoint.Server, error) {
	if s.Failover {
		if err := postgres.CheckFailover(ctx, s.sql); err != nil {
			return checkpoint.Server{}, err
		}
	}
	if a, b := s.sql.PgConn().Conn().RemoteAddr().String(), repl.Conn().RemoteAddr().String(); a != b {
		// A dsn of several hosts, of which one went or came between the two.
		return checkpoint.Server{}, fmt.Errorf("the dsn led to two servers, %s and %s: with several hosts it needs target_session_attrs=primary or standby", a, b)
	}
	server, err := postgres.Inspect(ctx, repl, s.sql, s.Slot)
	if err == nil && s.checkpoint.Started() && server.SystemID == s.checkpoint.SystemID && server.Timeline != s.checkpoint.Timeline {
		server.Switched, err = postgres.TimelineEnd(ctx, repl, server.Timeline, s.checkpoint.Timeline)
	}
	return server, err
}

// goOn takes over a slot in which there is no gap.
func (s *session) goOn(ctx context.Context, repl *pgconn.PgConn, server checkpoint.Server) error {
	// Whoever still reads our slot is fenced: it can produce nothing more.
	if err := postgres.ReleaseSlot(ctx, s.sql, s.Slot); err != nil {
		return err
	}
	if s.Failover {
		if err := postgres.KeepFailover(ctx, repl, s.sql, s.Slot); err != nil {
			return err
		}
		away, err := postgres.StandbysAway(ctx, s.sql)
		if err != nil {
			return err
		}
		if len(away) > 0 {
			s.Log.Warn("the server sends nothing new until every standby that synchronized_standby_slots names reads its slot", "away", away,
				"mend", "start these standbys, or take them out: ALTER SYSTEM SET synchronized_standby_slots = '…'; SELECT pg_reload_conf()")
		}
	}
	if server.Timeline == s.checkpoint.Timeline {
		return nil
	}
	s.Log.Warn("the server was promoted; it has all that was captured, and capture goes on", "timeline", server.Timeline, "since", server.Switched.String())
	s.checkpoint = s.checkpoint.Continued(server)
	return s.save(ctx)
}

// nudgeInterval is how often a primary is asked to write down which
// transactions run while a slot is made on its standby.
const nudgeInterval = time.Second

// making does something that makes a slot. On a standby that waits for a record
// of the primary, which an idle primary does not write by itself.
func (s *session) making(ctx context.Context, make func() error) error {
	standby, err := postgres.InRecovery(ctx, s.sql)
	if err != nil {
		return err
	}
	return s.makingOn(ctx, standby, make)
}

// makingOn is making on a server that is known to be a standby or not; it may
// run on another goroutine than the session's.
func (s *session) makingOn(ctx context.Context, standby bool, make func() error) error {
	telling, told := context.WithCancel(ctx)
	var tell sync.WaitGroup
	tell.Go(func() { s.tellOfWaiting(telling) })
	defer tell.Wait()
	defer told()
	if !standby {
		return make()
	}
	if s.PrimaryDSN == "" {
		s.Log.Info("making a slot on a standby, which waits until the primary writes down its running transactions; when it is idle: SELECT pg_log_standby_snapshot() there, or set primary_dsn")
		return make()
	}
	nudging, stop := context.WithCancel(ctx)
	var nudge sync.WaitGroup
	nudge.Go(func() { s.nudge(nudging) })
	err := make()
	stop()
	nudge.Wait()
	return err
}

// nudge asks the primary again and again until the context ends.
func (s *session) nudge(ctx context.Context) {
	primary, err := postgres.Connect(ctx, s.PrimaryDSN)
	if err == nil {
		defer closeSQL(primary)
	}
	for err == nil {
		if err = postgres.LogRunning(ctx, primary); err != nil {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(nudgeInterval):
		}
	}
	if ctx.Err() == nil {
		s.Log.Warn("the primary could not be asked to write down its running transactions; the slot waits until it does so by itself", "error", err)
	}
}

// promoted notices that the standby which is read became a primary. The stream
// goes on over it, and a checkpoint that speaks of an event of the new timeline
// must name that one: after a restart the event would be taken for one that the
// old timeline had beyond its end, and that never reached this server. So it is
// asked before each checkpoint: a commit of the new timeline is written, and
// comes to us, only after the server says that it is no standby any more.
func (s *session) promoted(ctx context.Context) error {
	timeline, primary, err := postgres.Timeline(ctx, s.sql)
	if err != nil || !primary {
		return err
	}
	s.standby = false // and never one again on this connection
	if timeline < s.checkpoint.Timeline {
		return fmt.Errorf("the server went from timeline %d back to %d", s.checkpoint.Timeline, timeline)
	}
	if timeline > s.checkpoint.Timeline {
		s.Log.Warn("the standby that is read was promoted; capture goes on", "timeline", timeline)
		s.checkpoint.Timeline = timeline
	}
	return nil
}
