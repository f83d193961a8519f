package reconcile

import (
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/stretchr/testify/require"
)

const visitsFile = `
system: 5
name: {vi: Lượt khám, en: Visits}
owner: {vi: Sở, en: Department}
tables:
  - name: visit
    meaning: {vi: Lượt khám, en: Visits}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Citizen id}, sensitivity: identifier, identifier: cccd}
`

const visits = 240_000

const visitsSQL = `
	CREATE TABLE visit (id bigint PRIMARY KEY, cccd text, ward text, note text, cost numeric(12,2), paid bool, admitted timestamptz, day date, tags text[], ref uuid);
	INSERT INTO visit SELECT n, '0790850' || lpad((n % 99999)::text, 5, '0'), 'w' || n % 300, md5(n::text), n * 1.25, n % 3 = 0, timestamptz '2024-01-01' + n * interval '1 minute', date '2020-01-01' + n % 2000,
		ARRAY['a', 'b' || n % 7], md5(n::text)::uuid FROM generate_series(1, 240000) n;`

// BenchmarkReconcile compares a source of one table of 240,000 rows and ten
// columns: rows/s of the comparison, catching up among it.
func BenchmarkReconcile(b *testing.B) {
	r := newRig(b, visitsFile, visitsSQL, 1)
	r.run()
	r.config.CatchUp *= 5
	r.agree()
	for b.Loop() {
		results, err := reconcile.Run(b.Context(), r.config, r.sources[0])
		require.NoError(b, err)
		require.True(b, results[0].OK)
		require.EqualValues(b, visits, results[0].SourceRows)
	}
	b.ReportMetric(visits/(b.Elapsed().Seconds()/float64(b.N)), "rows/s")
}
