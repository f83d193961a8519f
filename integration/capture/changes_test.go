package capture

import (
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

// started is a clinic whose connector streams.
func started(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.ready(r.start())
	return r
}

// Case 3: what was rolled back to a savepoint is gone, the rest of its
// transaction is not.
func TestCase03SavepointRollback(t *testing.T) {
	r := started(t)
	r.exec(`BEGIN;
		INSERT INTO public.visit VALUES (1, '2026-01-01', 1);
		SAVEPOINT a; INSERT INTO public.visit VALUES (2, '2026-01-01', 2);
		SAVEPOINT b; UPDATE public.visit SET cost = 9 WHERE patient_id = 1;
		ROLLBACK TO a; INSERT INTO public.visit VALUES (3, '2026-01-01', 3);
		RELEASE a; COMMIT`)
	r.exec(`BEGIN; INSERT INTO public.visit VALUES (4, '2026-01-01', 4); TRUNCATE public.visit; ROLLBACK`)
	r.exec(`INSERT INTO public.visit VALUES (5, '2026-01-01', 5)`)
	all := r.tail(r.public("visit")).shows(visits)
	r.caughtUp()
	require.Equal(t, 3, len(all), "a rolled-back transaction leaves nothing")
	require.Equal(t, "c", ops(of(all, "1")))
	once(t, all)
}

// Case 15: a delete and an insert of one key in one transaction share their
// commit; their places in it order them.
func TestCase15DeleteThenInsert(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	r.exec(`BEGIN; DELETE FROM public.visit; INSERT INTO public.visit VALUES (1, '2026-01-01', 2); COMMIT`)
	r.exec(`BEGIN; DELETE FROM public.visit; INSERT INTO public.visit VALUES (1, '2026-01-01', 3); DELETE FROM public.visit; COMMIT`)
	r.exec(`BEGIN; INSERT INTO public.visit VALUES (1, '2026-01-01', 4); UPDATE public.visit SET cost = 5; COMMIT`)
	public := r.tail(r.public("visit"))
	public.events(8)
	all := public.shows(visits)
	require.Equal(t, "cd-cd-cd-cu", ops(all))
	once(t, all)
	second, third := events(all)[1].Event, events(all)[2].Event
	require.Equal(t, second.Position.LSN, third.Position.LSN)
	require.Equal(t, []uint32{1, 2}, []uint32{second.Position.Ordinal, third.Position.Ordinal})
	require.Equal(t, second.TxID, third.TxID)
}

// Case 16: a change of the key is a delete with its tombstone and a create.
func TestCase16KeyChange(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 5) n`)
	r.exec(`UPDATE public.visit SET patient_id = patient_id + 100, cost = cost + 1`)
	public := r.tail(r.public("visit"))
	public.events(15)
	all := public.shows(visits)
	for n := 1; n <= 5; n++ {
		require.Equal(t, "cd-", ops(of(all, fmt.Sprint(n))))
		made := of(all, fmt.Sprint(n+100))
		require.Equal(t, "c", ops(made))
		require.False(t, made[0].Event.HasBefore)
	}
	once(t, all)
}

// Case 16: a TRUNCATE stands between what came before and after it, in every
// partition of both topics.
func TestCase16Truncate(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, NULL, n FROM generate_series(1, 50) n`)
	r.exec(`BEGIN; INSERT INTO public.patient VALUES (51); TRUNCATE public.patient, public.visit; INSERT INTO public.patient VALUES (1, NULL, 'An', NULL, 1); COMMIT`)
	r.exec(`INSERT INTO public.patient VALUES (2, NULL, 'Bé', NULL, 2)`)
	for _, name := range []string{r.public("patient"), r.vault("patient")} {
		topic := r.tail(name)
		topic.events(50 + 1 + 2 + 2)
		for id := range int32(2) {
			var part []message
			before, after := 0, 0
			for _, m := range topic.all {
				if m.Partition.ID != id {
					continue
				}
				part = append(part, m)
				switch n := len(part) - 1; {
				case m.Event.Op == event.Truncate:
					before = n
				case before > 0:
					after++
				}
			}
			require.Equal(t, 1, len(part)-before-after, "one truncate in partition %d of %s", id, name)
			require.Positive(t, before)
			for _, m := range part[before+1:] {
				require.Positive(t, m.Event.Position.Compare(part[before].Event.Position))
			}
		}
		once(t, topic.all)
		topic.shows(`SELECT patient_id, full_name FROM public.patient`)
	}
	r.tail(r.public("visit")).events(2)
}

// Case 16: changes of key and truncates of one transaction keep their order:
// keys that change places, come back after a truncate, and go under another
// name before one.
func TestCase16KeyChangesAroundATruncate(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 6) n`)
	r.exec(`BEGIN;
		UPDATE public.visit SET patient_id = 0 WHERE patient_id = 1;
		UPDATE public.visit SET patient_id = 1 WHERE patient_id = 2;
		UPDATE public.visit SET patient_id = 2 WHERE patient_id = 0; COMMIT`) // 1 and 2 change places
	public := r.tail(r.public("visit"))
	once(t, public.shows(visits))
	require.Equal(t, "1.00", last(public.all, "2").Row["cost"])
	r.exec(`BEGIN;
		UPDATE public.visit SET patient_id = patient_id + 100;
		TRUNCATE public.visit;
		INSERT INTO public.visit VALUES (1, '2026-01-01', 10), (101, '2026-01-01', 11);
		UPDATE public.visit SET patient_id = 102 WHERE patient_id = 101; COMMIT`)
	r.exec(`UPDATE public.visit SET patient_id = 101 WHERE patient_id = 1`)
	r.exec(`BEGIN; INSERT INTO public.visit VALUES (7, '2026-01-01', 7); UPDATE public.visit SET patient_id = 8 WHERE patient_id = 7; TRUNCATE public.visit; COMMIT`)
	once(t, public.shows(visits))
	require.Empty(t, fold(public.all, nil))
	r.exec(`INSERT INTO public.visit VALUES (8, '2026-01-01', 9)`)
	once(t, public.shows(visits))
}

// last is the last event of a patient that left a row.
func last(all []message, id string) (found message) {
	for _, m := range events(all) {
		if m.Row["patient_id"] == id && m.Event.HasAfter && (found.Event == nil || found.Event.Position.Compare(m.Event.Position) < 0) {
			found = m
		}
	}
	return found
}

// Case 17: rows of a compound key go and change by both of its columns.
func TestCase17CompoundKey(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.visit SELECT n % 10, date '2026-01-01' + n / 10, n FROM generate_series(0, 99) n`)
	r.exec(`UPDATE public.visit SET cost = cost * 2 WHERE patient_id IN (3, 4)`)
	r.exec(`DELETE FROM public.visit WHERE patient_id = 5 OR day = '2026-01-04'`)
	public := r.tail(r.public("visit"))
	public.events(100 + 20 + 19)
	all := public.shows(visits)
	once(t, all)
	require.Equal(t, 19, len(all)-len(events(all)), "a tombstone for each delete")
	for _, m := range all {
		if m.Event == nil {
			require.Nil(t, m.Value)
		}
	}
}

// A table partitioned in the source is one table here, under its root's name.
func TestPartitionedUnderItsRoot(t *testing.T) {
	r := newRigOf(t, source(t), harness.Kafka(t), clinic, `
		CREATE TABLE public.patient (patient_id bigint PRIMARY KEY, cccd text, full_name text, notes text, paid numeric(12,2));
		CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day)) PARTITION BY RANGE (day);
		CREATE TABLE public.visit_25 PARTITION OF public.visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
		CREATE TABLE public.visit_26 PARTITION OF public.visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
		INSERT INTO public.visit SELECT n, date '2025-12-01' + n, n FROM generate_series(1, 60) n`)
	r.ready(r.start())
	r.exec(`UPDATE public.visit SET cost = 0 WHERE patient_id < 5`)
	r.exec(`UPDATE public.visit SET day = day + 100 WHERE patient_id = 10`) // from one partition to the other
	r.exec(`DELETE FROM public.visit WHERE patient_id = 60`)
	public := r.tail(r.public("visit"))
	public.events(60 + 4 + 2 + 1)
	once(t, public.shows(visits))
}

// Rows of two tables in one transaction keep their order and their transaction.
func TestOneTransactionOfTwoTables(t *testing.T) {
	r := started(t)
	r.exec(`BEGIN; INSERT INTO public.patient VALUES (1); INSERT INTO public.visit VALUES (1, '2026-01-01', 1); UPDATE public.patient SET paid = 1; COMMIT`)
	patient, visit := r.tail(r.public("patient")).events(2), r.tail(r.public("visit")).events(1)
	require.Equal(t, patient[0].Event.TxID, visit[0].Event.TxID)
	require.Equal(t, []uint32{1, 2, 3}, []uint32{patient[0].Event.Position.Ordinal, visit[0].Event.Position.Ordinal, patient[1].Event.Position.Ordinal})
}
