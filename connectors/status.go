package connectors

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
)

// Status is what an operator wants to know of one source.
type Status struct {
	Source    string `json:"source"`
	State     string `json:"state"`
	Epoch     uint32 `json:"epoch"`
	Confirmed string `json:"confirmed_lsn"`
	// LagSeconds is the age of the oldest change that may not be in Kafka; nil
	// when it is not known, as before the first snapshot is complete.
	LagSeconds    *float64 `json:"lag_seconds"`
	BehindBytes   int64    `json:"behind_bytes"`
	RetainedBytes int64    `json:"retained_wal_bytes"`
	// WALPerSecond is how fast the server writes its log now; nil when it was
	// not measured.
	WALPerSecond *float64 `json:"wal_bytes_per_second"`
	// SafeBytes may be written before the server gives the slot up, which at
	// this rate takes SecondsLeft; nil when it sets no limit, or writes nothing.
	SafeBytes      *int64       `json:"bytes_until_slot_is_lost"`
	SecondsLeft    *float64     `json:"seconds_until_slot_is_lost"`
	Budget         BudgetStatus `json:"wal_budget"`
	Tables         int          `json:"tables"`
	TablesComplete int          `json:"tables_complete"`
	Quarantined    []string     `json:"quarantined"`
	// Erased is how many events of erased people were kept out.
	Erased int64 `json:"erased_events"`
	// Gap says which changes are lost, empty when none are: capture does not go
	// on before the source is read anew.
	Gap string `json:"gap,omitempty"`
	// Snapshots that are not complete.
	Snapshots []TableProgress `json:"snapshots"`
	// noSlot is true when nothing can be said of what a slot keeps.
	noSlot bool
}

// BudgetStatus is how a slot stands in its WAL budget (P7).
type BudgetStatus struct {
	WarnBytes  int64  `json:"warn_bytes"`  // 0 for none
	LimitBytes int64  `json:"limit_bytes"` // 0 for none
	Policy     string `json:"policy"`
	Level      string `json:"level"` // within, warned or over
}

// Look is what was seen of a source's database.
type Look struct {
	Slot postgres.SlotStatus
	// SystemID names the cluster, empty when it was not to be learned.
	SystemID string
	Rate     walbudget.Rate
	Budget   walbudget.Budget
	At       time.Time
}

// StatusOf joins the checkpoint with what the database says of the slot.
func StatusOf(source string, c checkpoint.Checkpoint, look Look) Status {
	slot := look.Slot
	s := Status{
		Source: source, Epoch: c.Epoch, Confirmed: c.Confirmed.String(), Tables: len(c.Tables),
		BehindBytes: slot.BehindBytes, RetainedBytes: slot.RetainedBytes, SafeBytes: slot.SafeBytes, Quarantined: []string{}, Erased: c.Erased,
		Budget:    BudgetStatus{look.Budget.Warn, look.Budget.Limit, string(look.Budget.Policy), look.Budget.Judge(slot.RetainedBytes).String()},
		Snapshots: progressOf(c.Tables), noSlot: !slot.Exists || slot.Lost,
	}
	if perSecond, ok := look.Rate.PerSecond(); ok {
		s.WALPerSecond = &perSecond
	}
	if slot.SafeBytes != nil {
		if left, ok := look.Rate.Left(*slot.SafeBytes); ok {
			seconds := left.Seconds()
			s.SecondsLeft = &seconds
		}
	}
	atRest := slot.Exists && slot.BehindBytes <= 0
	if c.At > 0 || c.Started() && atRest && len(s.Snapshots) == 0 {
		lag := max(0, look.At.Sub(time.UnixMicro(c.At)).Seconds())
		if atRest {
			lag = 0
		}
		s.LagSeconds = &lag
	}
	for name, t := range c.Tables {
		if t.Complete {
			s.TablesComplete++
		}
		if t.Quarantined != "" {
			s.Quarantined = append(s.Quarantined, name)
		}
	}
	slices.Sort(s.Quarantined)
	gap := gapOf(c, look)
	if gap != nil {
		s.Gap = gap.Reason
	}
	switch {
	case !c.Started():
		s.State = "never captured"
	case gap != nil && !slot.Exists:
		s.State = "slot missing"
	case gap != nil && slot.Lost:
		s.State = "slot lost"
	case gap != nil:
		s.State = "gap"
	case !slot.Active:
		s.State = "stopped"
	case len(s.Snapshots) > 0:
		s.State = "snapshot"
	default:
		s.State = "streaming"
	}
	return s
}

// gapOf finds what the connector would refuse to go on over; one that stands
// still cannot tell it. A source that is marked to be read anew has none.
func gapOf(c checkpoint.Checkpoint, look Look) *checkpoint.GapError {
	if !c.Started() || c.SystemID == "" {
		return nil
	}
	slot := look.Slot
	server := checkpoint.Server{SystemID: look.SystemID, Timeline: c.Timeline, SlotExists: slot.Exists, SlotConfirmed: slot.Confirmed, SlotLost: slot.Lost, LostReason: slot.LostReason}
	if look.SystemID == "" {
		server.SystemID = c.SystemID // the connector asks again, over another protocol
	}
	var gap *checkpoint.GapError
	errors.As(c.Check(server), &gap)
	return gap
}

// LeftText says how much WAL may still be written before the server gives the
// slot up, and for how long that lasts at the present rate.
func (s Status) LeftText() string {
	switch {
	case s.noSlot:
		return "-"
	case s.SafeBytes == nil:
		return "no limit set"
	case s.SecondsLeft == nil:
		return Bytes(*s.SafeBytes)
	}
	return Bytes(*s.SafeBytes) + ", " + Seconds(*s.SecondsLeft)
}

// Seconds writes a time for people, in its largest unit: "4.2 s", "3 h".
func Seconds(n float64) string {
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}} {
		if n >= 2*unit.seconds {
			return fmt.Sprintf("%.0f %s", n/unit.seconds, unit.name)
		}
	}
	return fmt.Sprintf("%.1f s", n)
}

// Bytes writes a number of bytes for people.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n), -1
	for value >= unit && suffix < 4 {
		value /= unit
		suffix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[suffix])
}
