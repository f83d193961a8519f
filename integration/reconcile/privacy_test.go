package reconcile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const privateFile = `
system: 5
name: {vi: Phòng khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: person
    meaning: {vi: Người, en: People}
    where: person_id < 1000
    columns:
      - {name: person_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: card, type: text, meaning: {vi: Thẻ, en: Card}, sensitivity: identifier, identifier: insurance, privacy: token}
      - {name: plate, type: text, meaning: {vi: Biển số, en: Plate}, sensitivity: personal, privacy: token, domain: plate}
      - {name: hiv, type: text, meaning: {vi: Xét nghiệm, en: Test}, sensitivity: sensitive, privacy: drop}
      - {name: born, type: date, meaning: {vi: Ngày sinh, en: Born}, sensitivity: personal, privacy: mask}
      - {name: salary, type: "numeric(12,2)", meaning: {vi: Lương, en: Salary}, sensitivity: personal, privacy: mask}
      - {name: remark, type: text, meaning: {vi: Lưu ý, en: Remark}, sensitivity: internal}
`

// P2, P11: what the owner keeps back is not in ClickHouse and no difference; what
// may go agrees, and a row that changed is still found.
func TestPrivateTablesAgree(t *testing.T) {
	r := newRig(t, privateFile, `CREATE TABLE public.person (person_id bigint PRIMARY KEY, card text, plate text, hiv text, born date, salary numeric(12,2), remark text);
		INSERT INTO public.person SELECT i, 'HS' || i, '51F-' || i, 'hiv', date '1984-05-06' + i::int, i, 'r' FROM generate_series(1, 1200) i`, 1)
	r.run()
	s := r.sources[0]
	r.exec(s, `UPDATE public.person SET salary = salary + 1, born = born + 400, card = 'HT' || person_id WHERE person_id % 3 = 0; UPDATE public.person SET person_id = 5007 WHERE person_id = 7; UPDATE public.person SET person_id = 7 WHERE person_id = 1100`)
	result := r.compare(s)["public.person"]
	require.True(t, result.OK, r.explain(s, result))
	require.EqualValues(t, 999, result.SourceRows)
	var years, cards, masked uint64
	require.NoError(t, r.config.ClickHouse.QueryRow(t.Context(), `SELECT countIf(toMonth(born) = 1 AND toDayOfMonth(born) = 1), countIf(startsWith(card, 't1_') AND startsWith(plate, 't1_')), countIf(salary = '***')
		FROM silver.`+r.sector.Sector+`_person FINAL`).Scan(&years, &cards, &masked))
	require.Equal(t, []uint64{999, 999, 999}, []uint64{years, cards, masked})
}
