package erase

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/twmb/franz-go/pkg/sr"
)

// Dead letters are kept as they came, with many of one key, so that no tombstone
// reaches them: a topic of theirs that has some of an erased person is written
// once more without these, and what was there before is deleted. Who reads such
// a topic begins at its start, wherever that is.

// lettersID is the transactional id of what is written once more.
const lettersID = "hopluu-eraser-letters"

// lettersAtOnce is how many letters one transaction has.
const lettersAtOnce = 5000

// headerTopic is where sink and matcher say from which topic a letter came.
const headerTopic = "hopluu.topic"

// box is a topic of dead letters and the table that they are of.
type box struct {
	name string
	lane lane
}

func (e *Eraser) boxes() (all []box) {
	for i := range e.Sources {
		s := &e.Sources[i]
		for k := range s.Sector.Tables {
			t := &s.Sector.Tables[k]
			for _, of := range []string{topic.Public(s.Name, t.Schema, t.Name), topic.Vault(s.Name, t.Schema, t.Name)} {
				all = append(all, box{topic.DeadLetter(of), lane{of, s.Name, t}})
			}
		}
	}
	return all
}

// emptyLetters takes a person's records out of the dead letters. What speaks of
// the person and never was more than a letter is put into the ledger first, for
// ClickHouse has these letters too.
func (e *Eraser) emptyLetters(ctx context.Context, ledger *erasure.Ledger, id string) error {
	if _, done := ledger.Done(id)[erasure.StepLetters]; done {
		return nil
	}
	boxes := e.boxes()
	names := make([]string, len(boxes))
	for i, b := range boxes {
		names[i] = b.name
	}
	counts, err := e.Kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return err
	}
	gone := map[int]*sorted{}
	for more := true; more; {
		// Once more with what was found: other letters are of the same records.
		clear(gone)
		records, tokens := ledger.Names(id)
		var found []string
		for i, b := range boxes {
			if counts[b.name] == 0 {
				continue
			}
			s, err := e.sort(ctx, b, counts[b.name], &judge{e: e, lane: b.lane, records: records, tokens: tokens})
			if err != nil {
				return fmt.Errorf("dead letters %s: %w", b.name, err)
			}
			found, gone[i] = append(found, s.more...), s
		}
		if more, err = e.found(ctx, ledger, id, found); err != nil {
			return err
		}
	}
	total := int64(0)
	for _, i := range slices.Sorted(maps.Keys(gone)) {
		if n := gone[i].untold; n > 0 {
			e.Log.Warn("of some dead letters nobody can tell whose they are; they stay: mend what they wait for, or delete the topic", "erasure", id, "topic", boxes[i].name, "letters", n)
		}
		if len(gone[i].theirs) == 0 {
			continue
		}
		if err := e.withoutTheirs(ctx, boxes[i].name, gone[i]); err != nil {
			return fmt.Errorf("dead letters %s: %w", boxes[i].name, err)
		}
		total += int64(len(gone[i].theirs))
		e.Log.Info("an erased person's dead letters are deleted", "erasure", id, "topic", boxes[i].name, "letters", len(gone[i].theirs))
	}
	m, err := stepMessage(ledger, id, erasure.StepLetters, total)
	if err != nil {
		return err
	}
	return feed.Write(ctx, e.Kafka, ledgerID, now(), m)
}

// found puts names of records into the ledger that letters have of a person, and
// tells whether it did not know them.
func (e *Eraser) found(ctx context.Context, ledger *erasure.Ledger, id string, names []string) (bool, error) {
	said, changed := ledger.More(id, erasure.FoundLetters, now(), names, nil)
	if len(names) == 0 || !changed {
		return false, nil
	}
	key, value, err := said.Message(id, erasure.FoundLetters)
	if err == nil {
		err = feed.Write(ctx, e.Kafka, ledgerID, now(), feed.Message{Key: key, Value: value})
	}
	if err == nil {
		err = ledger.Take(key, value)
	}
	return true, err
}

// sorted is what a topic of dead letters has, as far as it was read.
type sorted struct {
	ends   map[topic.Partition]int64
	theirs map[place]bool
	more   []string // names of records that speak of the person
	untold int      // that cannot be told
}

type place struct {
	topic.Partition
	offset int64
}

// sort finds the letters of a person.
func (e *Eraser) sort(ctx context.Context, b box, partitions int32, j *judge) (*sorted, error) {
	s := &sorted{theirs: map[place]bool{}}
	var parts []topic.Partition
	for id := range partitions {
		parts = append(parts, topic.Partition{Topic: b.name, ID: id})
	}
	var err error
	if s.ends, err = e.Kafka.EndOffsets(ctx, parts...); err != nil {
		return nil, err
	}
	raw := map[topic.Partition]*rawJudge{}
	err = e.Kafka.ReadAll(ctx, b.name, func(rec topic.Record) error {
		if rec.Offset >= s.ends[rec.Partition] {
			return nil
		}
		if header(&rec, headerTopic) == "" {
			r := raw[rec.Partition]
			if r == nil {
				r = &rawJudge{judge: j}
				raw[rec.Partition] = r
			}
			return r.take(&rec, s)
		}
		verdict, err := j.of(ctx, &rec)
		s.note(verdict, place{rec.Partition, rec.Offset})
		return err
	})
	s.more = j.more
	return s, err
}

type verdict int

const (
	somebodys verdict = iota
	theirs
	untold
)

func (s *sorted) note(v verdict, places ...place) {
	switch v {
	case theirs:
		for _, p := range places {
			s.theirs[p] = true
		}
	case untold:
		s.untold += len(places)
	}
}

// withoutTheirs writes the others' letters once more and deletes all that was
// there. Killed between the two it finds its copies, which are the same.
func (e *Eraser) withoutTheirs(ctx context.Context, name string, s *sorted) (err error) {
	producer, err := e.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: lettersID})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	there := map[[16]byte]bool{}
	n := 0
	err = e.Kafka.ReadAll(ctx, name, func(rec topic.Record) error {
		if rec.Offset >= s.ends[rec.Partition] || s.theirs[place{rec.Partition, rec.Offset}] {
			return nil
		}
		same := digest(&rec)
		if there[same] {
			return nil
		}
		there[same] = true
		if err := producer.Add(ctx, rec.Partition, rec.Key, rec.Value, rec.TimestampMs, rec.Headers...); err != nil {
			return err
		}
		if n++; n%lettersAtOnce == 0 {
			return producer.Commit(ctx)
		}
		return nil
	})
	if err == nil {
		err = producer.Commit(ctx)
	}
	if err == nil && e.Copied != nil {
		err = e.Copied()
	}
	for p, end := range s.ends {
		if err == nil {
			err = e.Kafka.DeleteBefore(ctx, p, end)
		}
	}
	return err
}

// digest is the same for a letter and its copy.
func digest(rec *topic.Record) (short [16]byte) {
	h := sha256.New()
	put := func(b []byte) { // a hash's Write never fails
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		_, _ = h.Write(b)
	}
	put(rec.Key)
	put(rec.Value)
	put(binary.BigEndian.AppendUint64(nil, uint64(rec.TimestampMs)))
	put(binary.BigEndian.AppendUint32(nil, uint32(rec.ID)))
	for _, x := range rec.Headers {
		put([]byte(x.Key))
		put(x.Value)
	}
	copy(short[:], h.Sum(nil))
	return short
}

func header(rec *topic.Record, name string) string {
	for _, h := range rec.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// judge tells whose a letter is.
type judge struct {
	e               *Eraser
	lane            lane
	records, tokens []string // sorted
	more            []string
	name            []byte
	decoded         avro.Decoded
}

func (j *judge) erased(record string) bool {
	_, ok := slices.BinarySearch(j.records, record)
	return ok
}

func (j *judge) token(t []byte) bool {
	_, ok := slices.BinarySearch(j.tokens, string(t))
	return ok
}

// of judges a letter of the sink's or the matcher's, which is a message as it
// came: by its key, and by its row where that can be read.
func (j *judge) of(ctx context.Context, rec *topic.Record) (verdict, error) {
	id, payload, err := avro.SplitWire(rec.Key)
	if err != nil {
		return untold, nil
	}
	k, err := j.e.key(ctx, id)
	if unknown(err) {
		return untold, nil
	}
	if err != nil {
		return untold, err
	}
	if k.err != nil {
		return untold, nil
	}
	if k.cells, err = k.record.Decode(payload, k.cells); err != nil {
		return untold, nil
	}
	j.name = avro.AppendRecordID(j.name[:0], j.lane.source, j.lane.table.Name, k.record.Columns(), k.cells)
	name := string(j.name)
	if j.erased(name) {
		return theirs, nil
	}
	v, err := j.row(ctx, rec)
	if v == theirs {
		j.more = append(j.more, name)
	}
	return v, err
}

// row judges a message by its row. One that cannot be read says nothing: its key
// says whose it is not.
func (j *judge) row(ctx context.Context, rec *topic.Record) (verdict, error) {
	if rec.Value == nil || j.lane.table.Person == nil {
		return somebodys, nil
	}
	value := rec.Value
	if strings.HasPrefix(j.lane.topic, "vault.") {
		var err error
		if value, err = j.e.Vault.Open(rec.Value, j.lane.topic, rec.Key); err != nil {
			return somebodys, nil // that it cannot be opened is why it is a letter
		}
	}
	id, payload, err := avro.SplitWire(value)
	if err != nil {
		return somebodys, nil
	}
	schema, err := j.e.Registry.Schema(ctx, id)
	if unknown(err) {
		return somebodys, nil // as is a schema that nobody knows
	}
	if err != nil {
		return somebodys, err
	}
	envelope, err := avro.ParseEnvelope(schema)
	if err != nil || envelope.Decode(payload, &j.decoded) != nil {
		return somebodys, nil
	}
	for _, side := range []struct {
		there bool
		cells []avro.Cell
	}{{j.decoded.HasBefore, j.decoded.Before}, {j.decoded.HasAfter, j.decoded.After}} {
		if side.there && j.cells(envelope.Columns(), side.cells) {
			return theirs, nil
		}
	}
	return somebodys, nil
}

// unknown tells that the registry has no such schema, which waiting does not mend.
func unknown(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.ErrorCode == sr.ErrSchemaNotFound.Code
}

// cells tells whether a row speaks of the person, or has one of their numbers.
func (j *judge) cells(columns []avro.Column, cells []avro.Cell) bool {
	person := j.lane.table.Person
	for i := range columns {
		c := &columns[i]
		switch {
		case cells[i].Null:
		case !person.Direct:
			if c.Name == avro.SafeName(person.Via) {
				j.name = avro.AppendRecordID(j.name[:0], j.lane.source, person.To, columns[i:i+1], cells[i:i+1])
				if j.erased(string(j.name)) {
					return true
				}
			}
		case c.Type.Logical == "hopluu.token":
			if j.token(cells[i].B) {
				return true
			}
		default:
			if domain := j.number(c.Name); domain != "" && j.token(j.e.tokenOf(domain, plain(&cells[i], c.Type.Kind))) {
				return true
			}
		}
	}
	return false
}

// number is the kind of number that a field of a vault message has of the row's
// own person, "" when it has none.
func (j *judge) number(field string) string {
	for k := range j.lane.table.Columns {
		d := &j.lane.table.Columns[k]
		name := avro.SafeName(d.Name)
		if (field == name || field == name+"_plain") && d.Match != "" && slices.Contains(connectors.Personal, d.Identifier) {
			return d.Identifier
		}
	}
	return ""
}
