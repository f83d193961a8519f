package connectors

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

// KeyRange makes the range of a table, "schema.table", by the first column of its
// key: between two values of it, both included, of which one may be nil for an
// open end. An error says why there is none.
func KeyRange(ctx context.Context, conn *pgx.Conn, sector sectors.Sector, table string, from, to *string) (event.Range, error) {
	for _, described := range sector.Tables {
		if described.Schema+"."+described.Name != table {
			continue
		}
		relation, err := postgres.NewCatalog(conn).Relation(ctx, described.Schema, described.Name)
		if err != nil {
			return event.Range{}, err
		}
		column, err := rangeColumn(relation, described)
		if err != nil {
			return event.Range{}, err
		}
		of := event.Range{Column: column, From: from, To: to}
		return of, relation.CheckRange(of, encodingOf(conn))
	}
	return event.Range{}, fmt.Errorf("sector %s has no table %s: write it as schema.table", sector.Sector, table)
}

// encodingOf is the encoding in which the server keeps texts.
func encodingOf(conn *pgx.Conn) string { return conn.PgConn().ParameterStatus("server_encoding") }

// rangeColumn is the first column of a table's key, if its values are in the
// topic as they are.
func rangeColumn(relation postgres.Relation, described sectors.Table) (string, error) {
	key := described.Key
	if len(key) == 0 {
		key = relation.Primary
	}
	if len(key) == 0 {
		return "", fmt.Errorf("table %s has no key, by which a range of it could be read: read the whole table", relation.Name())
	}
	if c, ok := described.Column(key[0]); ok && (c.TokenDomain() != "" || c.Privacy != "") {
		return "", fmt.Errorf("column %s, the first of the key of table %s, is a token in its topic, and tokens have no order: read the whole table", c.Name, relation.Name())
	}
	return key[0], nil
}

// ResnapshotRange marks a range of a table to be read anew, as Resnapshot marks
// tables.
func ResnapshotRange(ctx context.Context, kafka *topic.Client, source, table string, of event.Range) error {
	return remark(ctx, kafka, source, func(c *checkpoint.Checkpoint) error {
		state, ok := c.Tables[table]
		switch {
		case !ok:
			return fmt.Errorf("source %s has no table %s: write it as schema.table", source, table)
		case state.Quarantined != "":
			return fmt.Errorf("table %s is quarantined, which reading all of it ends: run 'hopluu connector resnapshot %s %s'", table, source, table)
		}
		c.Tables[table] = state.Asked(of)
		return nil
	})
}

// prepareRanges finds out which ranges of a table are to be read. Where one
// cannot be read any more, as its column is another one by now, all of the table
// is: the range is a part of it.
func (r *reading) prepareRanges(w *work) error {
	state := r.checkpoint.Tables[w.name]
	for i := range state.Ranges {
		of := &state.Ranges[i]
		column, err := rangeColumn(w.table.relation, w.table.sector)
		if err == nil && column != of.Column {
			err = fmt.Errorf("column %s is not the first of its key any more", of.Column)
		}
		if err == nil {
			err = w.table.relation.CheckRange(*of, encodingOf(r.sql))
		}
		if err != nil {
			r.Log.Warn("a range of the table cannot be read, all of it is read anew", "table", w.name, "range", of.String(), "why", err)
			r.setTable(w.name, checkpoint.Table{Restart: true})
			w.left, w.closed = nil, true
			return nil
		}
		w.left = append(w.left, postgres.Piece{Range: of})
	}
	if len(state.Ranges) == 0 {
		return nil
	}
	state.To = max(state.To, r.held.LSN)
	r.setTable(w.name, state)
	r.Log.Info("ranges of a table are read", "table", w.name, "lsn", r.held.LSN.String(), "ranges", len(w.left))
	return nil
}

// endRange ends a range that was read with its marker: what readers hold in it
// below the snapshot is gone (case 35). The stream had reached the snapshot
// before the first row was read, so the marker need not wait.
func (r *reading) endRange(ctx context.Context, w *work, of event.Range, rows int64) error {
	state, asked := r.checkpoint.Tables[w.name].Answered(of)
	if !asked {
		return nil // all of the table is read anew
	}
	named := of
	named.Column = avro.SafeName(of.Column)
	err := r.everywhere(ctx, w.table, &event.Event{Op: event.Marker, CommitMicros: r.held.Micros, Range: &named,
		Position: event.Position{Epoch: r.epoch, LSN: r.held.LSN - 1, Ordinal: math.MaxUint32}})
	var bad *QuarantineError
	if errors.As(err, &bad) {
		r.quarantine(w.name, err)
		return nil
	}
	if err != nil {
		return err
	}
	r.setTable(w.name, state)
	r.Log.Info("a range of a table is read: rows of it that were not found are gone", "table", w.name, "range", of.String(), "rows", rows)
	return nil
}
