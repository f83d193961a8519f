package commandline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

type status struct {
	Source, State, Error string
	Confirmed            string `json:"confirmed_lsn"`
	Tables               int
	TablesComplete       int `json:"tables_complete"`
	Quarantined          []string
	Reasons              map[string]string
	Gap                  string
	Epoch                int
}

// status gives the one source's status, and the exit code.
func (w *world) status() (status, int) {
	w.t.Helper()
	d := w.run("connector", "status", "--json")
	require.Empty(w.t, d.stderr)
	all := parse[[]status](w.t, d.stdout)
	require.Len(w.t, all, 1)
	return all[0], d.code
}

// awaitStatus waits until the status is as wanted.
func (w *world) awaitStatus(wanted func(status) bool) (last status, code int) {
	w.t.Helper()
	harness.Eventually(w.t, within, func(context.Context) error {
		if last, code = w.status(); !wanted(last) {
			return fmt.Errorf("%+v", last)
		}
		return nil
	})
	return last, code
}

// A schema that the registry refuses sets its table aside: the others flow, the
// slot is not held, and status, metrics and dead letters tell. Once the table
// is mended and read anew, everything agrees (P3, P2).
func TestASchemaThatTheRegistryRefuses(t *testing.T) {
	w := shared(t)
	w.set("clickhouse.dsn", "http://default@"+harness.ClickHouse(t).Addr+"/default")
	w.registry()
	secret := filepath.Join(t.TempDir(), "vault.key")
	require.NoError(t, os.WriteFile(secret, []byte(strings.Repeat("5e", 32)), 0o600))
	w.set("vault", tree{"key_file": secret, "version": 1})
	s, code := w.status()
	require.Equal(t, 1, code)
	require.Equal(t, "unreachable", s.State)
	require.Contains(t, s.Error, "hopluu_"+w.source, "its role is not there yet")
	w.enable()
	s, code = w.status()
	require.Equal(t, "never captured", s.State)
	require.Zero(t, code)

	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 100) n; INSERT INTO patient VALUES (1, '079085012345', 'Nguyễn Văn An')")
	connector := w.start("connector", "run")
	w.start("sink", "run")
	connector.ready()
	_, code = w.awaitStatus(func(s status) bool { return s.State == "streaming" && s.TablesComplete == 2 })
	require.Zero(t, code)
	w.good("reconcile")

	// A number cannot become a text for those who read with the new schema.
	w.exec("ALTER TABLE room ALTER beds TYPE text USING beds::text; INSERT INTO room VALUES (101, 'many'); INSERT INTO patient VALUES (2, '079085012346', 'Lê Thị Mai')")
	s, code = w.awaitStatus(func(s status) bool { return len(s.Quarantined) > 0 })
	require.Equal(t, 1, code)
	require.Equal(t, []string{"public.room"}, s.Quarantined)
	require.Contains(t, s.Reasons["public.room"], topic.Public(w.source, "public", "room")+"-value is not compatible")
	text := w.run("connector", "status").stdout
	require.Contains(t, text, "hopluu connector resnapshot "+w.source+" public.room")
	require.Len(t, connector.metric(`hopluu_connector_quarantined{source="`+w.source+`",table="public.room"} 1`), 1)
	require.Contains(t, connector.log(), "table quarantined")

	// The other table flows, and so does the LSN.
	w.exec("INSERT INTO patient VALUES (3, '079085012347', 'Trần Thị Hòa'); UPDATE room SET beds = 'none' WHERE room_id = 1")
	kafka := w.kafka()
	harness.Eventually(t, within, func(ctx context.Context) error {
		return errors.Join(
			atLeast(ctx, kafka, topic.Public(w.source, "public", "patient"), 3),
			atLeast(ctx, kafka, topic.DeadLetter(topic.Vault(w.source, "public", "room")), 1),
		)
	})
	// What came meanwhile is sealed in Kafka, and shown to whoever has the key (P11).
	require.NoError(t, kafka.ReadAll(t.Context(), topic.DeadLetter(topic.Vault(w.source, "public", "room")), func(r topic.Record) error {
		require.NotContains(t, string(r.Value), "many")
		return nil
	}))
	letters := parse[[]struct {
		Reason, Format string
		Value          []byte
	}](t, w.good("connector", "letters", w.source, "public.room", "--json"))
	require.Equal(t, "pgoutput-relation", letters[0].Format)
	require.Contains(t, letters[1].Reason, "not compatible")
	require.Contains(t, string(letters[1].Value), "many")
	require.Contains(t, w.good("connector", "letters", w.source, "public.room", "--from", "1", "--limit", "1"), "1 dead letters of "+w.source+".public.room")
	w.set("vault", nil)
	w.refused([]string{"connector", "letters", w.source, "public.room"}, "set vault.key_file")
	w.set("vault", tree{"key_file": secret, "version": 1})
	behind := "pg_current_wal_insert_lsn() <= (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'hopluu_" + w.source + "')"
	harness.Eventually(t, within, func(context.Context) error {
		if w.value(behind) != "true" {
			return errors.New("the quarantined table holds the slot")
		}
		return nil
	})
	d := w.run("reconcile", "--json")
	require.Equal(t, 1, d.code, "a quarantined table differs:\n%s%s", d.stdout, d.stderr)
	w.refused([]string{"connector", "resnapshot", w.source, "room"}, "schema.table")
	w.refused([]string{"connector", "resnapshot", w.source, "public.room", "--from", "1"}, "quarantined", "hopluu connector resnapshot "+w.source+" public.room")

	w.exec("UPDATE room SET beds = '7' WHERE beds !~ '^[0-9]+$'; ALTER TABLE room ALTER beds TYPE integer USING beds::integer; DELETE FROM room WHERE room_id = 50")
	w.good("connector", "resnapshot", w.source, "public.room")
	_, code = w.awaitStatus(func(s status) bool { return len(s.Quarantined) == 0 && s.TablesComplete == 2 })
	require.Zero(t, code)
	require.Empty(t, connector.metric(`hopluu_connector_quarantined{source="`+w.source+`",table="public.room"} 1`))
	d = w.run("reconcile", "--json")
	require.Zero(t, d.code, "%s%s\n%s", d.stdout, d.stderr, connector.log())

	// What went behind the stream's back in a range of keys comes right by
	// reading that range (case 35).
	publication := "ALTER PUBLICATION hopluu_" + w.source + " SET (publish = "
	w.exec(publication + "'insert')")
	w.exec("DELETE FROM room WHERE room_id BETWEEN 10 AND 19; UPDATE room SET beds = 99 WHERE room_id = 20")
	w.exec(publication + "'insert, update, delete, truncate')")
	require.Equal(t, 1, w.run("reconcile").code)
	for _, c := range [][]string{
		{"public.room", "--from", "x"}, {"public.room", "--from", "9", "--to", "1"}, {"public.patient", "--from", "1", "--to", "2026-01-01"}, {"public.nobody", "--to", "1"},
	} {
		w.refused(append([]string{"connector", "resnapshot", w.source}, c...), "")
	}
	w.good("connector", "resnapshot", w.source, "public.room", "--from", "10", "--to", "20")
	harness.Eventually(t, within, func(context.Context) error {
		if d := w.run("reconcile"); d.code != 0 {
			return errors.New(d.stdout + d.stderr)
		}
		return nil
	})
}

// atLeast wants n records in a topic.
func atLeast(ctx context.Context, kafka *topic.Client, name string, n int) error {
	found := 0
	err := kafka.ReadAll(ctx, name, func(topic.Record) error { found++; return nil })
	if err == nil && found < n {
		err = fmt.Errorf("%s has %d records of %d", name, found, n)
	}
	return err
}
