package file

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/schemas/topic"
)

// The kinds of records in the state topic. A key is the kind and, but for the
// those that say so, "/" and a name.
const (
	stateCheckpoint = "checkpoint"
	stateOwner      = "owner"
	stateBarrier    = "barrier" // says nothing: such a record is written to be seen
	stateContent    = "content" // name is "<table>/<hash of a file's content>"
	stateName       = "name"    // name is that of a file
	stateRow        = "row"     // name is "<table>/<key>", value the row's digest
)

// checkpoint is the progress of a source.
type checkpoint struct {
	// Epoch is the source epoch (event.Position).
	Epoch uint32 `json:"epoch"`
	// Sequence is the number of the last file that was begun. It takes the
	// place of the LSN in positions.
	Sequence uint64 `json:"sequence"`
	// Current is the file that is being taken in.
	Current *current `json:"current,omitempty"`
	// Columns are the columns that files have had, by table, and Keys those of
	// its key.
	Columns map[string][]string `json:"columns,omitempty"`
	Keys    map[string][]string `json:"keys,omitempty"`
	// Stopped are the tables that are set aside, with the reason.
	Stopped map[string]string `json:"stopped,omitempty"`
	// BeatMillis is when it was written: while the connector lives, and Kafka is
	// there, hardly longer ago than a heartbeat.
	BeatMillis int64 `json:"beat_ms"`
}

// current is a file that is being taken in. Its times are noted once, so that
// an event is the same however often it is made (P6).
type current struct {
	Name     string `json:"name"`
	Table    string `json:"table"`
	Content  string `json:"content"` // hash
	Sequence uint64 `json:"sequence"`
	// ModifiedMicros is the file's own time: the commit time of its events.
	ModifiedMicros int64 `json:"modified_us"`
	// SeenMillis is when it was first taken up: the time of its records in
	// Kafka, whose retention must not count from the day an old file was made.
	SeenMillis int64 `json:"seen_ms"`
	// Shape is a hash of how rows are read: another one means other events.
	Shape string `json:"shape"`
	// Line is the last line whose event is in Kafka.
	Line   uint32 `json:"line"`
	Counts counts `json:"counts"`
}

// counts are what became of a file's rows.
type counts struct {
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
	Removed int64 `json:"removed"`
	Same    int64 `json:"same"`
	Refused int64 `json:"refused"`
	// Erased are rows of erased people, which were kept out (P12).
	Erased int64 `json:"erased,omitempty"`
}

// taken is a content that was taken in, or refused as a whole.
type taken struct {
	Name           string `json:"name"`
	Sequence       uint64 `json:"sequence"`
	ModifiedMicros int64  `json:"modified_us"`
	SeenMillis     int64  `json:"seen_ms"`
	Counts         counts `json:"counts"`
	// Reason is why it was refused as a whole.
	Reason string `json:"reason,omitempty"`
	// Key names the key of tokens ("t1") that the digests of its rows are of.
	Key string `json:"key,omitempty"`
	// Again: it is to be taken in again under the key of tokens in force.
	Again bool `json:"again,omitempty"`
}

// known is what a name stood for when it was last dealt with: while nothing
// speaks for another content, nor a refused file for another outcome, it is not
// read again.
type known struct {
	Size           int64  `json:"size"`
	ModifiedMicros int64  `json:"modified_us"`
	Tag            string `json:"tag,omitempty"`
	// Reported: there is a report of refused rows.
	Reported bool `json:"reported,omitempty"`
	// Refused is the shape of the table (current.Shape) under which the file was
	// refused as a whole; empty when it was not.
	Refused string `json:"refused,omitempty"`
}

// readState gives every record of a source's state topic, in order; none when
// its connector never ran.
func readState(ctx context.Context, kafka *topic.Client, source string, fn func(kind, name string, value []byte) error) error {
	state := StateTopic(source)
	if counts, err := kafka.PartitionCounts(ctx, state); err != nil || counts[state] == 0 {
		return err
	}
	return kafka.ReadAll(ctx, state, func(r topic.Record) error {
		kind, name, _ := strings.Cut(string(r.Key), "/")
		if err := fn(kind, name, r.Value); err != nil {
			return fmt.Errorf("topic %s, offset %d: %w", state, r.Offset, err)
		}
		return nil
	})
}

func (s *session) put(ctx context.Context, kind, name string, value []byte) error {
	s.stateKey = append(s.stateKey[:0], kind...)
	if name != "" {
		s.stateKey = append(append(s.stateKey, '/'), name...)
	}
	return s.producer.Add(ctx, topic.Partition{Topic: StateTopic(s.Source)}, s.stateKey, value, time.Now().UnixMilli())
}

func (s *session) putJSON(ctx context.Context, kind, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.put(ctx, kind, name, data)
}

// save commits the open transaction with the checkpoint in it.
func (s *session) save(ctx context.Context) error {
	s.beaten = time.Now()
	s.checkpoint.BeatMillis = s.beaten.UnixMilli()
	if err := s.putJSON(ctx, stateCheckpoint, "", s.checkpoint); err != nil {
		return err
	}
	return s.commit(ctx)
}

// beat saves when that was last done a heartbeat ago.
func (s *session) beat(ctx context.Context) error {
	if time.Since(s.beaten) < heartbeat {
		return ctx.Err()
	}
	return s.save(ctx)
}

// commit ends the open transaction. Once begun it is seen through, also when we
// are told to stop: it takes milliseconds, and cut short nobody would know its
// outcome before the next session. The producer's own patience bounds it.
func (s *session) commit(ctx context.Context) error {
	began := time.Now()
	if err := s.producer.Commit(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	s.metrics.commits.Observe(time.Since(began).Seconds())
	return nil
}

// barrierPause is how long to wait before the state is read again.
const barrierPause = 50 * time.Millisecond

// own makes the source ours and reads its state. A reader whose broker has not
// heard yet how the last transaction ended would take old state for the last.
// So a record is written and waited for; what is below it is all there is.
func (s *session) own(ctx context.Context) error {
	barrier := rand.Text()
	if err := errors.Join(s.put(ctx, stateBarrier, "", []byte(barrier)), s.put(ctx, stateOwner, "", []byte(s.id))); err != nil {
		return err
	}
	if err := s.commit(ctx); err != nil {
		return err
	}
	for {
		seen, err := s.load(ctx)
		if err != nil {
			return err
		}
		if seen == barrier {
			return s.first(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(barrierPause):
		}
	}
}

// first begins the state of a source that has none. Topics of events without a
// state are of a source whose state was lost, or of another connector: events
// of ours would count as older than those, and silver would not take them (P2).
func (s *session) first(ctx context.Context) error {
	if s.checkpoint.Epoch > 0 {
		return nil
	}
	var parts []topic.Partition
	for _, t := range s.tables {
		name := topic.Public(s.Source, t.sector.Schema, t.sector.Name)
		counts, err := s.Kafka.PartitionCounts(ctx, name)
		if err != nil {
			return err
		}
		for id := range counts[name] {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	ends, err := s.Kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if ends[p] > 0 {
			return &ConfigError{fmt.Sprintf("source %s: topic %s has events, but %s does not know of any: restore that topic if it was lost, or give the files another source name", s.Source, p.Topic, StateTopic(s.Source))}
		}
	}
	s.checkpoint.Epoch = 1
	return nil
}

// load reads the state and gives the last barrier in it.
func (s *session) load(ctx context.Context) (barrier string, err error) {
	if err := s.forget(); err != nil {
		return "", err
	}
	s.checkpoint, s.keys = checkpoint{}, connectors.Fingerprints{}
	s.taken, s.names = map[string]taken{}, map[string]known{}
	histories := map[string]*diff.History{}
	for _, t := range s.tables {
		histories[t.name()] = diff.NewHistory(s.scratch.create, diff.DefaultMemory)
	}
	err = readState(ctx, s.Kafka, s.Source, func(kind, name string, value []byte) error {
		switch kind {
		case stateCheckpoint:
			s.checkpoint = checkpoint{}
			return json.Unmarshal(value, &s.checkpoint)
		case stateBarrier:
			barrier = string(value)
		case stateKeys:
			s.keys = connectors.Fingerprints{}
			return json.Unmarshal(value, &s.keys)
		case stateContent:
			var t taken
			if err := json.Unmarshal(value, &t); err != nil {
				return err
			}
			s.taken[name] = t
		case stateName:
			if value == nil { // Reread
				delete(s.names, name)
				return nil
			}
			var k known
			if err := json.Unmarshal(value, &k); err != nil {
				return err
			}
			s.names[name] = k
		case stateRow:
			table, key, _ := strings.Cut(name, "/")
			if h := histories[table]; h != nil {
				return h.Put([]byte(key), value)
			}
		}
		return nil
	})
	if s.checkpoint.Columns == nil {
		s.checkpoint.Columns = map[string][]string{}
	}
	if s.checkpoint.Keys == nil {
		s.checkpoint.Keys = map[string][]string{}
	}
	for _, t := range s.tables {
		if err != nil {
			err = errors.Join(err, histories[t.name()].Close())
			continue
		}
		t.known, err = histories[t.name()].Run()
	}
	return barrier, err
}

// forget gives the storage of what is known of the rows back.
func (s *session) forget() error {
	var errs []error
	for _, t := range s.tables {
		if t.known != nil {
			errs = append(errs, t.known.Close())
			t.known = nil
		}
	}
	return errors.Join(errs...)
}

// addColumns notes the columns that a file has.
func (c *checkpoint) addColumns(table string, names []string) {
	all := append(slices.Clone(c.Columns[table]), names...)
	slices.Sort(all)
	c.Columns[table] = slices.Compact(all)
}
