package capture

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// witness is a replication slot of its own, of which no connector knows.
const witness = "witness"

// expected is one event that the topics must hold.
type expected struct {
	op    event.Op // 0: no event takes this place of the transaction
	table uint8    // in wardTables
	key   uint64   // hash of the key's columns; 0 for a truncate
}

func (e expected) name() string { return wardTables[e.table] }

// ledger says what was committed: the events of each transaction by their
// ordinals, from 1. It is written from the witness's slot by pglogrepl, in
// protocol 1, so that streaming, spooling, checkpoints and restarts of the
// connector have no part in it.
type ledger struct {
	transactions map[event.LSN][]expected
	events       int

	relations map[uint32]*pglogrepl.RelationMessage
	open      []expected
	at        event.LSN
}

func newLedger() *ledger {
	return &ledger{transactions: map[event.LSN][]expected{}, relations: map[uint32]*pglogrepl.RelationMessage{}}
}

// read takes in what was committed up to a position of the log, and lets its
// WAL go. A server that was killed may show transactions again: they are what
// they were.
func (l *ledger) read(ctx context.Context, conn *pgx.Conn, to event.LSN) error {
	rows, err := conn.Query(ctx, `SELECT data FROM pg_logical_slot_get_binary_changes($1, $2::text::pg_lsn, NULL, 'proto_version', '1', 'publication_names', $3)`, witness, to.String(), slot)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := l.take(rows.RawValues()[0]); err != nil {
			return err
		}
	}
	return rows.Err()
}

// take reads a message.
func (l *ledger) take(data []byte) error {
	if len(data) > 0 && pglogrepl.MessageType(data[0]) == pglogrepl.MessageTypeStreamAbort {
		// A server that was killed within a large transaction may tell of its end
		// to one who asked for no streaming (case 04): nothing of it was sent.
		return nil
	}
	message, err := pglogrepl.Parse(data)
	if err != nil {
		return fmt.Errorf("message %q: %w", data[:min(1, len(data))], err)
	}
	switch m := message.(type) {
	case *pglogrepl.BeginMessage:
		l.open, l.at = nil, event.LSN(m.FinalLSN)
	case *pglogrepl.CommitMessage:
		if _, again := l.transactions[l.at]; !again {
			l.transactions[l.at] = slices.Clip(l.open)
			for _, e := range l.open {
				if e.op != 0 {
					l.events++
				}
			}
		}
	case *pglogrepl.RelationMessage:
		l.relations[m.RelationID] = m
	case *pglogrepl.InsertMessage:
		return l.add(event.Create, m.RelationID, m.Tuple)
	case *pglogrepl.UpdateMessage:
		if m.OldTuple == nil {
			return l.add(event.Update, m.RelationID, m.NewTuple)
		}
		// With an old image an update takes two places; a change of key fills
		// both (P6).
		before, err := l.key(m.RelationID, m.OldTuple)
		if err != nil {
			return err
		}
		after, err := l.key(m.RelationID, m.NewTuple)
		if err != nil {
			return err
		}
		if before == after {
			l.open = append(l.open, expected{})
			return l.add(event.Update, m.RelationID, m.NewTuple)
		}
		if err := l.add(event.Delete, m.RelationID, m.OldTuple); err != nil {
			return err
		}
		return l.add(event.Create, m.RelationID, m.NewTuple)
	case *pglogrepl.DeleteMessage:
		return l.add(event.Delete, m.RelationID, m.OldTuple)
	case *pglogrepl.TruncateMessage:
		for _, id := range m.RelationIDs {
			l.open = append(l.open, expected{op: event.Truncate, table: tableIndex(l.relations[id])})
		}
	}
	return nil
}

func (l *ledger) add(op event.Op, relation uint32, tuple *pglogrepl.TupleData) error {
	key, err := l.key(relation, tuple)
	if err != nil {
		return err
	}
	l.open = append(l.open, expected{op, tableIndex(l.relations[relation]), key})
	return nil
}

func tableIndex(r *pglogrepl.RelationMessage) uint8 {
	return uint8(slices.Index(wardTables, r.RelationName))
}

// keys are the columns of each table's key.
var keys = map[string][]string{
	"patient": {"patient_id"}, "visit": {"patient_id", "day"}, "reading": {"reading_id"}, "ticket": {"ticket_id"}, "stock": {"item_id"},
}

func (l *ledger) key(relation uint32, tuple *pglogrepl.TupleData) (uint64, error) {
	r, ok := l.relations[relation]
	if !ok {
		return 0, fmt.Errorf("relation %d was never described", relation)
	}
	var parts []string
	for _, name := range keys[r.RelationName] {
		i := slices.IndexFunc(r.Columns, func(c *pglogrepl.RelationMessageColumn) bool { return c.Name == name })
		if i < 0 || i >= len(tuple.Columns) || tuple.Columns[i].DataType != pglogrepl.TupleDataTypeText {
			return 0, fmt.Errorf("%s: a row without its key column %s", r.RelationName, name)
		}
		parts = append(parts, string(tuple.Columns[i].Data))
	}
	return hashOf(parts), nil
}

func hashOf(parts []string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(parts, "|"))) // never fails
	return h.Sum64()
}
