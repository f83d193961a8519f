package erase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// lane is one table with a vault topic.
type lane struct {
	topic, source string
	table         *sectors.Table
}

func (e *Eraser) lanes() (all []lane) {
	for i := range e.Sources {
		s := &e.Sources[i]
		for k := range s.Sector.Tables {
			if t := &s.Sector.Tables[k]; t.Vault() {
				all = append(all, lane{topic.Vault(s.Name, t.Schema, t.Name), s.Name, t})
			}
		}
	}
	return all
}

// number is one of a person's numbers, in the form that is hashed.
type number struct{ domain, canonical string }

// findNumbers puts the tokens of the person's numbers into the ledger, but for
// those that somebody else's record has too: a number that two people gave is no
// reason to keep the other one's rows out.
func (e *Eraser) findNumbers(ctx context.Context, ledger *erasure.Ledger, id string) error {
	if _, open := ledger.More(id, erasure.FoundVault, 0, nil, nil); !open {
		return nil
	}
	tokenizer := cmp.Or(e.Records, e.Tokens)
	if tokenizer == nil {
		return errors.New("tokens.key_file is not set where 'hopluu processor run' runs, and without the key a row with the person's number could come back under another key: set it there")
	}
	records, _ := ledger.Names(id)
	theirs := map[string]bool{}
	for _, r := range records {
		theirs[r] = true
	}
	found, others := map[number]bool{}, map[number]bool{}
	for round, into := range []map[number]bool{found, others} {
		for _, l := range e.lanes() {
			if round == 0 && !slices.ContainsFunc(records, func(r string) bool { return ofTable(r, l) }) {
				continue
			}
			err := e.read(ctx, l, func(name []byte, rec *topic.Record) error {
				if rec.Value == nil || theirs[string(name)] != (round == 0) {
					return nil
				}
				return e.numbers(ctx, l, rec, func(n number) {
					if round == 0 || found[n] {
						into[n] = true
					}
				})
			})
			if err != nil {
				return err
			}
		}
	}
	var tokens, marks []string
	for n := range found {
		if others[n] {
			continue
		}
		if t := tokenizer.Append(nil, n.domain, []byte(n.canonical)); len(t) > 0 {
			tokens = append(tokens, string(t))
		}
		for _, key := range append([]*token.Tokenizer{e.Records, e.Tokens}, e.OldTokens...) {
			if key != nil && key != tokenizer {
				if t := key.Append(nil, n.domain, []byte(n.canonical)); len(t) > 0 {
					marks = append(marks, string(t))
				}
			}
		}
	}
	said, _ := ledger.More(id, erasure.FoundVault, time.Now().UnixMilli(), nil, tokens, marks...)
	key, value, err := said.Message(id, erasure.FoundVault)
	if err != nil {
		return err
	}
	return feed.Write(ctx, e.Kafka, ledgerID, time.Now().UnixMilli(), feed.Message{Key: key, Value: value})
}

// tokenOf is the token by which records are named and erased numbers are known;
// nothing without a key.
func (e *Eraser) tokenOf(domain string, plain []byte) []byte {
	tokenizer := cmp.Or(e.Records, e.Tokens)
	if tokenizer == nil {
		return nil
	}
	return tokenizer.Append(nil, domain, plain)
}

// ofTable tells whether a record's name is one of a lane's.
func ofTable(record string, l lane) bool {
	prefix := l.source + "." + l.table.Name + ":"
	return len(record) > len(prefix) && record[:len(prefix)] == prefix
}

// emptyVault writes a tombstone over each record of the person that the vault
// has, under the very key that it has there. The connectors were fenced, so that
// nothing comes after it.
func (e *Eraser) emptyVault(ctx context.Context, ledger *erasure.Ledger, id string) (err error) {
	if _, done := ledger.Done(id)[erasure.StepVault]; done {
		return nil
	}
	records, _ := ledger.Names(id)
	type key struct {
		topic.Partition
		key string
	}
	there := map[key]bool{}
	for _, l := range e.lanes() {
		if !slices.ContainsFunc(records, func(r string) bool { return ofTable(r, l) }) {
			continue
		}
		err := e.read(ctx, l, func(name []byte, rec *topic.Record) error {
			if _, theirs := slices.BinarySearch(records, string(name)); theirs {
				there[key{rec.Partition, string(rec.Key)}] = rec.Value != nil
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	maps.DeleteFunc(there, func(_ key, value bool) bool { return !value })
	if len(there) > 0 {
		producer, err := e.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: vaultID})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, producer.Close()) }()
		at := now()
		for k := range there {
			if err := producer.Add(ctx, k.Partition, []byte(k.key), nil, at); err != nil {
				return fmt.Errorf("tombstones in %s: %w", k.Topic, err)
			}
		}
		if err := producer.Commit(ctx); err != nil {
			return fmt.Errorf("tombstones in the vault: %w", err)
		}
	}
	m, err := stepMessage(ledger, id, erasure.StepVault, int64(len(there)))
	if err != nil {
		return err
	}
	e.Log.Info("an erased person's records are out of the vault", "erasure", id, "records", len(there))
	return feed.Write(ctx, e.Kafka, ledgerID, now(), m)
}

func now() int64 { return time.Now().UnixMilli() }

// read gives each message of a lane's topic that names a record, in its order.
func (e *Eraser) read(ctx context.Context, l lane, fn func(name []byte, rec *topic.Record) error) error {
	counts, err := e.Kafka.PartitionCounts(ctx, l.topic)
	if err != nil || counts[l.topic] == 0 {
		return err // its connector never ran
	}
	var name []byte
	return e.Kafka.ReadAll(ctx, l.topic, func(rec topic.Record) error {
		id, payload, err := avro.SplitWire(rec.Key)
		if err != nil {
			return nil // a truncate or a marker, which name no record
		}
		k, err := e.key(ctx, id)
		if err != nil {
			return err
		}
		if k.err != nil {
			return fmt.Errorf("%s, offset %d: key schema %d: %w", rec.Partition, rec.Offset, id, k.err)
		}
		if k.cells, err = k.record.Decode(payload, k.cells); err != nil {
			return fmt.Errorf("%s, offset %d: key: %w", rec.Partition, rec.Offset, err)
		}
		name = avro.AppendRecordID(name[:0], l.source, l.table.Name, k.record.Columns(), k.cells)
		return fn(name, &rec)
	})
}

// keyReader is a key schema, or why it cannot be read.
type keyReader struct {
	record *avro.Record
	cells  []avro.Cell
	err    error
}

func (e *Eraser) key(ctx context.Context, id uint32) (*keyReader, error) {
	if k := e.keys[id]; k != nil {
		return k, nil
	}
	schema, err := e.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	k := &keyReader{}
	k.record, k.err = avro.ParseRecord(schema)
	e.keys[id] = k
	return k, nil
}

// rowSchema is a schema as one lane reads it.
type rowSchema struct {
	topic string
	id    uint32
}

// rowReader is a value schema with the columns that are numbers of the row's
// person.
type rowReader struct {
	envelope *avro.Envelope
	numbers  map[int]string // domain by column
	decoded  avro.Decoded
}

// numbers gives the numbers of a row's own person. A message that cannot be read
// says none: it is in the matcher's dead letters.
func (e *Eraser) numbers(ctx context.Context, l lane, rec *topic.Record, fn func(number)) error {
	value, err := e.Vault.Open(rec.Value, rec.Topic, rec.Key)
	if err != nil {
		return fmt.Errorf("%s, offset %d: %w", rec.Partition, rec.Offset, err)
	}
	id, payload, err := avro.SplitWire(value)
	if err != nil {
		return nil
	}
	r := e.rows[rowSchema{l.topic, id}]
	if r == nil {
		schema, err := e.Registry.Schema(ctx, id)
		if err != nil {
			return err
		}
		r = &rowReader{numbers: map[int]string{}}
		if r.envelope, err = avro.ParseEnvelope(schema); err == nil {
			for i, c := range r.envelope.Columns() {
				for k := range l.table.Columns {
					d := &l.table.Columns[k]
					name := avro.SafeName(d.Name)
					if (c.Name == name && c.Type.Logical != "hopluu.token" || c.Name == name+"_plain") &&
						d.Match != "" && slices.Contains(connectors.Personal, d.Identifier) {
						r.numbers[i] = d.Identifier
					}
				}
			}
		}
		e.rows[rowSchema{l.topic, id}] = r
	}
	if r.envelope == nil || len(r.numbers) == 0 || r.envelope.Decode(payload, &r.decoded) != nil || !r.decoded.HasAfter {
		return nil
	}
	for i, domain := range r.numbers {
		cell := &r.decoded.After[i]
		if cell.Null {
			continue
		}
		if canonical := token.AppendCanonical(nil, domain, plain(cell, r.envelope.Columns()[i].Type.Kind)); len(canonical) > 0 {
			fn(number{domain, string(canonical)})
		}
	}
	return nil
}

// plain is a number as it was typed.
func plain(cell *avro.Cell, kind avro.Kind) []byte {
	if kind == avro.Int || kind == avro.Long {
		return strconv.AppendInt(nil, cell.N, 10)
	}
	return cell.B
}
