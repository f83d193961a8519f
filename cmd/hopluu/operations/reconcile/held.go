package reconcile

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	sink "github.com/hopluu/hopluu/sinks/clickhouse"
)

// openLetters is the condition on the dead letters that nobody has dealt with.
const openLetters = "topic = ? AND state NOT IN ('" + sink.LetterRetried + "', '" + sink.LetterDiscarded + "')"

// heldKeys gives those of the suspects of which an event stands in the open dead
// letters, poisoned itself or behind one that is (P2). It is asked once silver
// has applied the snapshot and before silver is read: a letter that was settled
// by then is in silver, and one that is settled later was open.
func heldKeys(ctx context.Context, conn driver.Conn, source string, described sectors.Table, l layout, suspects []suspect) (map[string]bool, error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	names := make(map[string]string, len(suspects))
	for _, s := range suspects {
		names[source+"."+described.Name+":"+keyText(l.namedBy(s.key))] = keyText(s.key)
	}
	held := map[string]bool{}
	// One after the other: there may be more letters than fit in memory (P8).
	err := each(ctx, conn, func(rows driver.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if key, ok := names[name]; ok {
			held[key] = true
		}
		return nil
	}, "SELECT record FROM ops.dead_letter FINAL WHERE "+openLetters+" AND record != ''", topic.Public(source, described.Schema, described.Name))
	if err != nil {
		return nil, fmt.Errorf("read ops.dead_letter: %w", err)
	}
	return held, nil
}

// unreadableLetters counts a table's open dead letters of which nobody knows the
// record: they except no key.
func unreadableLetters(ctx context.Context, conn driver.Conn, source string, described sectors.Table) (n int64, err error) {
	if err = conn.QueryRow(ctx, "SELECT toInt64(count()) FROM ops.dead_letter FINAL WHERE "+openLetters+" AND record = ''", topic.Public(source, described.Schema, described.Name)).Scan(&n); err != nil {
		return 0, fmt.Errorf("read ops.dead_letter: %w", err)
	}
	return n, nil
}

// apart takes the held keys out of the suspects and gives them in their order.
func apart(suspects map[string]suspect, held map[string]bool) []suspect {
	waiting := map[string]suspect{}
	for key, s := range suspects {
		if held[key] {
			waiting[key] = s
		}
	}
	maps.DeleteFunc(suspects, func(key string, _ suspect) bool { return held[key] })
	return inOrder(waiting)
}

// namedBy gives the texts of a key as the names of records have them
// (avro.AppendRecordID): a date is a number of days there.
func (l layout) namedBy(key []string) []string {
	named := slices.Clone(key)
	for i, k := range l.key {
		if c := l.columns[k]; c.days != nil {
			if encoded, err := c.days(nil, []byte(key[i])); err == nil {
				days, _ := binary.Varint(encoded)
				named[i] = strconv.FormatInt(days, 10)
			}
		}
	}
	return named
}
