package tables

import (
	"cmp"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/event"
)

// The databases of the sink.
const (
	Bronze = "bronze"
	Silver = "silver"
	Gold   = "gold"
	Ops    = "ops"
	// Replay holds tables of silver's shape, beside them, while they are replayed.
	Replay = "replay"
)

// dedupWindow is how many insert tokens ClickHouse remembers for a bronze
// table: more than all partitions of a data set can have in flight.
const dedupWindow = 10_000

// Databases makes the four databases.
func Databases() []string {
	var out []string
	for _, d := range []struct{ name, comment string }{
		{Bronze, "Sự kiện: mọi thay đổi như đã nhận — What happened: every change as it came"},
		{Silver, "Hiện trạng: phiên bản mới nhất của mỗi bản ghi — What is: the latest version of every record"},
		{Gold, "Chỉ số và kho chủ đề cho lãnh đạo — What leaders read: marts and indicators"},
		{Ops, "Vận hành: độ trễ, đối soát, bản ghi lỗi, danh mục — Operations: freshness, reconciliation, dead letters, catalogue"},
	} {
		out = append(out, fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s COMMENT %s", d.name, Quote(d.comment)))
	}
	return out
}

// CreateBronze is the DDL of the table of events. Every insert is one part
// (there is no PARTITION BY), so it is there as a whole or not at all.
func (t *Table) CreateBronze() string {
	order := "_partition, _offset"
	if t.Keyed() {
		order = strings.Join(append(t.sortingKey(), "_version"), ", ")
	}
	return t.create(Bronze, func(c *ownColumn) bool { return c.bronze }, resumeProjection,
		fmt.Sprintf("ENGINE = MergeTree\nORDER BY (%s)\nSETTINGS non_replicated_deduplication_window = %d", order, dedupWindow)+t.nullableKey(", "),
		"Sự kiện của — Events of: ")
}

// CreateSilver is the DDL of the table of the latest rows. Call it for keyed
// tables only.
func (t *Table) CreateSilver() string {
	return t.create(Silver, func(c *ownColumn) bool { return c.silver }, "",
		fmt.Sprintf("ENGINE = ReplacingMergeTree(_version, _is_deleted)\nORDER BY (%s)", strings.Join(t.sortingKey(), ", "))+t.nullableKey("\nSETTINGS "),
		"Hiện trạng của — Latest rows of: ")
}

// sortingKey is (_source, key...): a data set may have many sources.
func (t *Table) sortingKey() []string {
	key := []string{"_source"}
	for i := range t.Columns {
		if t.Columns[i].Key {
			key = append(key, Ident(t.Columns[i].Name))
		}
	}
	return key
}

// nullableKey is the setting that a key with an array needs: its elements may
// be NULL.
func (t *Table) nullableKey(prefix string) string {
	if slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Key && c.Type.Kind == Array }) {
		return prefix + "allow_nullable_key = 1"
	}
	return ""
}

// resumeProjection keeps the last offset of each partition at hand, so that the
// question where to go on costs nothing however long bronze is.
const resumeProjection = "PROJECTION last_offset (SELECT _topic, _partition, max(_offset) GROUP BY _topic, _partition)"

// Resume is the query for the last offset that bronze holds of each partition
// of the topics.
func (t *Table) Resume(topics []string) string {
	quoted := make([]string, len(topics))
	for i := range topics {
		quoted[i] = Quote(topics[i])
	}
	return fmt.Sprintf("SELECT _topic, _partition, max(_offset) FROM %s WHERE _topic IN (%s) GROUP BY _topic, _partition",
		Qualified(Bronze, t.Dataset()), strings.Join(quoted, ", "))
}

func (t *Table) create(database string, with func(*ownColumn) bool, extra, engine, prefix string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s\n(\n", Qualified(database, t.Dataset()))
	first := true
	line := func(format string, args ...any) {
		if !first {
			b.WriteString(",\n")
		}
		first = false
		fmt.Fprintf(&b, format, args...)
	}
	for i := range t.Columns {
		line("    %s", t.Columns[i].definition())
	}
	for i := range ownColumns {
		c := &ownColumns[i]
		if !with(c) {
			continue
		}
		def := ""
		if c.def != "" {
			def = " DEFAULT " + c.def
		}
		line("    %s %s%s COMMENT %s", Ident(c.name), c.sqlType, def, Quote(c.comment))
	}
	if extra != "" {
		line("    %s", extra)
	}
	fmt.Fprintf(&b, "\n)\n%s\nCOMMENT %s", engine, Quote(prefix+t.describe()))
	return b.String()
}

func (t *Table) describe() string {
	if t.Comment != "" {
		return t.Comment
	}
	return t.Dataset()
}

func (c *Column) definition() string {
	s := Ident(c.Name) + " " + c.SQLType()
	if c.Comment != "" {
		s += " COMMENT " + Quote(c.Comment)
	}
	return s
}

// databases are those that keep the table, silver first: what bronze shows,
// silver then has too, also after a crash between the two.
func (t *Table) databases() []string {
	if t.Keyed() {
		return []string{Silver, Bronze}
	}
	return []string{Bronze}
}

// Create gives the statements that make the table where it is missing.
func (t *Table) Create() []string {
	if t.Keyed() {
		return []string{t.CreateSilver(), t.CreateBronze()}
	}
	return []string{t.CreateBronze()}
}

// Alter gives the statements that bring both tables from the shape before the
// changes to t. They can be repeated.
func (t *Table) Alter(changes []Change) []string {
	var out []string
	for _, db := range t.databases() {
		for i := range changes {
			c := &changes[i]
			table := Qualified(db, t.Dataset())
			if !c.Added {
				out = append(out, fmt.Sprintf("ALTER TABLE %s MODIFY COLUMN %s", table, c.Column.definition()))
				continue
			}
			place := "FIRST"
			if c.After != "" {
				place = "AFTER " + Ident(c.After)
			}
			out = append(out, fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s", table, c.Column.definition(), place))
		}
	}
	return out
}

// Missing gives the statements that add the sink's own columns which a table
// that exists lacks, because an earlier release made it.
func (t *Table) Missing(database string, existing []Existing) []string {
	have := make(map[string]bool, len(existing))
	for _, e := range existing {
		have[e.Name] = true
	}
	var out []string
	for i := range ownColumns {
		c := &ownColumns[i]
		if have[c.name] || database == Bronze && !c.bronze || database == Silver && !c.silver {
			continue
		}
		def := c.def
		if c.name == "_arrays" {
			def = t.arraysOfOldRows()
		}
		if def != "" {
			def = " DEFAULT " + def
		}
		out = append(out, fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s%s COMMENT %s",
			Qualified(database, t.Dataset()), Ident(c.name), c.sqlType, def, Quote(c.comment)))
	}
	return out
}

// Follow gives the statements that bring a table of rows beside silver's, quoted,
// from the columns that it has to those of t: silver's grew meanwhile. They can be
// repeated.
func (t *Table) Follow(table string, existing []Existing) []string {
	have := make(map[string]string, len(existing))
	for _, e := range existing {
		have[e.Name] = e.Type
	}
	var out []string
	place := "FIRST"
	for i := range t.Columns {
		c := &t.Columns[i]
		switch old, ok := have[c.Name]; {
		case !ok:
			out = append(out, fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s", table, c.definition(), place))
		case old != c.SQLType() && !c.Key:
			out = append(out, fmt.Sprintf("ALTER TABLE %s MODIFY COLUMN %s", table, c.definition()))
		}
		place = "AFTER " + Ident(c.Name)
	}
	return out
}

// arraysOfOldRows is _arrays of rows that were written before there was one: an
// empty array may have been NULL or not, and counts as NULL.
func (t *Table) arraysOfOldRows() string {
	var parts []string
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Type.Kind == Array {
			parts = append(parts, fmt.Sprintf("if(notEmpty(%s), [%s], [])", Ident(c.Name), Quote(c.Name)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "arrayConcat(" + strings.Join(parts, ", ") + ")"
}

// Comments gives the statements that write the descriptions of t onto tables
// that exist, for those that differ from what is there: the sector files are
// the one source of comments and may have changed since the table was made.
func (t *Table) Comments(existing []Existing) []string {
	have := make(map[string]string, len(existing))
	for _, e := range existing {
		have[e.Name] = e.Comment
	}
	var out []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if old, ok := have[c.Name]; !ok || old == c.Comment || c.Comment == "" {
			continue
		}
		for _, db := range t.databases() {
			out = append(out, fmt.Sprintf("ALTER TABLE %s COMMENT COLUMN %s %s", Qualified(db, t.Dataset()), Ident(c.Name), Quote(c.Comment)))
		}
	}
	return out
}

// Truncation is a TRUNCATE of one source's table, or the marker that ends a new
// snapshot of it, as it came in one partition.
type Truncation struct {
	Op           event.Op
	Source       string
	Topic        string
	Partition    int32
	Offset       int64
	Position     event.Position
	CommitMicros int64
	// Within is the condition that the rows meet which a marker speaks of (see
	// Table.Within); empty when it speaks of all.
	Within string
	// Last is true in the topic's last partition. A marker there also speaks of
	// the rows of partitions that the topic had when it had more of them.
	Last bool
	// Into is another table of silver's shape that it is applied to, quoted: one
	// that a replay fills. Empty for silver's own.
	Into string
}

// Truncate deletes in a table of rows what the source's table held before the event:
// rows of the source below the event's version get a deleted row at that
// version. It may come early for the rows of another partition that is behind,
// which is why the event is in every partition: the last to come finds what
// is left. It can be repeated, and finds nothing the second time.
//
// A marker comes after the rows of its snapshot, but another partition may
// still be behind: it deletes the rows of its own partition only, so that silver
// is never short of a row that is about to come (case 35).
func (t *Table) Truncate(e Truncation) string {
	var names, values []string
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Key {
			names, values = append(names, Ident(c.Name)), append(values, Ident(c.Name))
		}
	}
	hi, lo := e.Position.Version()
	version := "toUInt128('" + number(new(big.Int), make([]big.Word, 128/bits.UintSize), hi, lo).String() + "')"
	for _, c := range []struct{ name, value string }{
		{"_record", "_record"},
		{"_op", Quote(e.Op.String())},
		{"_version", version},
		{"_is_deleted", "1"},
		{"_lsn", fmt.Sprintf("toUInt64(%d)", uint64(e.Position.LSN))},
		{"_commit_time", fmt.Sprintf("fromUnixTimestamp64Micro(toInt64(%d), 'UTC')", e.CommitMicros)},
		{"_source", "_source"},
		{"_topic", Quote(e.Topic)},
		{"_partition", fmt.Sprint(e.Partition)},
		{"_offset", fmt.Sprint(e.Offset)},
	} {
		names, values = append(names, c.name), append(values, c.value)
	}
	table, where := cmp.Or(e.Into, Qualified(Silver, t.Dataset())), ""
	if e.Op == event.Marker {
		where = fmt.Sprintf(" AND _partition = %d", e.Partition)
		if e.Last {
			where = fmt.Sprintf(" AND _partition >= %d", e.Partition)
		}
		if e.Within != "" {
			where += " AND " + e.Within
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s)\nSELECT %s\nFROM %s FINAL\nWHERE _source = %s AND _version < %s%s",
		table, strings.Join(names, ", "), strings.Join(values, ", "), table, Quote(e.Source), version, where)
}

// Qualified is database.table, quoted.
func Qualified(database, table string) string { return Ident(database) + "." + Ident(table) }

// Ident quotes a name.
func Ident(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// Quote writes a string literal.
func Quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(s) + "'"
}
