package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

const (
	// maxChanged bounds the keys that are asked for one by one.
	maxChanged = 10_000
	// askedKeys is how many go in one question: its text is bounded.
	askedKeys = 1_000
)

// place is where an event stands in Kafka.
type place struct {
	topic.Partition
	offset int64
}

// latest is a key's row in silver: the event that made it, and its version as
// ClickHouse writes it.
type latest struct {
	key     []string
	place   place
	version string
}

// dropChanged takes out of the suspects the keys that changed after the
// snapshot: a key that changes without end differs from every snapshot of it.
// That silver's row is a later event is shown by bronze, which has the very
// event; a row that was written or changed by hand has none, and remains.
//
// Silver is read once, and bronze only when the sink has passed the events that
// silver showed: it writes silver first, and bronze within the same batch.
func dropChanged(ctx context.Context, config Config, l layout, table, source string, lsn event.LSN, suspects map[string]suspect) (changed int, err error) {
	if len(suspects) > maxChanged {
		return 0, nil
	}
	for keys := range slices.Chunk(keysOf(suspects), askedKeys) {
		rows, err := laterRows(ctx, config.ClickHouse, l, table, source, lsn, keys)
		if err == nil {
			err = passed(ctx, config, rows)
		}
		var versions map[place]string
		if err == nil {
			versions, err = bronzeVersions(ctx, config.ClickHouse, table, rows)
		}
		if err != nil {
			return changed, fmt.Errorf("look at the keys of silver.%s that changed: %w", table, err)
		}
		for _, row := range rows {
			if version, ok := versions[row.place]; ok && version == row.version {
				delete(suspects, keyText(row.key))
				changed++
			}
		}
	}
	return changed, nil
}

// laterRows gives those of the keys whose row in silver says that it is an event
// after the LSN.
func laterRows(ctx context.Context, conn driver.Conn, l layout, table, source string, lsn event.LSN, keys [][]string) (found []latest, err error) {
	var key []string
	for _, k := range l.key {
		key = append(key, l.columns[k].clickhouse)
	}
	// Deleted rows among them: FINAL hides those.
	rows, err := conn.Query(ctx, fmt.Sprintf(`
		SELECT [%[1]s] AS key, toString(max(_version)), (argMax((_topic, _partition, _offset), _version) AS place).1, toInt64(place.2), toInt64(place.3)
		FROM silver.%[2]s WHERE _source = ? AND _lsn > ? AND has(?, [%[1]s]) GROUP BY key`,
		strings.Join(key, ", "), identifier(table)), source, uint64(lsn), keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var row latest
		var partition int64
		if err := rows.Scan(&row.key, &row.version, &row.place.Topic, &partition, &row.place.offset); err != nil {
			return nil, err
		}
		row.place.ID = int32(partition)
		found = append(found, row)
	}
	return found, rows.Err()
}

// passed waits until the sink has committed the rows' events. What lies behind
// the end of its topic is no event, and not waited for.
func passed(ctx context.Context, config Config, rows []latest) error {
	if len(rows) == 0 {
		return nil
	}
	last := map[topic.Partition]int64{}
	for _, row := range rows {
		last[row.place.Partition] = max(last[row.place.Partition], row.place.offset)
	}
	var parts []topic.Partition
	for p := range last {
		parts = append(parts, p)
	}
	ends, err := config.Kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	for p, offset := range last {
		ends[p] = min(ends[p], offset+1)
	}
	return waitUntil(ctx, config.CatchUp, sinkBehind, sinkReached(config, ends))
}

// bronzeVersions gives the versions of those events that bronze has.
func bronzeVersions(ctx context.Context, conn driver.Conn, table string, of []latest) (versions map[place]string, err error) {
	if len(of) == 0 {
		return nil, nil
	}
	var places []string
	var topics []string
	for _, row := range of {
		at := slices.Index(topics, row.place.Topic)
		if at < 0 {
			at, topics = len(topics), append(topics, row.place.Topic)
		}
		places = append(places, fmt.Sprintf("(%d, %d, %d)", at+1, row.place.ID, row.place.offset))
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT _topic, toInt64(_partition), toInt64(_offset), toString(_version) FROM bronze.%s
		WHERE (indexOf(?, _topic), _partition, _offset) IN (%s)`, identifier(table), strings.Join(places, ", ")), topics)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	versions = map[place]string{}
	for rows.Next() {
		var at place
		var partition int64
		var version string
		if err := rows.Scan(&at.Topic, &partition, &at.offset, &version); err != nil {
			return nil, err
		}
		at.ID = int32(partition)
		versions[at] = version
	}
	return versions, rows.Err()
}

func keysOf(suspects map[string]suspect) [][]string {
	keys := make([][]string, 0, len(suspects))
	for _, s := range suspects {
		keys = append(keys, s.key)
	}
	return keys
}
