package connectors

import (
	"context"
	"errors"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
	"github.com/jackc/pgx/v5"
)

// governInterval is how often the slot's WAL is looked at.
const governInterval = 5 * time.Second

// govern watches the WAL that the slot keeps on the source's disk, whether or
// not a session lives: it grows just when capture cannot go on (P7, case 09).
// Past the warning it tells; past the limit it does what the policy says.
func (c *Connector) govern(ctx context.Context) {
	g := governor{Connector: c}
	defer g.hangUp()
	tick := time.NewTicker(governInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := g.look(ctx); err != nil {
			// A database that is away is told by the session; here only that
			// nobody looks meanwhile.
			c.Log.Debug("the slot's WAL could not be looked at", "error", err)
			g.hangUp()
		}
	}
}

type governor struct {
	*Connector
	conn  *pgx.Conn
	rate  walbudget.Rate
	level walbudget.Level
	told  time.Time // when the level was logged last
}

// alertEvery is how often a slot beyond its budget is told of again: who reads
// the log tomorrow must find it there.
const alertEvery = time.Minute

// due tells whether the level is worth a line of the log.
func (g *governor) due(level walbudget.Level, now time.Time) bool {
	return level != g.level || level != walbudget.Within && now.Sub(g.told) >= alertEvery
}

func (g *governor) hangUp() {
	if g.conn != nil {
		closeSQL(g.conn)
		g.conn = nil
	}
}

func (g *governor) look(ctx context.Context) (err error) {
	if g.conn == nil {
		if g.conn, err = postgres.Connect(ctx, g.DSN); err != nil {
			return err
		}
	}
	slot, err := postgres.ReadSlotStatus(ctx, g.conn, g.Slot)
	if err != nil || !slot.Exists {
		return err
	}
	g.rate.Add(uint64(slot.WrittenTo), time.Now())
	left := g.left(slot)
	g.metrics.retained.Set(float64(slot.RetainedBytes))
	g.metrics.left.Set(left.Seconds())
	level := g.Budget.Judge(slot.RetainedBytes)
	g.metrics.budgetLevel.Set(float64(level))
	if now := time.Now(); g.due(level, now) {
		g.tell(level, slot, left)
		g.level, g.told = level, now
	}
	if level == walbudget.Over && g.Budget.Policy == walbudget.Release {
		return g.release(ctx)
	}
	return nil
}

// noEnd is a time left, as the metric gives it, that nothing bounds or that is
// not known yet.
const noEnd = -time.Second

// left is the time until the server gives the slot up or the budget's limit is
// reached, whichever comes first; noEnd when neither is in sight.
func (g *governor) left(slot postgres.SlotStatus) time.Duration {
	left := noEnd
	consider := func(bytes int64) {
		if d, ok := g.rate.Left(bytes); ok && (left < 0 || d < left) {
			left = d
		}
	}
	if slot.SafeBytes != nil {
		consider(*slot.SafeBytes)
	}
	if g.Budget.Limit > 0 {
		consider(g.Budget.Limit - slot.RetainedBytes)
	}
	return left
}

func (g *governor) tell(level walbudget.Level, slot postgres.SlotStatus, left time.Duration) {
	retained, until := Bytes(slot.RetainedBytes), "not in sight"
	if left != noEnd {
		until = left.Round(time.Second).String()
	}
	switch level {
	case walbudget.Within:
		g.Log.Info("the WAL that the slot keeps is within its budget again", "slot", g.Slot, "retained", retained)
	case walbudget.Warned:
		g.Log.Warn("the slot keeps much WAL on the source's disk: see why capture does not keep up", "slot", g.Slot, "retained", retained, "limit", Bytes(g.Budget.Limit), "left", until)
	case walbudget.Over:
		g.Log.Error("the slot keeps more WAL on the source's disk than its budget allows", "slot", g.Slot, "retained", retained, "limit", Bytes(g.Budget.Limit), "policy", string(g.Budget.Policy))
	}
}

// release lets the slot go. The session that read it finds it gone, and takes a
// new snapshot as soon as it can: rows that went meanwhile go then.
func (g *governor) release(ctx context.Context) error {
	if err := postgres.ReleaseSlot(ctx, g.conn, g.Slot); err != nil {
		return err
	}
	if err := postgres.DropSlot(ctx, g.conn, g.Slot); err != nil {
		return err
	}
	g.Log.Error("the slot was dropped so that the source's disk does not fill; all its tables will be read anew", "slot", g.Slot)
	g.rate, g.level = walbudget.Rate{}, walbudget.Within
	g.metrics.retained.Set(0)
	g.metrics.left.Set(noEnd.Seconds())
	g.metrics.budgetLevel.Set(float64(walbudget.Within))
	return nil
}

// beginsAnew tells whether a gap is one that the policy mends by itself: the
// slot is gone, and nothing else speaks against the database.
func (s *session) beginsAnew(err error) bool {
	var gap *checkpoint.GapError
	return errors.As(err, &gap) && gap.SlotGone && s.Budget.Policy == walbudget.Release
}
