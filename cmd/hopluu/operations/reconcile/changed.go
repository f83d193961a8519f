package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/schemas/event"
)

const (
	// maxChanged bounds the keys that are asked for one by one.
	maxChanged = 10_000
	// askedKeys is how many go in one question: its text is bounded.
	askedKeys = 1_000
)

// dropChanged takes out of the suspects the keys that changed after the
// snapshot: a key that changes without end differs from every snapshot of it.
// That silver's row is a later event is shown by bronze, which has the very
// event; a row that was written or changed by hand has none, and remains.
func dropChanged(ctx context.Context, conn driver.Conn, l layout, table, source string, lsn event.LSN, suspects map[string]suspect) (changed int, err error) {
	if len(suspects) > maxChanged {
		return 0, nil
	}
	for keys := range slices.Chunk(keysOf(suspects), askedKeys) {
		later, err := laterEvents(ctx, conn, l, table, source, lsn, keys)
		if err != nil {
			return changed, fmt.Errorf("look at the keys of silver.%s that changed: %w", table, err)
		}
		for _, key := range later {
			delete(suspects, keyText(key))
		}
		changed += len(later)
	}
	return changed, nil
}

// laterEvents gives those of the keys whose row in silver is an event after the
// LSN that bronze has too.
func laterEvents(ctx context.Context, conn driver.Conn, l layout, table, source string, lsn event.LSN, keys [][]string) (later [][]string, err error) {
	var key []string
	for _, k := range l.key {
		key = append(key, l.columns[k].clickhouse)
	}
	// Deleted rows among them: FINAL hides those.
	rows, err := conn.Query(ctx, fmt.Sprintf(`
		WITH latest AS (
			SELECT [%[1]s] AS key, max(_version) AS version, argMax((_topic, _partition, _offset), _version) AS place
			FROM silver.%[2]s WHERE _source = ? AND _lsn > ? AND has(?, [%[1]s]) GROUP BY key)
		SELECT key FROM latest WHERE (place.1, place.2, place.3, version) IN (
			SELECT _topic, _partition, _offset, _version FROM bronze.%[2]s WHERE (_topic, _partition, _offset) IN (SELECT place.1, place.2, place.3 FROM latest))`,
		strings.Join(key, ", "), identifier(table)), source, uint64(lsn), keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var found []string
		if err := rows.Scan(&found); err != nil {
			return nil, err
		}
		later = append(later, found)
	}
	return later, rows.Err()
}

func keysOf(suspects map[string]suspect) [][]string {
	keys := make([][]string, 0, len(suspects))
	for _, s := range suspects {
		keys = append(keys, s.key)
	}
	return keys
}
