package connectors

import (
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
)

// Status is what an operator wants to know of one source.
type Status struct {
	Source         string   `json:"source"`
	State          string   `json:"state"`
	Epoch          uint32   `json:"epoch"`
	Confirmed      string   `json:"confirmed_lsn"`
	BehindBytes    int64    `json:"behind_bytes"`
	RetainedBytes  int64    `json:"retained_wal_bytes"`
	SafeBytes      *int64   `json:"bytes_until_slot_is_lost"`
	Tables         int      `json:"tables"`
	TablesComplete int      `json:"tables_complete"`
	Quarantined    []string `json:"quarantined"`
}

// StatusOf joins the checkpoint with what the database says of the slot.
func StatusOf(source string, c checkpoint.Checkpoint, slot postgres.SlotStatus) Status {
	s := Status{
		Source: source, Epoch: c.Epoch, Confirmed: c.Confirmed.String(), Tables: len(c.Tables),
		BehindBytes: slot.BehindBytes, RetainedBytes: slot.RetainedBytes, SafeBytes: slot.SafeBytes, Quarantined: []string{},
	}
	reading := false
	for name, t := range c.Tables {
		if t.Complete {
			s.TablesComplete++
		}
		if t.Quarantined != "" {
			s.Quarantined = append(s.Quarantined, name)
		}
		// A table that was set aside waits for a person, not for its snapshot.
		reading = reading || !t.Complete && t.Quarantined == ""
	}
	slices.Sort(s.Quarantined)
	switch {
	case !c.Started():
		s.State = "never captured"
	case !slot.Exists:
		s.State = "slot missing"
	case slot.Lost:
		s.State = "slot lost"
	case !slot.Active:
		s.State = "stopped"
	case reading:
		s.State = "snapshot"
	default:
		s.State = "streaming"
	}
	return s
}

// LeftText says how much WAL may still be written before the server gives the
// slot up.
func (s Status) LeftText() string {
	if s.SafeBytes == nil {
		return "no limit set"
	}
	return Bytes(*s.SafeBytes)
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
