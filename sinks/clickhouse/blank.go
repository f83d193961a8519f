package clickhouse

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// A row that is not an erased person's may name one: the officer of a licence, the
// mother of a birth. It is somebody else's, or nobody's, and stays; the number
// becomes NULL (P12). A number in the key is the row's name, and stays.

// longestToken is more bytes than a token has.
const longestToken = 64

// blank takes the tokens of erased people out of a row that came.
func (b *batch) blank(columns []avro.Column, cells []avro.Cell) {
	ledger := b.store.eraser.ledger.Load()
	if ledger.Empty() {
		return
	}
	for i := range min(len(columns), len(cells)) {
		if c := &columns[i]; c.Type.Kind == avro.String && !c.Key && !cells[i].Null && len(cells[i].B) < longestToken && ledger.Marked(cells[i].B) {
			cells[i] = avro.Cell{Null: true}
		}
	}
}

// blankRows does so with the rows that are there. It counts them by
// "database.table.column".
func (w sweeper) blankRows(ctx context.Context, ledger *erasure.Ledger, counts map[string]int64) error {
	marks := ledger.Marks()
	if len(marks) == 0 {
		return nil
	}
	// The columns of one's number by data set, with those of its earlier types.
	numbers := map[string][]string{}
	for dataset, r := range w.routes.datasets() {
		if r.desc.Table == nil {
			continue
		}
		for i := range r.desc.Table.Columns {
			if c := &r.desc.Table.Columns[i]; slices.Contains(sectors.OwnNumbers, c.Identifier) && c.TokenDomain() != "" {
				numbers[dataset] = append(numbers[dataset], avro.SafeName(c.Name))
			}
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	found := map[[3]string]struct{}{}
	// What is of the key is not Nullable.
	err := w.server.query(ctx, `SELECT c.database, c.table, c.name FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE t.engine LIKE '%MergeTree' AND c.type IN ('Nullable(String)', 'LowCardinality(Nullable(String))') AND c.table IN (`+quotedList(slices.Sorted(maps.Keys(numbers)))+`)
    AND c.database IN ('bronze', 'silver', '`+tables.Replay+`', 'bronze`+cluster.Suffix+`', 'silver`+cluster.Suffix+`')`, func(rows driver.Rows) error {
		var database, table, column string
		if err := rows.Scan(&database, &table, &column); err != nil {
			return err
		}
		name, _, _ := strings.Cut(column, "__v")
		if slices.Contains(numbers[table], name) || slices.Contains(numbers[table], column) {
			found[[3]string{strings.TrimSuffix(database, cluster.Suffix), table, column}] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, at := range slices.SortedFunc(maps.Keys(found), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		column := tables.Ident(at[2])
		for chunk := range slices.Chunk(marks, namesAtOnce) {
			where := column + " IN (" + quotedList(chunk) + ")"
			n, err := w.count(ctx, erasedTable{database: at[0], name: at[1]}, where)
			if err == nil && n > 0 {
				err = w.server.exec(ctx, "ALTER TABLE "+tables.Qualified(at[0], at[1])+" UPDATE "+column+" = NULL WHERE "+where+" SETTINGS mutations_sync = 2")
			}
			if missing(err) {
				break // gone since: a shadow that a replay swapped
			}
			if err != nil {
				return err
			}
			if n > 0 {
				counts[strings.Join(at[:], ".")] += n
			}
		}
	}
	return nil
}
