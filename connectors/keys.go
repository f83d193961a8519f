package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// KeysReadable tells why single rows of a table cannot be read anew by the texts
// of their keys; nil when they can. Where a column of the key is a token in the
// topic nobody can ask for its row, and its plaintext is written nowhere (P11).
func KeysReadable(relation postgres.Relation, described sectors.Table, keys ...[]string) error {
	k, err := keysOf(relation, described, keys)
	if err == nil {
		err = relation.CheckKeys(k)
	}
	return err
}

func keysOf(relation postgres.Relation, described sectors.Table, keys [][]string) (postgres.Keys, error) {
	names := described.Key
	if len(names) == 0 {
		names = relation.Primary
	}
	if len(names) == 0 {
		return postgres.Keys{}, fmt.Errorf("table %s has no key: read the whole table", relation.Name())
	}
	for _, name := range names {
		if c, ok := described.Column(name); ok && (c.TokenDomain() != "" || c.Privacy != "") {
			return postgres.Keys{}, fmt.Errorf("column %s of the key of table %s is a token in its topic, by which no row can be asked for: read the whole table", name, relation.Name())
		}
	}
	return postgres.Keys{Columns: names, Rows: keys}, nil
}

// ReadAgain marks rows of a table to be read anew by the texts of their keys, as
// Resnapshot marks tables: each comes as a read event, or as a delete when there
// is none any more, with the LSN of the snapshot that says so.
func ReadAgain(ctx context.Context, kafka *topic.Client, source, table string, keys ...[]string) error {
	return remark(ctx, kafka, source, func(c *checkpoint.Checkpoint) error {
		state, ok := c.Tables[table]
		switch {
		case !ok:
			return fmt.Errorf("source %s has no table %s: write it as schema.table", source, table)
		case state.Quarantined != "":
			return fmt.Errorf("table %s is quarantined, which reading all of it ends: run 'hopluu connector resnapshot %s %s'", table, source, table)
		}
		if state, ok = state.AskedKeys(keys...); !ok {
			return fmt.Errorf("more than %d rows of table %s would wait to be read anew: run 'hopluu connector resnapshot %s %s'", checkpoint.MaxKeys, table, source, table)
		}
		c.Tables[table] = state
		return nil
	})
}

// keysAtOnce is how many rows are read in one piece: after each the table may be
// let go (P7).
const keysAtOnce = 200

// prepareKeys finds out which rows of a table are to be read by their keys. Where
// they cannot be any more, as the key is another one by now, the wish is dropped:
// whoever compared will find what still differs.
func (r *reading) prepareKeys(w *work) {
	state := r.checkpoint.Tables[w.name]
	if len(state.Keys) == 0 {
		return
	}
	err := KeysReadable(w.table.relation, w.table.sector, state.Keys...)
	if err != nil {
		r.Log.Warn("rows of the table cannot be read by their keys any more; what still differs a comparison finds again", "table", w.name, "keys", len(state.Keys), "why", err)
		state.Keys = nil
		r.setTable(w.name, state)
		return
	}
	for some := range slices.Chunk(state.Keys, keysAtOnce) {
		of, err := keysOf(w.table.relation, w.table.sector, some)
		if err == nil { // it was checked
			w.left = append(w.left, postgres.Piece{Keys: &of})
		}
	}
	state.To = max(state.To, r.held.LSN)
	r.setTable(w.name, state)
}

// endKeys takes note that rows were read.
func (r *reading) endKeys(w *work, of postgres.Keys, rows int64) {
	r.setTable(w.name, r.checkpoint.Tables[w.name].AnsweredKeys(of.Rows...))
	r.Log.Info("rows of a table are read anew", "table", w.name, "lsn", r.held.LSN.String(), "keys", len(of.Rows), "events", rows)
}

// readPiece hands each row of a piece to row; of keys, those that are gone too,
// as rows that hold the key alone.
func (d *reader) readPiece(ctx context.Context, o task, row, gone func(event.Row) error) error {
	if o.piece.Keys == nil {
		return d.conn.Read(ctx, o.table.relation, o.extent, o.piece, row)
	}
	return d.conn.ReadKeys(ctx, o.table.relation, o.extent, *o.piece.Keys, row, func(key []string) error {
		values := make(event.Row, len(o.table.relation.Columns))
		for i, text := range key {
			at := slices.IndexFunc(o.table.relation.Columns, func(c pgvalue.Column) bool { return c.Name == o.piece.Keys.Columns[i] })
			if at < 0 {
				return errors.New("the key's columns are not those of the table") // checked before
			}
			values[at] = event.Value{State: event.Present, Text: []byte(text)}
		}
		return gone(values)
	})
}
