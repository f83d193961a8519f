package capture

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

// keys makes the range of a table as the command does.
func (r *rig) keys(table string, from, to string) event.Range {
	r.t.Helper()
	end := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	conn := r.connect()
	of, err := connectors.KeyRange(r.t.Context(), conn, r.config.Sector, table, end(from), end(to))
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close(r.t.Context()))
	return of
}

// reread asks for a range of a table to be read anew.
func (r *rig) reread(table string, of event.Range) {
	r.t.Helper()
	require.NoError(r.t, connectors.ResnapshotRange(r.t.Context(), r.client, r.config.Source, table, of))
}

// reread reads until the marker of a range is in both partitions.
func (t *tail) reread(of event.Range) []message {
	t.r.t.Helper()
	return t.until("the marker of "+of.String()+" was awaited", func() bool {
		n := 0
		for _, m := range events(t.all) {
			if m.Event.Op == event.Marker && m.Event.Range != nil && m.Event.Range.String() == of.String() {
				n++
			}
		}
		return n == 2
	})
}

// unseen runs a statement whose updates and deletes leave no event.
func (r *rig) unseen(sql string) {
	r.t.Helper()
	r.exec("ALTER PUBLICATION " + r.config.Publication + " SET (publish = 'insert')")
	r.exec(sql)
	r.exec("ALTER PUBLICATION " + r.config.Publication + " SET (publish = 'insert, update, delete, truncate')")
}

// Case 35 for a range of keys: it is read beside the stream, goes on after a
// SIGKILL in its middle, and ends so that readers let go what went without an
// event; rows outside of it are neither read nor let go (P2, P5).
func TestCase35RangeBesideTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const rows, from, to = 14_000, 2001, 12_000
	r.exec(wide(rows))
	c := r.start()
	r.complete("public.patient")
	require.NoError(t, c.stop())
	first := r.checkpoint().Tables["public.patient"]
	r.exec(`CREATE TABLE public.was AS SELECT * FROM public.patient`)
	r.unseen(`DELETE FROM public.patient WHERE patient_id % 10 = 0; UPDATE public.patient SET paid = 7 WHERE patient_id % 10 = 1`)
	r.config.Snapshot = connectors.Load{Connections: 2, RowsPerSecond: 300} // it takes half a minute
	of := r.keys("public.patient", strconv.Itoa(from), strconv.Itoa(to))
	process := r.startProcess()
	stop := r.disturb(
		func(i int) string {
			return fmt.Sprintf(`UPDATE public.patient SET paid = %d WHERE patient_id %% 500 = %d AND patient_id BETWEEN %d AND %d`, i, i*50%500, from, to)
		},
		func(i int) string {
			return fmt.Sprintf(`DELETE FROM public.patient WHERE patient_id = %[1]d; INSERT INTO public.patient VALUES (%[1]d, NULL, 'again', NULL, 1); DELETE FROM public.patient WHERE patient_id = %[2]d`,
				from+i*7%9000, from+1+i*41%9000)
		})
	r.reread("public.patient", of)
	public := r.tail(r.public("patient"))
	read := func(all []message) (n int) {
		for _, m := range events(all) {
			if m.Event.Op == event.Read && m.Event.Position.LSN > first.To {
				n++
			}
		}
		return n
	}
	public.until("a part of the range was awaited", func() bool { return read(public.all) > 0 })
	require.NoError(t, process.Kill())
	require.Equal(t, []event.Range{of}, r.checkpoint().Tables["public.patient"].Ranges, "the kill came too late for the test")
	r.config.Snapshot.RowsPerSecond = 2000
	process = r.startProcess()
	public.reread(of)
	for n, ran := range stop() {
		require.Positive(t, ran, "statement %d", n)
	}
	all := public.shows(fmt.Sprintf(`SELECT patient_id, full_name, notes, paid FROM public.patient WHERE patient_id BETWEEN %[1]d AND %[2]d
		UNION ALL SELECT patient_id, full_name, notes, paid FROM public.was WHERE patient_id NOT BETWEEN %[1]d AND %[2]d`, from, to))
	inOrder(t, all)
	for _, m := range events(all) {
		if m.Event.Op == event.Read && m.Event.Position.LSN > first.To {
			require.True(t, inRange(m.Row, &of), m.Row["patient_id"])
		}
	}
	require.Empty(t, r.checkpoint().Tables["public.patient"].Ranges)
	require.True(t, r.checkpoint().Tables["public.patient"].Complete)

	// The rest, with open ends and both at a time.
	low, high := r.keys("public.patient", "", strconv.Itoa(from-1)), r.keys("public.patient", strconv.Itoa(to+1), "")
	r.reread("public.patient", low)
	r.reread("public.patient", high)
	public.reread(low)
	public.reread(high)
	all = public.shows(patients)
	inOrder(t, all)
	once(t, all)
	vault := r.tail(r.vault("patient"))
	inOrder(t, vault.events(len(events(all))))
	keys := map[string]bool{}
	for _, m := range events(vault.all) {
		if m.Event.Op == event.Marker {
			require.NotEmpty(t, m.Key, "a compacted topic takes no record without a key")
			keys[string(m.Key)] = true
		}
	}
	require.Len(t, keys, 3, "no range's marker takes the place of another's in a compacted topic")
	require.NoError(t, process.Kill())
}

// register is a sector of tables whose keys are a text and a date.
const register = `
sector: clinic
system: 5
name: {vi: Danh mục, en: Register}
owner: {vi: Sở, en: Department}
tables:
  - name: ward
    meaning: {vi: Phường, en: Wards}
    columns:
      - {name: people, type: integer, meaning: {vi: Số dân, en: People}, sensitivity: public}
  - name: holiday
    meaning: {vi: Ngày lễ, en: Holidays}
    columns:
      - {name: day, type: date, meaning: {vi: Ngày, en: Day}, sensitivity: public}
      - {name: name, type: text, meaning: {vi: Tên, en: Name}, sensitivity: public}
  - name: secret
    meaning: {vi: Mật, en: Secrets}
    columns:
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Citizen id}, sensitivity: identifier, identifier: cccd}
  - name: thing
    meaning: {vi: Vật, en: Things}
    columns:
      - {name: id, type: uuid, meaning: {vi: Mã, en: Id}, sensitivity: public}
`

const registerSQL = `
CREATE TABLE public.ward ("ward code" varchar(20) PRIMARY KEY, people integer);
INSERT INTO public.ward SELECT code, 1 FROM unnest(ARRAY['', 'A', 'B', 'Z', 'a', 'a|\', 'b', 'it''s', 'z', 'đ', 'Đ']) code;
CREATE TABLE public.holiday (day date PRIMARY KEY, name text);
INSERT INTO public.holiday SELECT '2026-01-01'::date + n, 'n' FROM generate_series(-40000, 40000, 500) n;
CREATE TABLE public.secret (cccd text PRIMARY KEY);
CREATE TABLE public.thing (id uuid PRIMARY KEY);`

// Ranges of texts are byte by byte, whatever the collation, and of dates by day;
// what has no order that all readers share is refused with a reason.
func TestCase35RangesOfTextsAndDates(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, source(t), harness.Kafka(t), register, registerSQL)
	c := r.start()
	r.complete("public.ward")
	r.complete("public.holiday")
	r.exec(`CREATE TABLE public.was AS SELECT * FROM public.ward; CREATE TABLE public.days AS SELECT * FROM public.holiday`)
	r.unseen(`DELETE FROM public.ward; DELETE FROM public.holiday`)
	r.exec(`INSERT INTO public.ward VALUES ('it''', 2); INSERT INTO public.holiday VALUES ('2026-05-01', 'm')`)

	wards, holidays := r.tail(r.public("ward")), r.tail(r.public("holiday"))
	of := r.keys("public.ward", "B", `it's`)
	r.reread("public.ward", of)
	safe := of
	safe.Column = "ward_code"
	wards.reread(safe)
	wards.shows(`SELECT "ward code" AS ward_code, people FROM public.ward WHERE "ward code" COLLATE "C" BETWEEN 'B' AND 'it''s'
		UNION ALL SELECT "ward code", people FROM public.was WHERE NOT "ward code" COLLATE "C" BETWEEN 'B' AND 'it''s'`)

	of = r.keys("public.holiday", "1999-12-31", "2026-05-01")
	r.reread("public.holiday", of)
	holidays.reread(of)
	holidays.shows(`SELECT day, name FROM public.holiday WHERE day BETWEEN '1999-12-31' AND '2026-05-01'
		UNION ALL SELECT day, name FROM public.days WHERE NOT day BETWEEN '1999-12-31' AND '2026-05-01'`)

	conn := r.connect()
	for reason, table := range map[string]string{"tokens have no order": "secret", "of type uuid": "thing", "write it as schema.table": "nobody"} {
		_, err := connectors.KeyRange(t.Context(), conn, r.config.Sector, "public."+table, &[]string{"1"}[0], nil)
		require.ErrorContains(t, err, reason)
	}
	require.ErrorContains(t, connectors.ResnapshotRange(t.Context(), r.client, r.config.Source, "public.nobody", of), "no table public.nobody")
	require.NoError(t, c.stop())
}

// A range whose column is no longer the first of the key when it is to be read
// is a part of a table that is read whole; a quarantined table is refused.
func TestARangeThatCannotBeReadAnyMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 100) n`)
	c := r.start()
	r.complete("public.visit")
	require.NoError(t, c.stop())
	r.unseen(`DELETE FROM public.visit WHERE patient_id > 90`)
	of := r.keys("public.visit", "10", "")
	of.Column = "day"
	r.reread("public.visit", of)
	r.eventually(func() error { // what is committed shows a moment later
		if len(r.checkpoint().Tables["public.visit"].Ranges) == 0 {
			return errors.New("not marked")
		}
		return nil
	})
	c = r.start()
	visit := r.tail(r.public("visit"))
	visit.shows(visits)
	r.complete("public.visit")
	require.Empty(t, r.checkpoint().Tables["public.visit"].Ranges)
	require.NoError(t, c.stop())
}
