package commandline

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// Case 08: what the server no longer has is said by status, check and run, each
// with the command that mends it; and that command mends it, although the lost
// slot is still there when the connector starts.
func TestCase08ALostSlotIsSaidAndMended(t *testing.T) {
	w := newWorld(t, harness.Postgres(t, harness.Own(), harness.WithSetting("max_slot_wal_keep_size", "1MB"), harness.WithSetting("max_wal_size", "64MB")), harness.Kafka(t))
	w.registry()
	w.enable()
	connector := w.start("connector", "run")
	w.exec("INSERT INTO room VALUES (1, 1)")
	connector.ready()
	w.awaitStatus(func(s status) bool { return s.State == "streaming" && s.TablesComplete == 2 })
	connector.stop(syscall.SIGTERM)

	mends := "hopluu connector resnapshot " + w.source
	w.loseSlot()
	s, code := w.status()
	require.Equal(t, 1, code)
	require.Equal(t, "slot lost", s.State)
	require.Contains(t, s.Gap, "its WAL went beyond max_slot_wal_keep_size")
	require.Contains(t, w.run("connector", "status").stdout, mends)
	d := w.run("connector", "check")
	require.Equal(t, 1, d.code)
	require.Contains(t, d.stdout, mends)
	w.refused([]string{"connector", "run"}, "was invalidated by the server", mends)

	w.exec("DELETE FROM room; INSERT INTO room VALUES (2, 2)")
	w.good("connector", "resnapshot", w.source)
	s, code = w.status()
	require.Zero(t, code, "what was to be done is done: %+v", s)
	require.Equal(t, "stopped", s.State)
	connector = w.start("connector", "run")
	connector.ready()
	w.awaitStatus(func(s status) bool { return s.State == "streaming" && s.TablesComplete == 2 && s.Epoch == 2 })
	connector.stop(syscall.SIGTERM)

	// One that somebody made anew looks well, but is not.
	w.dropSlot()
	s, _ = w.status()
	require.Equal(t, "slot missing", s.State)
	w.exec("INSERT INTO room VALUES (3, 3)")
	w.exec("SELECT pg_create_logical_replication_slot('hopluu_" + w.source + "', 'pgoutput')")
	s, code = w.status()
	require.Equal(t, 1, code)
	require.Equal(t, "gap", s.State)
	require.Contains(t, s.Gap, "made anew or moved by someone else")
	require.Contains(t, w.run("connector", "status").stdout, mends)
	w.refused([]string{"connector", "run"}, "made anew or moved by someone else", mends)

	// With the policy release nobody needs to do anything.
	w.good("connector", "resnapshot", w.source)
	connector = w.start("connector", "run")
	connector.ready()
	connector.stop(syscall.SIGTERM)
	w.loseSlot()
	w.set("wal", tree{"warn_bytes": 1 << 30, "limit_bytes": 2 << 30, "policy": "release"})
	require.Contains(t, w.run("connector", "status").stdout, "as wal.policy is release")
	connector = w.start("connector", "run")
	connector.ready()
	w.awaitStatus(func(s status) bool { return s.State == "streaming" && s.TablesComplete == 2 && s.Epoch == 4 })
	connector.stop(syscall.SIGTERM)
}

// dropSlot waits until the server has noticed that the connector went.
func (w *world) dropSlot() {
	w.t.Helper()
	harness.Eventually(w.t, within, func(context.Context) error {
		if w.value("SELECT count(*) FROM pg_replication_slots WHERE active") != "0" {
			return errors.New("the slot is still read")
		}
		return nil
	})
	w.exec("SELECT pg_drop_replication_slot('hopluu_" + w.source + "')")
}

// loseSlot writes WAL until the server gives the slot up.
func (w *world) loseSlot() {
	w.t.Helper()
	harness.Eventually(w.t, within, func(ctx context.Context) error {
		w.exec("SELECT pg_logical_emit_message(false, 'load', repeat('x', 9000000)); SELECT pg_switch_wal()")
		w.exec("CHECKPOINT")
		if state := w.value("SELECT coalesce(wal_status, '') FROM pg_replication_slots WHERE slot_name = 'hopluu_" + w.source + "'"); state != "lost" {
			return errors.New("the slot is " + state)
		}
		return nil
	})
}
