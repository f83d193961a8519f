package tables

import (
	"fmt"
	"strings"
	"time"
)

// KeepFor are the statements by which bronze keeps an event for a time after it
// landed, and after that only the newest one of each record; 0 keeps all. Of parts
// that were there before, Aged has ClickHouse look how old they are.
//
// Why it is a TTL that joins rows, and by the time of landing:
//
//   - A row's last event is the base of every question as of a later day, of a
//     value that an update did not send (P4), and of a replay (P2): it stays
//     however old it is. Columns take the value of the newest expired event.
//   - An update that did not send all values is no base: it stays as it is, with
//     the last full event before it. So do truncates and markers, of which there
//     are few, and which speak of more than one record.
//   - The time of landing is in the order in which the sink wrote: what Kafka can
//     still send again is there, so that the question what arrived finds it. By the
//     time of commit, an old event that comes late would be gone at once.
//   - Bronze is not partitioned by time, which would let ClickHouse drop old parts
//     whole: an insert must be one part, and a token that is sent again in another
//     month must find its block. The price is that merges write the rest anew.
//
// Columns that are added later need the statements again.
func (t *Table) KeepFor(after time.Duration) []string {
	table := Qualified(Bronze, t.Dataset())
	if !t.Keyed() {
		return nil // of a table without a key bronze is all there is
	}
	if after <= 0 {
		return []string{"ALTER TABLE " + table + " REMOVE TTL"}
	}
	var set []string
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Key {
			set = append(set, keepLast(c.Name))
		}
	}
	for i := range ownColumns {
		switch c := &ownColumns[i]; {
		case !c.bronze || c.name == "_source": // which is in the key
		case c.name == "_version":
			set = append(set, "_version = max(_version)")
		default:
			set = append(set, keepLast(c.name))
		}
	}
	return []string{
		// To look how old rows are must not join any at once: ClickHouse 26.5 forgets
		// of a part whose rows are all too young for it when they will not be, and
		// keeps them for ever.
		"ALTER TABLE " + table + " MODIFY SETTING materialize_ttl_recalculate_only = 1",
		fmt.Sprintf("ALTER TABLE %s MODIFY TTL if(_op IN ('t', 'm') OR notEmpty(_unchanged), toDateTime('2100-01-01 00:00:00', 'UTC'), toDateTime(_ingested_at) + toIntervalSecond(%d))\nGROUP BY %s\nSET %s\nSETTINGS materialize_ttl_after_modify = 0",
			table, int64(after/time.Second), strings.Join(t.sortingKey(), ", "), strings.Join(set, ",\n    ")),
	}
}

// Aged has ClickHouse look how old the rows of bronze's parts are.
func (t *Table) Aged() string {
	return "ALTER TABLE " + Qualified(Bronze, t.Dataset()) + " MATERIALIZE TTL SETTINGS mutations_sync = 0"
}

// keepLast takes the value of the last row in the order of the key, whose last
// part is the version; NULL is a value.
func keepLast(column string) string {
	return Ident(column) + " = last_value_respect_nulls(" + Ident(column) + ")"
}
