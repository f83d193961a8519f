package reconcile

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cespare/xxhash/v2"
)

// landedRows gives silver's living rows of one source in key order, one a
// call, nil at the end.
func landedRows(ctx context.Context, conn driver.Conn, l layout, silver, source string) (next func() (*row, error), done func() error, err error) {
	var selected, order []string
	for _, c := range l.columns {
		selected = append(selected, "toNullable("+c.clickhouse+")")
	}
	for i, k := range l.key {
		if l.integer[i] {
			order = append(order, "`"+l.columns[k].name+"`")
		} else {
			order = append(order, l.columns[k].clickhouse)
		}
	}
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT %s FROM %s FINAL WHERE _source = ? AND _is_deleted = 0 ORDER BY %s",
		strings.Join(selected, ", "), silver, strings.Join(order, ", ")), source)
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
