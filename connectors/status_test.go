package connectors

import (
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func TestStatusOf(t *testing.T) {
	started := checkpoint.Checkpoint{SystemID: "7", Epoch: 2, Slot: "s", Confirmed: 0x10000, Tables: map[string]checkpoint.Table{
		"public.b": {Complete: true, Quarantined: "why"}, "public.a": {Complete: true, Quarantined: "why"}, "public.c": {Complete: true}}}
	reading := started
	reading.Tables = map[string]checkpoint.Table{"public.a": {Complete: true}, "public.b": {Blocks: 5}}
	ranges := started
	ranges.Tables = map[string]checkpoint.Table{"public.a": {Complete: true, Ranges: []event.Range{{Column: "id"}}}}
	aside := started
	aside.Tables = map[string]checkpoint.Table{"public.a": {Complete: true}, "public.b": {Quarantined: "why"}}
	slot := postgres.SlotStatus{Exists: true, Active: true, BehindBytes: 5, RetainedBytes: 7}
	for _, c := range []struct {
		state string
		check checkpoint.Checkpoint
		slot  postgres.SlotStatus
	}{
		{"never captured", checkpoint.Checkpoint{}, slot},
		{"slot missing", started, postgres.SlotStatus{}},
		{"slot lost", started, postgres.SlotStatus{Exists: true, Lost: true}},
		{"gap", started, postgres.SlotStatus{Exists: true, Confirmed: 0x10001}},
		{"stopped", started, postgres.SlotStatus{Exists: true, Confirmed: 0x10000}},
		{"stopped", started.Restarted(), postgres.SlotStatus{}},
		{"stopped", started.Restarted(), postgres.SlotStatus{Exists: true, Lost: true}},
		{"snapshot", reading, slot},
		{"snapshot", ranges, slot},
		{"streaming", started, slot},
		{"streaming", aside, slot},
	} {
		for _, system := range []string{"7", ""} { // a role may not be let ask
			require.Equal(t, c.state, StatusOf("health", c.check, Look{Slot: c.slot, SystemID: system}).State)
		}
	}
	require.Equal(t, "gap", StatusOf("health", started, Look{Slot: slot, SystemID: "8"}).State)
	require.Equal(t, "ranges of its key to read: 1", StatusOf("health", ranges, Look{Slot: slot}).Snapshots[0].String())
	s := StatusOf("health", started, Look{Slot: slot})
	require.Equal(t, Status{Source: "health", State: "streaming", Epoch: 2, Confirmed: "0/10000", BehindBytes: 5, RetainedBytes: 7,
		Budget: BudgetStatus{Level: "within"}, Tables: 3, TablesComplete: 3, Quarantined: []string{"public.a", "public.b"}, Snapshots: []TableProgress{}}, s)
	require.Equal(t, "no limit set", s.LeftText())
	require.Equal(t, "-", StatusOf("health", started, Look{}).LeftText(), "there is no slot to lose")
	require.Contains(t, StatusOf("health", started, Look{}).Gap, "replication slot s is gone: changes after 0/10000 are lost")
	require.Empty(t, StatusOf("health", started.Restarted(), Look{}).Gap, "it is marked to be read anew")
	require.Empty(t, StatusOf("health", checkpoint.Checkpoint{}, Look{}).Gap)
	atRest := slot
	atRest.BehindBytes = 0
	require.Zero(t, *StatusOf("health", started, Look{Slot: atRest}).LagSeconds, "nothing was ever changed since")
	require.Nil(t, StatusOf("health", reading, Look{Slot: atRest}).LagSeconds)
	left := int64(3 << 29)
	s.SafeBytes = &left
	require.Equal(t, "1.5 GiB", s.LeftText())
	require.Empty(t, StatusOf("health", checkpoint.Checkpoint{}, Look{Slot: slot}).Quarantined)
	require.NotNil(t, StatusOf("health", checkpoint.Checkpoint{}, Look{Slot: slot}).Quarantined, "an empty list in JSON, not null")
}

// Lag and the time that is left, from what was seen at one time.
func TestStatusInTime(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	safe := int64(7200 * 1000)
	look := Look{Slot: postgres.SlotStatus{Exists: true, Active: true, BehindBytes: 1, RetainedBytes: 15, SafeBytes: &safe}, At: at, Budget: walbudget.Budget{Warn: 10, Limit: 20, Policy: walbudget.Release}}
	c := checkpoint.Checkpoint{Epoch: 1, At: at.Add(-90 * time.Second).UnixMicro()}
	s := StatusOf("health", c, look)
	require.InDelta(t, 90, *s.LagSeconds, 1e-6)
	require.Nil(t, s.SecondsLeft, "the rate is not known")
	require.Equal(t, "6.9 MiB", s.LeftText())
	require.Equal(t, BudgetStatus{10, 20, "release", "warned"}, s.Budget)

	look.Rate.Add(0, at)
	look.Rate.Add(2000, at.Add(2*time.Second))
	look.Slot.BehindBytes = 0
	s = StatusOf("health", c, look)
	require.Zero(t, *s.LagSeconds)
	require.InDelta(t, 1000, *s.WALPerSecond, 1e-6)
	require.InDelta(t, 7200, *s.SecondsLeft, 1e-6)
	require.Equal(t, "6.9 MiB, 2 h", s.LeftText())
	require.Nil(t, StatusOf("health", checkpoint.Checkpoint{}, look).LagSeconds, "it was never captured")
	c.At = at.Add(time.Second).UnixMicro() // its clock is ahead of ours
	look.Slot.BehindBytes = 1
	require.Zero(t, *StatusOf("health", c, look).LagSeconds)
}

func TestSeconds(t *testing.T) {
	for n, want := range map[float64]string{0: "0.0 s", 4.25: "4.2 s", 119: "119.0 s", 120: "2 min", 7199: "120 min", 7200: "2 h", 200000: "2 d"} {
		require.Equal(t, want, Seconds(n))
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 5 << 50: "5.0 PiB", -1: "-1 B"} {
		require.Equal(t, want, Bytes(n))
	}
}
