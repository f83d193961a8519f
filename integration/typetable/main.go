// Command typetable writes docs/types.md: what each PostgreSQL type becomes in
// Avro and in ClickHouse, with values, from the golden table that the tests of
// both halves hold to.
//
//go:generate go run . -out ../../docs/types.md
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// golden is a line of the table in connectors/postgres/pgvalue/testdata.
type golden struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	Column  pgvalue.Column  `json:"column"`
	Avro    json.RawMessage `json:"avro"`
	Value   json.RawMessage `json:"value"`
	Refused string          `json:"refused"`
}

// introduction is the page above its table.
//
//go:embed introduction.md
var introduction string

func main() {
	out := flag.String("out", "docs/types.md", "file to write")
	in := flag.String("in", "../../connectors/postgres/pgvalue/testdata/golden.jsonl", "the golden table")
	flag.Parse()
	data, err := os.ReadFile(*in)
	if err == nil {
		var page []byte
		if page, err = render(data); err == nil {
			err = os.WriteFile(*out, page, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "typetable:", err)
		os.Exit(1)
	}
}

// render makes the page of the golden table's lines.
func render(data []byte) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(introduction)
	for line := range bytes.Lines(data) {
		var g golden
		if err := json.Unmarshal(line, &g); err != nil {
			return nil, fmt.Errorf("golden table: %w", err)
		}
		house, held, err := clickHouse(g)
		if err != nil {
			return nil, fmt.Errorf("type %s, %q: %w", g.Type, g.Text, err)
		}
		value := code(string(g.Value))
		if g.Refused != "" {
			value = "*quarantine: " + cell(g.Refused) + "*"
		}
		if held != nil {
			house += " *dead letter: " + held.Error() + "*"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(g.Type), code(g.Text), code(avroName(g.Avro)), value, cell(house))
	}
	return b.Bytes(), nil
}

// clickHouse is what the sink makes of a column of the Avro type, and why it
// cannot hold the value, nil when it can.
func clickHouse(g golden) (typ string, held, err error) {
	schema := fmt.Sprintf(`{"type":"record","name":"R","fields":[{"name":"c","type":%s}]}`, g.Avro)
	record, err := avro.ParseRecord(schema)
	if err != nil {
		return "", nil, err
	}
	columns := record.Columns()
	table, err := tables.New(tables.Description{Sector: "s", Name: "t"}, columns)
	if err != nil {
		return "", nil, err
	}
	typ = table.Columns[0].Type.String()
	if g.Refused != "" {
		return typ, nil, nil
	}
	codec, err := pgvalue.Lookup(g.Column)
	if err != nil {
		return "", nil, err
	}
	payload, err := codec.Append(nil, []byte(g.Text))
	if err != nil {
		return "", nil, err
	}
	cells, err := record.Decode(payload, nil)
	if err != nil {
		return "", nil, err
	}
	mapping, err := table.Map(columns)
	if err != nil {
		return "", nil, err
	}
	var row *tables.RowError
	err = table.NewBuffer("s", "s.public.t", 0).Append(mapping, cells, &tables.Meta{Op: event.Create})
	if errors.As(err, &row) {
		return typ, row.Err, nil
	}
	return typ, nil, err
}

// avroName says an Avro type in a few words.
func avroName(typ json.RawMessage) string {
	var name string
	if json.Unmarshal(typ, &name) == nil {
		return name
	}
	var m struct {
		Type      json.RawMessage `json:"type"`
		Connect   string          `json:"connect.name"`
		Logical   string          `json:"logicalType"`
		Precision int             `json:"precision"`
		Scale     int             `json:"scale"`
		Items     json.RawMessage `json:"items"`
	}
	if json.Unmarshal(typ, &m) != nil {
		return string(typ)
	}
	switch {
	case m.Items != nil:
		var union []json.RawMessage
		if json.Unmarshal(m.Items, &union) == nil && len(union) == 2 {
			return "array of " + avroName(union[1])
		}
		return "array of " + avroName(m.Items)
	case m.Logical == "decimal":
		return fmt.Sprintf("bytes decimal(%d,%d)", m.Precision, m.Scale)
	case m.Connect != "":
		return avroName(m.Type) + " " + m.Connect
	}
	return avroName(m.Type)
}

// shown is how much of a long value the page shows.
const shown = 60

func code(s string) string {
	if s == "" {
		return ""
	}
	if r := []rune(s); len(r) > shown {
		s = string(r[:shown]) + "…"
	}
	return "`" + cell(strings.ReplaceAll(s, "`", "'")) + "`"
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", "⏎", "\t", "⇥").Replace(s)
}
