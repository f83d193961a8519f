package connectors

import (
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/stretchr/testify/require"
)

func TestStatusOf(t *testing.T) {
	started := checkpoint.Checkpoint{Epoch: 2, Confirmed: 0x10000, Tables: map[string]checkpoint.Table{
		"public.b": {Complete: true, Quarantined: "why"}, "public.a": {Complete: true, Quarantined: "why"}, "public.c": {Complete: true}}}
	reading := started
	reading.Tables = map[string]checkpoint.Table{"public.a": {Complete: true}, "public.b": {NextBlock: 5}}
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
		{"stopped", started, postgres.SlotStatus{Exists: true}},
		{"snapshot", reading, slot},
		{"streaming", started, slot},
		{"streaming", aside, slot},
	} {
		require.Equal(t, c.state, StatusOf("health", c.check, c.slot).State)
	}
	s := StatusOf("health", started, slot)
	require.Equal(t, Status{Source: "health", State: "streaming", Epoch: 2, Confirmed: "0/10000", BehindBytes: 5, RetainedBytes: 7,
		Tables: 3, TablesComplete: 3, Quarantined: []string{"public.a", "public.b"}}, s)
	require.Equal(t, "no limit set", s.LeftText())
	left := int64(3 << 29)
	s.SafeBytes = &left
	require.Equal(t, "1.5 GiB", s.LeftText())
	require.Empty(t, StatusOf("health", checkpoint.Checkpoint{}, slot).Quarantined)
	require.NotNil(t, StatusOf("health", checkpoint.Checkpoint{}, slot).Quarantined, "an empty list in JSON, not null")
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 5 << 50: "5.0 PiB", -1: "-1 B"} {
		require.Equal(t, want, Bytes(n))
	}
}
