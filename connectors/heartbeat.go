package connectors

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/jackc/pgx/v5"
)

// beat writes a heartbeat to the source at the configured interval, over a
// connection of its own, until the context ends. That it cannot is told, and
// stops nothing: capture does not need it.
func (s *session) beat(ctx context.Context) {
	if s.Heartbeat == 0 {
		return
	}
	tick := time.NewTicker(s.Heartbeat)
	defer tick.Stop()
	var conn *pgx.Conn
	hangUp := func() {
		if conn != nil {
			closeSQL(conn)
			conn = nil
		}
	}
	defer hangUp()
	failing := false
	for {
		err := func() (err error) {
			bound, cancel := context.WithTimeout(ctx, max(s.Heartbeat, heartbeatBound))
			defer cancel()
			if conn == nil {
				if conn, err = postgres.Connect(bound, cmp.Or(s.PrimaryDSN, s.DSN)); err != nil {
					return err
				}
			}
			return postgres.Heartbeat(bound, conn, heartbeat(s.Slot, time.Now()))
		}()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			hangUp()
			s.metrics.heartbeats.WithLabelValues("failed").Inc()
			if !failing {
				s.Log.Warn("no heartbeat could be written to the source; capture goes on", "error", err)
			}
		} else {
			s.metrics.heartbeats.WithLabelValues("sent").Inc()
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heartbeatBound is the least time that the server has to take a heartbeat.
const heartbeatBound = 10 * time.Second

// heartbeat is the content of one: whose it is, and when it was written.
func heartbeat(slot string, at time.Time) string {
	return fmt.Sprintf("%s %d", slot, at.UnixMicro())
}

// heardBeat takes in a message with our prefix. One of our own tells the time from
// the source to us; others are those of our commands and of connectors of the
// same database.
func (f *follower) heardBeat(content []byte) {
	slot, at, ok := strings.Cut(string(content), " ")
	if !ok || slot != f.Slot {
		return
	}
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return
	}
	f.metrics.heartbeats.WithLabelValues("received").Inc()
	f.metrics.heartbeatLag.Set(time.Since(time.UnixMicro(micros)).Seconds())
}
