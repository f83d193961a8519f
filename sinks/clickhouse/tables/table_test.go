package tables

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with testdata/<name>; a missing file is a failure.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func describe(t testing.TB, sector, table string) Description {
	t.Helper()
	set, err := sectors.Load()
	require.NoError(t, err)
	s, ok := set.Sector(sector)
	require.True(t, ok)
	tab, ok := s.Table(table)
	require.True(t, ok)
	return Description{Sector: sector, Name: table, Table: tab}
}

// Avro types as the connectors write them.
var (
	aBool    = avro.Type{Kind: avro.Boolean}
	aSmall   = avro.Type{Kind: avro.Int, Logical: "int16"}
	aInt     = avro.Type{Kind: avro.Int}
	aLong    = avro.Type{Kind: avro.Long}
	aDouble  = avro.Type{Kind: avro.Double}
	aString  = avro.Type{Kind: avro.String}
	aBytes   = avro.Type{Kind: avro.Bytes}
	aUUID    = avro.Type{Kind: avro.String, Logical: "io.debezium.data.Uuid"}
	aEnum    = avro.Type{Kind: avro.String, Logical: "io.debezium.data.Enum"}
	aDate    = avro.Type{Kind: avro.Int, Logical: "io.debezium.time.Date"}
	aMicro   = avro.Type{Kind: avro.Long, Logical: "io.debezium.time.MicroTimestamp"}
	aZoned   = avro.Type{Kind: avro.String, Logical: "io.debezium.time.ZonedTimestamp"}
	aStrings = avro.Type{Kind: avro.Array, Elem: &avro.Type{Kind: avro.String}}
)

func aDecimal(p, s int) avro.Type {
	return avro.Type{Kind: avro.Bytes, Logical: "decimal", Precision: p, Scale: s}
}

func key(name string, t avro.Type) avro.Column {
	return avro.Column{Name: name, Type: t, Key: true}
}

func col(name string, t avro.Type) avro.Column {
	return avro.Column{Name: name, Type: t, Nullable: true}
}

func encounterColumns() []avro.Column {
	return []avro.Column{
		key("encounter_id", aUUID), col("patient_id", aLong), col("facility_id", aInt), col("kind", aEnum),
		col("admitted_at", aZoned), col("discharged_at", aZoned), col("icd10", aString), col("secondary_icd10", aStrings),
		col("diagnosis", aString), col("cost", aDecimal(14, 2)), col("insured_paid", aDecimal(14, 2)), col("notes", aString),
	}
}

func patientColumns() []avro.Column {
	return []avro.Column{key("patient_id", aLong), col("cccd", aString), col("full_name", aString), col("birth_date", aDate)}
}

func paymentColumns() []avro.Column {
	return []avro.Column{key("beneficiary_id", aLong), key("period", aDate), col("amount", aDecimal(12, 0)), col("paid_at", aZoned), col("channel", aEnum)}
}

func inspectionColumns() []avro.Column {
	return []avro.Column{key("inspection_id", aLong), col("permit_id", aUUID), col("inspected_at", aMicro), col("result", aString), col("violation", aBool), col("fine", aDecimal(12, 0))}
}

func table(t testing.TB, sector, name string, cols []avro.Column) *Table {
	t.Helper()
	tab, err := New(describe(t, sector, name), cols)
	require.NoError(t, err)
	return tab
}

var truncation = Truncation{
	Op: event.Truncate, Source: "his", Topic: "his.public.t", Partition: 2, Offset: 9,
	Position: event.Position{Epoch: 1, LSN: 0x16_B374D848, Ordinal: 3}, CommitMicros: 1_700_000_000_000_001,
}

var marker = func() Truncation {
	m := truncation
	m.Op = event.Marker
	return m
}()

// ranged is a marker of the first column of the key, when that has an order.
func ranged(t *testing.T, tab *Table) string {
	m := marker
	for i := range tab.Columns {
		c := &tab.Columns[i]
		end := map[Kind]string{Int64: "-7", Date: "2026-01-31", String: `it's`}[c.Type.Kind]
		if !c.Key || end == "" {
			continue
		}
		var err error
		m.Within, err = tab.Within(event.Range{Column: c.Name, From: &end, To: &end})
		require.NoError(t, err)
	}
	return tab.Truncate(m)
}

// all is every statement that the sink runs for a table.
func all(t *testing.T, tab, to *Table) string {
	t.Helper()
	parts := tab.Create()
	if tab.Keyed() {
		v, err := tab.View(to)
		require.NoError(t, err)
		parts = append(parts, v, tab.HistoryView(), tab.Truncate(truncation), tab.Truncate(marker), ranged(t, tab), tab.Resume([]string{truncation.Topic}), tab.InsertSilver().SQL,
			tab.FromBronze(Qualified("replay", tab.Dataset()), "_offset >= 5", "_offset < 9"))
	}
	parts = append(parts, tab.InsertBronze().SQL)
	return strings.Join(parts, ";\n\n") + ";\n"
}

func TestStatementsOfATable(t *testing.T) {
	patient := table(t, "health", "patient", patientColumns())
	golden(t, "patient.sql", all(t, patient, nil))
	golden(t, "encounter.sql", all(t, table(t, "health", "encounter", encounterColumns()), patient))
	beneficiary := table(t, "welfare", "beneficiary", []avro.Column{key("beneficiary_id", aLong)})
	golden(t, "payment.sql", all(t, table(t, "welfare", "payment", paymentColumns()), beneficiary))
	permit := table(t, "construction", "permit", []avro.Column{key("permit_id", aUUID)})
	golden(t, "inspection.sql", all(t, table(t, "construction", "inspection", inspectionColumns()), permit))
	golden(t, "identity_link.sql", all(t, Identity(), nil))
	golden(t, "identity_review.sql", all(t, Reviews(), nil))
	logs := Identity().LinkAt()
	for _, log := range []*Table{Events(), Audits()} {
		v, ok := LogView(log.Dataset())
		require.True(t, ok)
		logs += "\n\n" + strings.Join(append(log.Create(), v.SQL), "\n\n")
	}
	golden(t, "identity_logs.sql", logs)
	keyless, err := New(Description{Sector: "tax", Name: "log"}, []avro.Column{col("line", aString), col("_version", aInt)})
	require.NoError(t, err)
	golden(t, "keyless.sql", all(t, keyless, nil))
	golden(t, "databases.sql", strings.Join(Databases(), ";\n")+";\n")
}

func existing(t *Table) (out []Existing) {
	for i := range t.Columns {
		out = append(out, Existing{Name: t.Columns[i].Name, Type: t.Columns[i].SQLType()})
	}
	return out
}

func TestNewColumnsAreAddedAndTypesWidened(t *testing.T) {
	d := describe(t, "health", "patient")
	cols := []avro.Column{key("patient_id", aLong), col("cccd", aString), col("visits", aSmall), col("debt", aDecimal(10, 2)), col("rank", aEnum)}
	before, err := New(d, cols)
	require.NoError(t, err)

	// cccd was dropped at the source, visits and debt widened, two came new.
	after, changes, err := before.Evolve(d, []avro.Column{
		key("patient_id", aLong), col("visits", aLong), col("debt", aDecimal(12, 3)), col("rank", aString), col("phone", aString), col("born", aDate),
	})
	require.NoError(t, err)
	golden(t, "evolve.sql", strings.Join(after.Alter(changes), ";\n")+";\n")
	// A table beside silver's follows it, and then has it all.
	golden(t, "follow.sql", strings.Join(after.Follow("`replay`.`health_patient`", existing(before)), ";\n")+";\n")
	require.Empty(t, after.Follow("`replay`.`health_patient`", existing(after)))
	require.Equal(t, "cccd", after.Columns[1].Name, "a dropped column stays readable")

	// The old schema's rows still fit, and nothing is to be altered for them.
	same, changes, err := after.Evolve(d, cols)
	require.NoError(t, err)
	require.Empty(t, changes)
	require.Equal(t, after.Columns, same.Columns)
}

func TestWhatCannotBeHeldIsRefused(t *testing.T) {
	d := describe(t, "health", "patient")
	tab, err := New(d, []avro.Column{key("patient_id", aInt), col("cccd", aString)})
	require.NoError(t, err)
	for name, cols := range map[string][]avro.Column{
		"a key of text":   {key("patient_id", aString), col("cccd", aString)},
		"a longer key":    {key("patient_id", aInt), key("branch", aInt)},
		"no key any more": {col("patient_id", aInt)},
		"a shorter key":   {col("other", aInt)},
		"another key":     {key("cccd", aString), col("patient_id", aInt)},
	} {
		_, _, err := tab.Evolve(d, cols)
		var incompatible *Incompatible
		require.ErrorAs(t, err, &incompatible, name)
		require.Equal(t, "health_patient", incompatible.Dataset)
	}
	_, err = New(d, []avro.Column{key("patient_id", aInt), col("x", aDecimal(80, 2))})
	require.Error(t, err)
}

// Case 22: a key that ran out of integers and was made a bigint needs nothing, as
// ClickHouse could not alter it; a table of before that was made narrow says so.
func TestCase22AKeyIsMadeABigint(t *testing.T) {
	d := describe(t, "health", "patient")
	for _, narrow := range []avro.Type{aSmall, aInt} {
		tab, err := New(d, []avro.Column{key("patient_id", narrow), col("visits", narrow)})
		require.NoError(t, err)
		require.Equal(t, Int64, tab.Columns[0].Type.Kind)
		require.NotEqual(t, Int64, tab.Columns[1].Type.Kind, "what is not of the key is altered when it must be")
		_, changes, err := tab.Evolve(d, []avro.Column{key("patient_id", aLong), col("visits", narrow)})
		require.NoError(t, err)
		require.Empty(t, changes)
	}
	tab, err := New(d, []avro.Column{key("patient_id", aInt)})
	require.NoError(t, err)
	tab.Columns[0].Type = Type{Kind: Int32}
	_, changes, err := tab.Evolve(d, []avro.Column{key("patient_id", aInt)})
	require.NoError(t, err)
	require.Empty(t, changes)
	_, _, err = tab.Evolve(d, []avro.Column{key("patient_id", aLong)})
	var incompatible *Incompatible
	require.ErrorAs(t, err, &incompatible)
}

// Case 22: a type that the column can neither hold nor be widened to goes on in a
// new version of it; the old schema's rows still go where they went.
func TestCase22AnotherTypeGoesOnInANewColumn(t *testing.T) {
	d := Description{Sector: "s", Name: "t"}
	first := []avro.Column{key("id", aLong), col("n", aInt), col("tags", aStrings)}
	tab, err := New(d, first)
	require.NoError(t, err)
	var statements []string
	for _, cols := range [][]avro.Column{
		{key("id", aLong), col("n", aDate), col("tags", aString)},
		{key("id", aLong), col("n", aString), col("n__v2", aBool), col("tags", avro.Type{Kind: avro.Array, Elem: &aLong})},
	} {
		next, changes, err := tab.Evolve(d, cols)
		require.NoError(t, err)
		require.NotEmpty(t, changes)
		statements = append(statements, next.Alter(changes)...)
		tab = next
	}
	view, err := tab.View(nil)
	require.NoError(t, err)
	golden(t, "versions.sql", strings.Join(append(statements, view, tab.HistoryView()), ";\n\n")+";\n")

	for _, c := range []struct {
		cols []avro.Column
		n    string
	}{{first, "n"}, {[]avro.Column{key("id", aLong), col("n", aDate)}, "n__v2"}, {[]avro.Column{key("id", aLong), col("n", aEnum)}, "n__v3"}} {
		same, changes, err := tab.Evolve(d, c.cols)
		require.NoError(t, err)
		require.Empty(t, changes)
		require.True(t, tab.SameColumns(same))
		m, err := tab.Map(c.cols)
		require.NoError(t, err)
		require.Equal(t, c.n, tab.Columns[m.to[1]].Name)
	}
	var existing []Existing
	for _, c := range tab.Columns {
		existing = append(existing, Existing{Name: c.Name, Type: c.SQLType(), Key: c.Key})
	}
	back, err := Restore(d, existing)
	require.NoError(t, err)
	require.Equal(t, tab.Columns, back.Columns)
}

func TestRestoreReadsWhatCreateMade(t *testing.T) {
	for _, tab := range []*Table{
		table(t, "health", "encounter", encounterColumns()),
		table(t, "welfare", "payment", paymentColumns()),
		table(t, "construction", "inspection", inspectionColumns()),
	} {
		var existing []Existing
		for _, c := range tab.Columns {
			existing = append(existing, Existing{Name: c.Name, Type: c.SQLType(), Comment: c.Comment, Key: c.Key})
		}
		for _, c := range ownColumns {
			existing = append(existing, Existing{Name: c.name, Type: c.sqlType, Comment: c.comment})
		}
		got, err := Restore(describe(t, tab.Sector, tab.Name), existing)
		require.NoError(t, err)
		require.Equal(t, tab, got)
		require.Empty(t, tab.Comments(existing))
		existing[1].Comment = "cũ — old"
		require.Len(t, tab.Comments(existing), 2)
	}
	_, err := Restore(Description{Sector: "a", Name: "b"}, []Existing{{Name: "x", Type: "Tuple(Int8)"}})
	require.ErrorContains(t, err, "Tuple(Int8)")
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		avro avro.Type
		want string
	}{
		{aBool, "Bool"},
		{aSmall, "Int16"},
		{aInt, "Int32"},
		{aLong, "Int64"},
		{avro.Type{Kind: avro.Float}, "Float32"},
		{aDouble, "Float64"},
		{aDecimal(14, 2), "Decimal(14, 2)"},
		{aDecimal(76, 0), "Decimal(76, 0)"},
		{aString, "String"},
		{aBytes, "String"},
		{avro.Type{Kind: avro.String, Logical: "hopluu.numeric"}, "String"},
		{avro.Type{Kind: avro.String, Logical: "hopluu.token"}, "String"},
		{avro.Type{Kind: avro.String, Logical: "io.debezium.data.Json"}, "String"},
		{avro.Type{Kind: avro.String, Logical: "io.debezium.time.Interval"}, "String"},
		{avro.Type{Kind: avro.Long, Logical: "io.debezium.time.MicroTime"}, "Int64"},
		{aUUID, "UUID"},
		{aEnum, "LowCardinality(String)"},
		{aDate, "Date32"},
		{aMicro, "DateTime64(6, 'UTC')"},
		{aZoned, "DateTime64(6, 'UTC')"},
		{aStrings, "Array(Nullable(String))"},
		{avro.Type{Kind: avro.Array, Elem: &aEnum}, "Array(Nullable(String))"},
		{avro.Type{Kind: avro.Array, Elem: &aZoned}, "Array(Nullable(DateTime64(6, 'UTC')))"},
	} {
		got, err := TypeOf(c.avro)
		require.NoError(t, err)
		require.Equal(t, c.want, got.String())
		for _, nullable := range []bool{false, true} {
			back, backNullable, ok := ParseType(got.column(nullable))
			require.True(t, ok, got.column(nullable))
			require.True(t, back.equal(got), got.column(nullable))
			require.Equal(t, nullable && got.Kind != Array, backNullable)
		}
	}
	for _, a := range []avro.Type{
		{Kind: avro.Long, Logical: "io.debezium.time.Date"},
		{Kind: avro.String, Logical: "decimal"},
		{Kind: avro.Array},
		{Kind: avro.Array, Elem: &aStrings},
		{Kind: 99},
	} {
		_, err := TypeOf(a)
		require.Error(t, err, a)
	}
}

// A source's own columns may have the names that views add: the views' columns
// give way, and the DDL names no column twice.
func TestViewColumnsGiveWayToTheSources(t *testing.T) {
	columns := []avro.Column{
		{Name: "id", Type: avro.Type{Kind: avro.Long}, Key: true},
		{Name: "valid_from", Type: avro.Type{Kind: avro.Int, Logical: "io.debezium.time.Date"}, Nullable: true},
		{Name: "person_id", Type: avro.Type{Kind: avro.Long}, Nullable: true},
		{Name: "deleted", Type: avro.Type{Kind: avro.Boolean}, Nullable: true},
		{Name: "op", Type: avro.Type{Kind: avro.String}, Nullable: true},
	}
	table, err := New(Description{Sector: "s", Name: "t", Table: &sectors.Table{Person: &sectors.Person{Direct: true}}}, columns)
	require.NoError(t, err)
	current, err := table.View(nil)
	require.NoError(t, err)
	for _, ddl := range []string{current, table.HistoryView()} {
		head, _, _ := strings.Cut(ddl, ")\nAS SELECT")
		seen := map[string]bool{}
		for _, line := range strings.Split(head, "\n") {
			name, _, ok := strings.Cut(strings.TrimSpace(line), " ")
			if !ok || !strings.HasPrefix(name, "`") {
				continue
			}
			require.False(t, seen[name], "%s is there twice in %s", name, head)
			seen[name] = true
		}
		require.Greater(t, len(seen), len(columns))
	}
}
