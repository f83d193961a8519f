package capture

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// private is a sector whose owner keeps much back.
const private = `
sector: clinic
system: 5
name: {vi: Phòng khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: person
    meaning: {vi: Người, en: People}
    person: direct
    where: person_id < 1000
    columns:
      - {name: person_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Citizen id}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: phone, type: text, meaning: {vi: Điện thoại, en: Telephone}, sensitivity: identifier, identifier: phone, privacy: token}
      - {name: plate, type: text, meaning: {vi: Biển số, en: Plate}, sensitivity: personal, privacy: token, domain: plate}
      - {name: hiv, type: text, meaning: {vi: Xét nghiệm, en: Test}, sensitivity: sensitive, privacy: drop}
      - {name: born, type: date, meaning: {vi: Ngày sinh, en: Born}, sensitivity: personal, privacy: mask}
      - {name: seen, type: timestamptz, meaning: {vi: Gặp lúc, en: Seen}, sensitivity: personal, privacy: mask}
      - {name: salary, type: "numeric(12,2)", meaning: {vi: Lương, en: Salary}, sensitivity: personal, privacy: mask}
      - {name: notes, type: text, meaning: {vi: Ghi chú, en: Notes}, sensitivity: sensitive, privacy: mask}
      - {name: remark, type: text, meaning: {vi: Lưu ý, en: Remark}, sensitivity: internal}
  - name: card
    meaning: {vi: Thẻ, en: Cards}
    undescribed: drop
    columns:
      - {name: number, type: text, meaning: {vi: Số thẻ, en: Number}, sensitivity: identifier, identifier: insurance, privacy: token}
      - {name: level, type: integer, meaning: {vi: Mức, en: Level}, sensitivity: internal}
`

const privateSQL = `
CREATE TABLE public.person (person_id bigint PRIMARY KEY, cccd text, phone text, plate text, hiv text, born date, seen timestamptz, salary numeric(12,2), notes text, remark text);
ALTER TABLE public.person ALTER notes SET STORAGE EXTERNAL, ALTER remark SET STORAGE EXTERNAL;
CREATE TABLE public.card (number text PRIMARY KEY, level int, inner_note text);`

// plaintexts are what must be in no byte of any topic.
var plaintexts = []string{"0909123456", "51F-98765", "hiv-plain", "1984-05-06", "2025-07-08", "7777777", "notes-plain", "HS4010123456789", "inner-plain", "kept-home"}

// person is a row of the id; every other value of two such rows is the same.
func person(id int) string {
	return `INSERT INTO public.person VALUES (` + strconv.Itoa(id) + `, '079201001234', '0909123456', '51F-98765', 'hiv-plain', '1984-05-06', '2025-07-08 09:10:11.25+00', 7777777.77, repeat('notes-plain', 900), 'r');`
}

// nowhere searches every topic of the cluster, those of other tests too.
func (r *rig) nowhere(texts ...string) {
	r.t.Helper()
	counts, err := r.client.PartitionCounts(r.t.Context())
	require.NoError(r.t, err)
	searched := 0
	for name := range counts {
		if !strings.Contains(name, r.config.Source) && !strings.HasPrefix(name, "hopluu.state") && !strings.HasPrefix(name, "_schemas") {
			continue // __consumer_offsets, and sources that may hold such digits by right
		}
		require.NoError(r.t, r.client.ReadAll(r.t.Context(), name, func(m topic.Record) error {
			searched++
			for _, text := range texts {
				require.NotContains(r.t, string(m.Key), text, name)
				require.False(r.t, bytes.Contains(m.Value, []byte(text)), "%s in a value of %s", text, name)
				for _, h := range m.Headers {
					require.NotContains(r.t, string(h.Value), text, name)
				}
			}
			return nil
		}))
	}
	require.Greater(r.t, searched, 10)
}

// P11: what the owner keeps back is in no topic, whether a row was read or
// streamed, changed, deleted or could not be carried. P5: snapshot and stream
// keep to the same columns and rows.
func TestPrivacyAtTheSource(t *testing.T) {
	for name, byHand := range map[string]string{
		"as enable makes it":                    "",
		"by a publication that sends all of it": `ALTER PUBLICATION PUB SET TABLE public.person WHERE (person_id < 1000), public.card; GRANT SELECT ON public.person, public.card TO ROLE`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
			if byHand != "" {
				r.exec(strings.NewReplacer("PUB ", r.config.Publication+" ", "ROLE", r.setup.Role).Replace(byHand))
			}
			r.config.MaxRowBytes = 32 << 10
			r.exec(person(1) + `INSERT INTO public.card VALUES ('HS4010123456789', 1, 'inner-plain'); INSERT INTO public.person (person_id, remark) VALUES (5000, 'kept-home')`)
			c := r.start()
			r.ready(c)
			public := r.tail(r.public("person"))
			public.events(1)
			r.exec(person(2))
			all := events(public.events(2))
			read, streamed := all[0].Row, all[1].Row
			require.Equal(t, "r", all[0].Event.Op.String())
			require.Equal(t, "c", all[1].Event.Op.String())
			require.Equal(t, "2", streamed["person_id"])
			streamed["person_id"] = "1"
			require.Equal(t, read, streamed, "P5")
			require.NotContains(t, read, "hiv")
			require.Equal(t, []string{"***", "***"}, []string{read["salary"], read["notes"]})
			require.Contains(t, read["phone"], "t1_")
			require.Contains(t, read["plate"], "t1_")
			require.Contains(t, read["cccd"], "t1_")

			// Old images, unchanged TOAST, changes of key, rows that come and go
			// through the filter.
			r.exec(`UPDATE public.person SET remark = 'other' WHERE person_id = 1`)
			r.exec(`UPDATE public.person SET person_id = 6000 WHERE person_id = 2; UPDATE public.person SET person_id = 3 WHERE person_id = 6000`)
			r.exec(`UPDATE public.person SET remark = 'kept-home' WHERE person_id = 5000; UPDATE public.person SET person_id = 4 WHERE person_id = 3`)
			r.exec(`INSERT INTO public.card VALUES ('HS4010123456789-2', 2, 'inner-plain'); UPDATE public.card SET level = 3; DELETE FROM public.card WHERE level = 1`)
			public.shows(`SELECT person_id, remark FROM public.person WHERE person_id < 1000`)
			vault := r.tail(r.vault("person"))
			vault.shows(`SELECT person_id, cccd FROM public.person WHERE person_id < 1000`)

			// A row that cannot be carried.
			r.exec(`UPDATE public.person SET remark = repeat('x', 100000) WHERE person_id = 1`)
			r.quarantined("public.person")
			r.exec(`ALTER TABLE public.person REPLICA IDENTITY USING INDEX person_pkey; DELETE FROM public.person WHERE person_id = 4`)
			letters := r.tail(r.letters("person")).records(3)
			update := letterOf(t, letters[1]).(*pgoutput.Update)
			require.Len(t, update.New[len(update.New)-1].Text, 100000, "what may go is kept whole")
			require.Equal(t, "079201001234", string(update.New[1].Text), "the dead letters are the vault's")
			require.Contains(t, header(letters[1], "hopluu.redacted"), "phone,plate,")
			require.Contains(t, string(update.New[2].Text), "t1_")
			require.Equal(t, event.Present, update.New[3].State)
			require.NoError(t, c.stop())
			r.nowhere(plaintexts...)
		})
	}
}

// A renamed column, and a table under another name, do not become plain by
// that.
func TestPrivacyOverRenames(t *testing.T) {
	r := newRigOf(t, harness.Postgres(t), harness.Kafka(t), strings.ReplaceAll(strings.ReplaceAll(private, "privacy: drop", "privacy: mask"), "    where: person_id < 1000\n", ""), privateSQL)
	r.exec(person(1))
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("person"))
	public.events(1)
	r.exec(`ALTER TABLE public.person RENAME hiv TO test; ` + person(2))
	public.shows(`SELECT person_id, remark FROM public.person`)
	r.exec(`ALTER TABLE public.person RENAME TO people; ` + strings.ReplaceAll(person(3), "public.person", "public.people"))
	letters := r.tail(connectors.DeadLetters(r.config.Source, sectors.Table{Schema: "public", Name: "people"})).records(2)
	require.Contains(t, header(letters[1], "hopluu.redacted"), "cccd,")
	require.NoError(t, c.stop())
	r.nowhere(plaintexts...)
}

// A publication without the file's row filter is not read: rows would leave
// that the connector cannot keep back.
func TestPrivacyWithoutTheRowFilter(t *testing.T) {
	r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
	r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` SET TABLE public.person (person_id, cccd), public.card`)
	err := r.ends()
	var config *postgres.ConfigError
	require.ErrorAs(t, err, &config)
	require.ErrorContains(t, err, "table public.person is published without the row filter of its sector file")
	require.ErrorContains(t, err, "hopluu connector enable "+r.config.Source)
}

// P5: rows that row-level security hides from the snapshot would be in the
// stream: such a table is refused, not read in part.
func TestRowLevelSecurityIsNotReadInPart(t *testing.T) {
	r := newRig(t)
	r.exec(`ALTER TABLE public.visit ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON public.visit USING (patient_id < 5)`)
	err := r.ends()
	require.ErrorContains(t, err, "row-level security")
}

// ward is a partitioned table of which columns and rows stay.
const ward = `
sector: clinic
system: 5
name: {vi: Phòng khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: stay
    meaning: {vi: Lượt nằm viện, en: Stays}
    where: day >= '2026-01-01'
    columns:
      - {name: stay_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: day, type: date, meaning: {vi: Ngày, en: Day}, sensitivity: internal}
      - {name: beds, type: integer, meaning: {vi: Giường, en: Beds}, sensitivity: internal}
      - {name: reason, type: text, meaning: {vi: Lý do, en: Reason}, sensitivity: sensitive, privacy: drop}
`

const wardSQL = `
CREATE TABLE public.stay (stay_id bigint, day date, beds int, reason text, PRIMARY KEY (stay_id, day)) PARTITION BY RANGE (day);
CREATE TABLE public.stay_2025 PARTITION OF public.stay FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.stay_2026 PARTITION OF public.stay FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');`

// P5, P11: list and filter hold for partitions under their root too; and when
// another filter is asked for, the running connector reads the table anew, so
// that rows which must now stay go from the topic.
func TestPrivacyOfPartitionsAndAnotherFilter(t *testing.T) {
	r := newRigOf(t, source(t), harness.Kafka(t), ward, wardSQL)
	require.True(t, r.preflight().OK(), "%+v", r.preflight())
	r.exec(`INSERT INTO public.stay VALUES (1, '2025-06-01', 1, 'kept-home'), (2, '2026-06-01', 1, 'reason-plain'), (3, '2026-06-02', 1, 'reason-plain')`)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("stay"))
	const rows = `SELECT stay_id, day, beds FROM public.stay WHERE day >= '%s'`
	public.shows(fmt.Sprintf(rows, "2026-01-01"))
	r.exec(`INSERT INTO public.stay VALUES (4, '2025-06-01', 1, 'kept-home'), (5, '2026-06-01', 1, 'reason-plain'); UPDATE public.stay SET beds = 2; DELETE FROM public.stay WHERE stay_id = 3; UPDATE public.stay SET day = '2026-06-05' WHERE stay_id = 4`)
	public.shows(fmt.Sprintf(rows, "2026-01-01"))

	r.setup.Tables[0].Where = "day >= '2026-06-03'"
	require.NoError(t, r.enable())
	r.exec(`INSERT INTO public.stay VALUES (6, '2026-06-02', 1, 'reason-plain'), (7, '2026-06-04', 1, 'reason-plain')`)
	public.shows(fmt.Sprintf(rows, "2026-06-03"))
	require.NoError(t, c.stop())
	r.nowhere("reason-plain", "kept-home")
}
