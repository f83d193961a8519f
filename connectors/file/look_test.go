package file

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// looker is a session that only looks.
func looker(t *testing.T, tables ...Table) (*session, *strings.Builder) {
	t.Helper()
	logged := &strings.Builder{}
	sector := sectors.Sector{Sector: "s"}
	for _, table := range tables {
		sector.Tables = append(sector.Tables, sectors.Table{Name: table.Name, Schema: "public", Key: []string{"id"}, Columns: []sectors.Column{{Name: "id", Type: "bigint"}}})
	}
	c := New(Config{Source: "s", Sector: sector, Tables: tables, Log: slog.New(slog.NewTextHandler(logged, nil)), Metrics: prometheus.NewRegistry()})
	declared, err := c.declared()
	require.NoError(t, err)
	place, err := drop.Open(t.TempDir(), drop.Credentials{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, place.Close()) })
	return &session{Connector: c, place: place, tables: declared, names: map[string]known{}, told: map[string]bool{}}, logged
}

var noon = time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC)

func at(name string, size int64, minutes int) drop.Entry {
	return drop.Entry{Name: name, Size: size, Modified: noon.Add(time.Duration(minutes) * time.Minute)}
}

func namesOf(files []found) []string {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

// A file is taken in when two looks see the same, and what is newer waits for
// it: a later file must not be superseded by an earlier one.
func TestFilesThatAreStillWritten(t *testing.T) {
	s, _ := looker(t, Table{Name: "a", Pattern: "a_*"}, Table{Name: "b", Pattern: "b_*"})
	require.Empty(t, namesOf(s.ready([]drop.Entry{at("a_1.csv", 10, 1), at("b_1.csv", 10, 2)})), "first look")
	require.Equal(t, []string{"b_1.csv"}, namesOf(s.ready([]drop.Entry{at("a_1.csv", 20, 1), at("b_1.csv", 10, 2), at("a_2.csv", 5, 3)})), "a_1 grows")
	s.names["b_1.csv"] = known{Size: 10, ModifiedMicros: at("", 0, 2).Modified.UnixMicro()}
	require.Equal(t, []string{"a_1.csv", "a_2.csv"}, namesOf(s.ready([]drop.Entry{at("b_1.csv", 10, 2), at("a_2.csv", 5, 3), at("a_1.csv", 20, 1)})), "by time")
	// Replaced in place: another time, another file.
	require.Equal(t, []string{"a_1.csv", "a_2.csv"}, namesOf(s.ready([]drop.Entry{at("b_1.csv", 10, 7), at("a_2.csv", 5, 3), at("a_1.csv", 20, 1)})))
	require.Equal(t, []string{"a_1.csv", "a_2.csv", "b_1.csv"}, namesOf(s.ready([]drop.Entry{at("b_1.csv", 10, 7), at("a_2.csv", 5, 3), at("a_1.csv", 20, 1)})))
	// A file that was away has to be seen twice again.
	s.ready([]drop.Entry{at("a_2.csv", 5, 3)})
	require.Empty(t, namesOf(s.ready([]drop.Entry{at("a_2.csv", 5, 3), at("a_1.csv", 20, 1)})))
}

func TestFilesThatAreNobodys(t *testing.T) {
	s, logged := looker(t, Table{Name: "a", Pattern: "a_*"}, Table{Name: "b", Pattern: "*_b.csv"})
	entries := func() []drop.Entry {
		return []drop.Entry{at("A_1.CSV", 1, 1), at(".a_1.csv", 1, 1), at("~$a_1.xlsx", 1, 1), at("a_1.csv.tmp", 1, 1), at("a_1.csv.PART", 1, 1),
			at("a_1.csv.refused.csv", 1, 1), at("readme.txt", 1, 1), at("a_b.csv", 1, 1)}
	}
	for range 3 {
		s.ready(entries())
	}
	require.Equal(t, []string{"A_1.CSV"}, namesOf(s.ready(entries())), "letters in either case")
	require.Equal(t, 1, strings.Count(logged.String(), "readme.txt"), "said once")
	require.Contains(t, logged.String(), "its name matches the patterns of tables public.a and public.b")
	require.Equal(t, 2, strings.Count(logged.String(), "\n"))

	s.tables[0].stopped = errStarting
	require.Empty(t, s.ready(entries()), "the files of a table that is set aside wait")
}

// A row that is gone has the key that it had, and nothing else; an identifier
// in it is a token that is not hashed again (P11).
func TestGoneRow(t *testing.T) {
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(t, err)
	described := sectors.Table{Name: "t", Schema: "public", Key: []string{"cccd", "year"}, Columns: []sectors.Column{
		{Name: "note", Type: "text"}, {Name: "year", Type: "smallint"}, {Name: "cccd", Type: "text", Identifier: sectors.CCCD, Match: sectors.CCCD},
	}}
	columns, err := column.New(described, nil)
	require.NoError(t, err)
	tab := &table{sector: described, columns: columns}
	records, err := token.NewRecord(token.Key{Version: 1, Secret: []byte(strings.Repeat("r", 32))})
	require.NoError(t, err)
	public, vault, err := fields(columns, &described, tokens, records)
	require.NoError(t, err)
	for _, i := range columns.Key {
		tab.keyFields = append(tab.keyFields, public[i])
	}
	row := event.Row{{State: event.Present, Text: []byte("x")}, {State: event.Present, Text: []byte("2025")}, {State: event.Present, Text: []byte("079201001234")}}
	key, err := tab.appendKey(nil, row)
	require.NoError(t, err)
	require.NotContains(t, string(key), "0792010")
	require.Contains(t, string(key), "k1_")
	gone, err := tab.goneRow(key)
	require.NoError(t, err)

	compile := func(fields []avro.Field) *avro.Encoder {
		compiled := avro.Table{Source: "s", Schema: "public", Name: "t", Fields: fields}
		for _, i := range columns.Key {
			for n, f := range fields {
				if f.Column == i && !f.Nullable {
					compiled.Key = append(compiled.Key, n)
				}
			}
		}
		e, err := avro.Compile(compiled)
		require.NoError(t, err)
		return e
	}
	for _, lane := range [][]avro.Field{public, vault} {
		plain, passed := compile(lane), compile(goneFields(lane, len(columns.Columns)))
		require.Equal(t, plain.ValueSchema(), passed.ValueSchema())
		want, err := plain.AppendKey(nil, 1, row)
		require.NoError(t, err)
		got, err := passed.AppendKey(nil, 1, gone)
		require.NoError(t, err)
		require.Equal(t, want, got)
		value, err := passed.AppendValue(nil, 1, &event.Event{Op: event.Delete, Before: gone, BeforeKeyOnly: true})
		require.NoError(t, err)
		envelope, err := avro.ParseEnvelope(plain.ValueSchema())
		require.NoError(t, err)
		_, payload, err := avro.SplitWire(value)
		require.NoError(t, err)
		var decoded avro.Decoded
		require.NoError(t, envelope.Decode(payload, &decoded))
		for i, c := range envelope.Columns() {
			require.Equal(t, !c.Key, decoded.Before[i].Null, c.Name)
		}
	}
	_, err = tab.goneRow(key[:len(key)-1])
	require.ErrorContains(t, err, "was the table's key changed?")
}
