package capture

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// message is a decoded event, or a tombstone (Event nil).
type message struct {
	topic.Record
	Event *avro.Decoded
	// Row is After (or Before of a delete) by column, as text; a NULL is
	// absent.
	Row map[string]string
	// Unchanged are the names of the columns that were not sent.
	Unchanged []string
}

// tail reads a topic from its beginning, on and on.
type tail struct {
	r         *rig
	reader    *topic.Reader
	envelopes map[uint32]*avro.Envelope
	raw       bool // dead letters are not decoded
	all       []message
}

func (r *rig) tail(name string) *tail {
	r.t.Helper()
	counts, err := r.client.PartitionCounts(r.t.Context(), name)
	require.NoError(r.t, err)
	r.eventually(func() error { // its connector may be about to make it
		if counts, err = r.client.PartitionCounts(r.t.Context(), name); err == nil && counts[name] == 0 {
			err = errors.New("the topic is not there")
		}
		return err
	})
	from := map[topic.Partition]int64{}
	for id := range counts[name] {
		from[topic.Partition{Topic: name, ID: id}] = 0
	}
	t := &tail{r: r, reader: r.client.NewReader(from), envelopes: map[uint32]*avro.Envelope{}, raw: strings.HasSuffix(name, ".dlq")}
	r.t.Cleanup(func() { require.NoError(r.t, t.reader.Close()) })
	return t
}

// poll reads what is there, waiting a moment for more.
func (t *tail) poll() {
	t.r.t.Helper()
	batches, err := t.reader.Poll(t.r.t.Context())
	require.NoError(t.r.t, err)
	for _, b := range batches {
		for _, record := range b.Records {
			m := message{Record: record}
			if record.Value != nil && !t.raw {
				t.decode(&m)
			}
			t.all = append(t.all, m)
		}
	}
}

func (t *tail) decode(m *message) {
	t.r.t.Helper()
	id, payload, err := avro.SplitWire(m.Value)
	require.NoError(t.r.t, err)
	envelope := t.envelopes[id]
	if envelope == nil {
		schema, err := t.r.registry.Schema(t.r.t.Context(), id)
		require.NoError(t.r.t, err)
		envelope, err = avro.ParseEnvelope(schema)
		require.NoError(t.r.t, err)
		t.envelopes[id] = envelope
	}
	m.Event = &avro.Decoded{}
	require.NoError(t.r.t, envelope.Decode(payload, m.Event))
	cells := m.Event.After
	if !m.Event.HasAfter {
		cells = m.Event.Before
	}
	columns := envelope.Columns()
	m.Row = map[string]string{}
	for i, c := range columns {
		if i < len(cells) && !cells[i].Null {
			m.Row[c.Name] = text(c.Type, cells[i])
		}
	}
	for _, i := range m.Event.Unchanged {
		m.Unchanged = append(m.Unchanged, columns[i].Name)
	}
}

// text writes a cell as PostgreSQL does, for the types of these tests.
func text(t avro.Type, cell avro.Cell) string {
	switch {
	case t.Logical == "decimal":
		return decimal(cell.B, t.Scale)
	case t.Logical == "io.debezium.time.Date":
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(cell.N)).Format(time.DateOnly)
	case t.Kind == avro.String, t.Kind == avro.Bytes:
		return string(cell.B)
	}
	return strconv.FormatInt(cell.N, 10)
}

// decimal reads a big-endian two's complement number.
func decimal(b []byte, scale int) string {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	sign := ""
	if n.Sign() < 0 {
		sign, n = "-", n.Neg(n)
	}
	digits := fmt.Sprintf("%0*s", scale+1, n.String())
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// until reads until the condition holds for what was read.
func (t *tail) until(what string, holds func() bool) []message {
	t.r.t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		require.True(t.r.t, time.Now().Before(deadline), "in time: %s; there are %d messages: %s", what, len(t.all), ops(t.all[max(0, len(t.all)-40):]))
		t.poll()
	}
	return t.all
}

// markers reads until there are n markers, of all partitions together.
func (t *tail) markers(n int) []message {
	t.r.t.Helper()
	return t.ofOp(event.Marker, n)
}

// ofOp reads until there are n events of an operation.
func (t *tail) ofOp(op event.Op, n int) []message {
	t.r.t.Helper()
	return t.until(fmt.Sprintf("%d events %s were awaited", n, op), func() bool { return countOps(t.all, op) >= n })
}

// events reads until there are n events, not counting tombstones.
func (t *tail) events(n int) []message {
	t.r.t.Helper()
	return t.until(fmt.Sprintf("%d events were awaited", n), func() bool { return len(events(t.all)) >= n })
}

// records reads until there are n messages.
func (t *tail) records(n int) []message {
	t.r.t.Helper()
	return t.until(fmt.Sprintf("%d messages were awaited", n), func() bool { return len(t.all) >= n })
}

// shows reads until the events, taken in the order of their versions, give
// exactly the rows of the query, which names its columns as the topic does.
// This is what the sink does with them (P2).
func (t *tail) shows(sql string) []message {
	t.r.t.Helper()
	deadline := time.Now().Add(within)
	for {
		for n := -1; n < len(t.all); { // all that is there, before it is compared
			n = len(t.all)
			t.poll()
		}
		want := t.r.rows(sql)
		got := fold(t.all, want)
		if len(got) == len(want) && slices.EqualFunc(got, want, func(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			return t.all
		}
		if time.Now().After(deadline) {
			require.Equal(t.r.t, want, got, "in time")
			require.FailNow(t.r.t, "not equal")
		}
	}
}

// rows gives the rows of a query as text by column, without NULLs, in the order
// of their text.
func (r *rig) rows(sql string) []map[string]string {
	r.t.Helper()
	conn := r.connect()
	result := conn.PgConn().Exec(r.t.Context(), sql)
	all, err := result.ReadAll()
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close(r.t.Context()))
	rows := []map[string]string{}
	for _, cells := range all[0].Rows {
		row := map[string]string{}
		for i, f := range all[0].FieldDescriptions {
			if cells[i] != nil {
				row[f.Name] = string(cells[i])
			}
		}
		rows = append(rows, row)
	}
	sortRows(rows)
	return rows
}

func sortRows(rows []map[string]string) {
	slices.SortFunc(rows, func(a, b map[string]string) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// fold gives the rows that the events leave, with the columns that the wanted
// rows have.
func fold(all []message, want []map[string]string) []map[string]string {
	sorted := slices.Clone(events(all))
	slices.SortStableFunc(sorted, func(a, b message) int { return a.Event.Position.Compare(b.Event.Position) })
	rows := map[string]map[string]string{}
	for _, m := range sorted {
		key := string(m.Key)
		switch m.Event.Op {
		case event.Truncate, event.Marker: // a marker stands where its snapshot began
			maps.DeleteFunc(rows, func(_ string, row map[string]string) bool { return inRange(row, m.Event.Range) })
		case event.Delete:
			delete(rows, key)
		default:
			row := maps.Clone(m.Row)
			for _, c := range m.Unchanged {
				delete(row, c)
				if was, ok := rows[key][c]; ok {
					row[c] = was
				}
			}
			rows[key] = row
		}
	}
	columns := map[string]bool{}
	for _, row := range want {
		for c := range row {
			columns[c] = true
		}
	}
	out := []map[string]string{}
	for _, row := range rows {
		maps.DeleteFunc(row, func(c, _ string) bool { return !columns[c] })
		out = append(out, row)
	}
	sortRows(out)
	return out
}

// inRange tells whether a row is in a range; all are in none.
func inRange(row map[string]string, r *event.Range) bool {
	if r == nil {
		return true
	}
	less := func(a, b string) bool {
		x, err := strconv.Atoi(a)
		y, err2 := strconv.Atoi(b)
		if err == nil && err2 == nil {
			return x < y
		}
		return a < b
	}
	value := row[r.Column]
	return (r.From == nil || !less(value, *r.From)) && (r.To == nil || !less(*r.To, value))
}

// once wants every event exactly once, and the events of a key in the order of
// their versions.
func once(t require.TestingT, all []message) {
	type identity struct {
		position  event.Position
		partition int32 // of a truncate or marker, which goes to every one
		key       string
	}
	seen := map[identity]bool{}
	last := map[string]event.Position{}
	for _, m := range events(all) {
		id := identity{position: m.Event.Position}
		switch m.Event.Op {
		case event.Truncate, event.Marker:
			id.partition = m.Partition.ID
			if m.Event.Range != nil {
				id.key = m.Event.Range.String() // those of one snapshot have one position
			}
		case event.Read:
			id.key = string(m.Key)
		}
		require.False(t, seen[id], "%s %v stands twice", m.Event.Op, id)
		seen[id] = true
		if was, ok := last[string(m.Key)]; ok && m.Key != nil && len(m.Key) > 1 {
			require.LessOrEqual(t, was.Compare(m.Event.Position), 0, "key of %v: %s came after %s", m.Row, m.Event.Position, was)
		}
		last[string(m.Key)] = m.Event.Position
	}
}

func (r *rig) public(table string) string { return topic.Public(r.config.Source, "public", table) }
func (r *rig) vault(table string) string  { return topic.Vault(r.config.Source, "public", table) }

func (r *rig) letters(table string) string {
	t, ok := r.config.Sector.Table(table)
	require.True(r.t, ok)
	return connectors.DeadLetters(r.config.Source, *t)
}

func events(all []message) []message {
	var out []message
	for _, m := range all {
		if m.Event != nil {
			out = append(out, m)
		}
	}
	return out
}

// ops writes the operations in the order of the versions, a tombstone as '-'
// behind its delete.
func ops(all []message) string {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b message) int { return cmp.Compare(a.Offset, b.Offset) })
	var b strings.Builder
	for _, m := range sorted {
		if m.Event == nil {
			b.WriteByte('-')
		} else {
			b.WriteString(m.Event.Op.String())
		}
	}
	return b.String()
}

// of gives the messages of one patient, tombstones too.
func of(all []message, id string) []message {
	keys := map[string]bool{}
	for _, m := range all {
		if m.Event != nil && m.Row["patient_id"] == id {
			keys[string(m.Key)] = true
		}
	}
	var out []message
	for _, m := range all {
		if keys[string(m.Key)] && m.Key != nil {
			out = append(out, m)
		}
	}
	return out
}
