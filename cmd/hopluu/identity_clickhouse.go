package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// housePrefix begins an input that ClickHouse has.
const housePrefix = "clickhouse:"

// tableName is a table, with its database or without.
var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// houseName is the source that an input is when the model names no column for
// it.
func houseName(query string) string {
	if tableName.MatchString(query) {
		return query[strings.LastIndexByte(query, '.')+1:]
	}
	return "query"
}

// houseReader reads inputs from ClickHouse.
type houseReader struct{ conn driver.Conn }

func (a *app) openHouse(ctx context.Context) (*houseReader, error) {
	c, err := config.Load(a.configPath)
	if err != nil {
		return nil, err
	}
	options, err := clickhouseOptions(c)
	if err != nil {
		return nil, err
	}
	conn, err := dialClickHouse(ctx, options)
	if err != nil {
		return nil, err
	}
	return &houseReader{conn}, nil
}

func (h *houseReader) close() {
	// Everything is read: a connection that does not close well harms nothing.
	_ = h.conn.Close()
}

// read adds the rows of a table or a query, each value as ClickHouse writes it.
func (h *houseReader) read(ctx context.Context, t *linkage.Table, name, query string, show *progress) (err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s%s: %w", housePrefix, query, err)
		}
	}()
	from := "(" + strings.TrimRight(strings.TrimSpace(query), ";") + "\n)"
	if tableName.MatchString(query) {
		from = query
	}
	columns, err := h.columns(ctx, from)
	if err != nil {
		return err
	}
	file, err := t.File(name, columns)
	if err != nil {
		return err
	}
	texts := make([]string, len(columns))
	for i, c := range columns {
		quoted := "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(c) + "`"
		texts[i] = "ifNull(toString(" + quoted + "), '')"
	}
	rows, err := h.conn.Query(ctx, "SELECT "+strings.Join(texts, ", ")+" FROM "+from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row, into := make([]string, len(columns)), make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	var n int64
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		n++
		if err := file.Add(row); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if n%4096 == 0 {
			show.tell("reading "+name, n, 0)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n == 0 {
		return errors.New("it has no row")
	}
	return nil
}

// columns are the names of the columns of a table or a query in brackets.
func (h *houseReader) columns(ctx context.Context, from string) (names []string, err error) {
	rows, err := h.conn.Query(ctx, "DESCRIBE TABLE "+from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	// The name is the first of several texts, of which servers give more or
	// fewer.
	texts, into := make([]string, len(rows.Columns())), make([]any, len(rows.Columns()))
	for i := range texts {
		into[i] = &texts[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		names = append(names, texts[0])
	}
	return names, rows.Err()
}
