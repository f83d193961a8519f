package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cespare/xxhash/v2"
)

// landedColumns gives the types of a table's columns by name, empty when the
// table is not there: the sink makes it with its first row.
func landedColumns(ctx context.Context, conn driver.Conn, database, table string) (types map[string]string, err error) {
	rows, err := conn.Query(ctx, "SELECT name, type FROM system.columns WHERE database = ? AND table = ?", database, table)
	if err != nil {
		return nil, fmt.Errorf("look up %s.%s: %w", database, table, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types = map[string]string{}
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return nil, fmt.Errorf("look up %s.%s: %w", database, table, err)
		}
		types[name] = typ
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look up %s.%s: %w", database, table, err)
	}
	return types, nil
}

// sortMemory is how many bytes of rows ClickHouse sorts in memory for a
// comparison before it goes on on its disk: half of what it may use, as it does
// by itself, is too much beside a sink and its merges (P8).
const sortMemory = 128 << 20

func noRows() (*row, error) { return nil, nil }

// landedRows gives silver's living rows of one source within the bounds in key
// order, one a call, nil at the end.
func landedRows(ctx context.Context, conn driver.Conn, l layout, b bounds, silver, source string) (next func() (*row, error), done func() error, err error) {
	var selected []string
	for _, c := range l.columns {
		selected = append(selected, "toNullable("+c.clickhouse+")")
	}
	conditions := append([]string{"_source = ?", "_is_deleted = 0"}, l.landedWithin(b)...)
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_bytes_before_external_sort": sortMemory}))
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT %s FROM %s FINAL WHERE %s ORDER BY %s",
		strings.Join(selected, ", "), silver, strings.Join(conditions, " AND "), strings.Join(l.keys(l.landedKey), ", ")), source)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", silver, err)
	}
	digest := xxhash.New()
	values := make([]*string, len(l.columns))
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	cells := make([]cell, len(values))
	next = func() (*row, error) {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return nil, fmt.Errorf("read %s: %w", silver, err)
			}
			return nil, nil
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read %s: %w", silver, err)
		}
		for i, v := range values {
			if v == nil {
				cells[i] = cell{null: true}
			} else {
				cells[i] = cell{text: []byte(*v)}
			}
		}
		return l.row(digest, cells), nil
	}
	return next, rows.Close, nil
}
