package generator

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// pgxExecer and copier are the parts of a connection and of a transaction that
// writing needs.
type pgxExecer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

type copier interface {
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// copyRows writes rows with COPY, and notes who the records are.
func copyRows(ctx context.Context, db copier, rows city.Rows) error {
	if len(rows.Rows) == 0 {
		return nil
	}
	if _, err := db.CopyFrom(ctx, pgx.Identifier{"public", rows.Table.Name}, rows.Table.Columns, pgx.CopyFromRows(rows.Rows)); err != nil {
		return fmt.Errorf("writing rows of %s: %w", rows.Table.Name, err)
	}
	if rows.People == nil {
		return nil
	}
	truth := make([][]any, len(rows.Rows))
	for i, row := range rows.Rows {
		truth[i] = truthRow(rows.Table.Name, row[0], rows.People[i])
	}
	if _, err := db.CopyFrom(ctx, pgx.Identifier{"demo", "truth"}, []string{"tbl", "key", "person"}, pgx.CopyFromRows(truth)); err != nil {
		return fmt.Errorf("writing the truth about %s: %w", rows.Table.Name, err)
	}
	return nil
}

// truthRow notes who a record is; person 0 is a record of no person.
func truthRow(table string, key any, person int64) []any {
	var who any
	if person != 0 {
		who = person
	}
	return []any{table, keyText(key), who}
}

// keyText is a key as PostgreSQL prints it.
func keyText(key any) string {
	if u, ok := key.([16]byte); ok {
		return uuid.UUID(u).String()
	}
	return fmt.Sprint(key)
}

// insertOne is the INSERT of one row of a table, for systems that write a row
// at a time.
func insertOne(t city.Table) string {
	marks := make([]string, len(t.Columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	return fmt.Sprintf("INSERT INTO public.%s (%s) VALUES (%s)", t.Name, strings.Join(t.Columns, ", "), strings.Join(marks, ", "))
}
