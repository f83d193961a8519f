package connectors

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/event"
)

// TableProgress is how far the snapshot of one table is.
type TableProgress struct {
	Table string `json:"table"`
	// Blocks of 8 kB: those read, and those that the table has.
	BlocksRead uint32 `json:"blocks_read"`
	Blocks     uint32 `json:"blocks"`
	// Rows that were read so far.
	Rows int64 `json:"rows"`
	// Part is from 0 to 1.
	Part float64 `json:"part"`
	// Ranges are those that are read of a table that is complete but for them;
	// nothing else is known of it then.
	Ranges []event.Range `json:"ranges,omitempty"`
	// Keys is how many rows of such a table are to be read by their keys.
	Keys int `json:"keys,omitempty"`
	// Again is true for a table that was captured before.
	Again bool `json:"again"`
	// Since is when the snapshot began by the source's clock; zero before that.
	Since time.Time `json:"since,omitzero"`
}

// Left estimates the time until the table is read, at the rate so far; ok is
// false while nothing is known of it.
func (p TableProgress) Left(now time.Time) (left time.Duration, ok bool) {
	if p.Part <= 0 || p.Part >= 1 || p.Since.IsZero() {
		return 0, false
	}
	return time.Duration(float64(now.Sub(p.Since)) * (1 - p.Part) / p.Part).Round(time.Second), true
}

// Rate is how many rows a second were read so far.
func (p TableProgress) Rate(now time.Time) float64 {
	if p.Since.IsZero() || !now.After(p.Since) {
		return 0
	}
	return float64(p.Rows) / now.Sub(p.Since).Seconds()
}

// String is for people: "42% of 1.2 GiB, 123456 rows".
func (p TableProgress) String() string {
	if p.Keys > 0 {
		return fmt.Sprintf("rows to read by their keys: %d, ranges: %d", p.Keys, len(p.Ranges))
	}
	if len(p.Ranges) > 0 {
		return fmt.Sprintf("ranges of its key to read: %d", len(p.Ranges))
	}
	return fmt.Sprintf("%.0f%% of %s, %d rows", 100*p.Part, Bytes(int64(p.Blocks)*8192), p.Rows)
}

// progressOf lists the tables whose snapshot is not complete, or of which ranges
// are to be read, by name.
func progressOf(tables map[string]checkpoint.Table) []TableProgress {
	all := []TableProgress{}
	for name, t := range tables {
		if t.Complete && len(t.Ranges) == 0 && len(t.Keys) == 0 || t.Quarantined != "" {
			continue // one that was set aside waits for a person, not for its snapshot
		}
		if t.Complete {
			all = append(all, TableProgress{Table: name, Again: true, Ranges: t.Ranges, Keys: len(t.Keys)})
			continue
		}
		p := TableProgress{Table: name, Blocks: t.Blocks, Rows: t.Rows, Part: t.Part(), Again: t.Restart}
		p.BlocksRead = uint32(p.Part * float64(t.Blocks))
		if t.Micros > 0 {
			p.Since = time.UnixMicro(t.Micros).UTC()
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b TableProgress) int { return cmp.Compare(a.Table, b.Table) })
	return all
}

// progress is what a session shows of its snapshots, to whoever asks.
type progress struct {
	mu     sync.Mutex
	tables []TableProgress
	told   time.Time
}

// Progress gives the snapshots that are taken now.
func (c *Connector) Progress() []TableProgress {
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	return slices.Clone(c.progress.tables)
}

// tellInterval is how often the log says how far snapshots are.
const tellInterval = 10 * time.Second

// showReading brings metrics, progress and log up to date.
func (s *session) showReading() {
	p := &s.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	was := len(p.tables)
	p.tables = progressOf(s.checkpoint.Tables)
	if was == 0 && len(p.tables) == 0 {
		return
	}
	s.metrics.snapshotRead.Reset()
	s.metrics.snapshotLeft.Reset()
	now := time.Now()
	tell := !s.QuietProgress && now.Sub(p.told) >= tellInterval
	for i := range p.tables {
		t := &p.tables[i]
		s.metrics.snapshotRead.WithLabelValues(t.Table).Set(t.Part)
		left, known := t.Left(now)
		if known {
			s.metrics.snapshotLeft.WithLabelValues(t.Table).Set(left.Seconds())
		}
		if tell && t.Blocks > 0 {
			p.told = now
			args := []any{"table", t.Table, "read", t.String()}
			if known {
				args = append(args, "rows_per_second", int(t.Rate(now)), "left", left.String())
			}
			s.Log.Info("snapshot of a table goes on", args...)
		}
	}
}
