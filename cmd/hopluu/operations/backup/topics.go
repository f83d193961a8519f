package backup

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"

	"github.com/hopluu/hopluu/schemas/topic"
)

// A topic's file holds its records one after the other: the partition, the
// timestamp in milliseconds, the key, the value and the headers, numbers as
// variable-length ones and bytes behind their length plus 1 (0: null).

func appendRecord(dst []byte, r *topic.Record) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.ID))
	dst = binary.AppendVarint(dst, r.TimestampMs)
	dst = appendBytes(appendBytes(dst, r.Key), r.Value)
	dst = binary.AppendUvarint(dst, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = appendBytes(appendBytes(dst, []byte(h.Key)), h.Value)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(b))+1), b...)
}

// maxField bounds what is read of one field: more than any topic takes.
const maxField = 64 << 20

func readRecord(from *bufio.Reader, name string) (topic.Record, error) {
	var r topic.Record
	id, err := binary.ReadUvarint(from)
	if err != nil {
		return r, err // io.EOF between two records
	}
	r.Partition = topic.Partition{Topic: name, ID: int32(id)}
	early := func(err error) error {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if r.TimestampMs, err = binary.ReadVarint(from); err != nil {
		return r, early(err)
	}
	if r.Key, err = readBytes(from); err != nil {
		return r, early(err)
	}
	if r.Value, err = readBytes(from); err != nil {
		return r, early(err)
	}
	n, err := binary.ReadUvarint(from)
	if err != nil || n > maxField {
		return r, early(cmpErr(err))
	}
	for range n {
		key, err := readBytes(from)
		if err != nil {
			return r, early(err)
		}
		value, err := readBytes(from)
		if err != nil {
			return r, early(err)
		}
		r.Headers = append(r.Headers, topic.Header{Key: string(key), Value: value})
	}
	return r, nil
}

var errRecord = errors.New("a record makes no sense")

func cmpErr(err error) error {
	if err == nil {
		return errRecord
	}
	return err
}

func readBytes(from *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(from)
	if err != nil || n == 0 {
		return nil, err
	}
	if n-1 > maxField {
		return nil, errRecord
	}
	b := make([]byte, n-1)
	_, err = io.ReadFull(from, b)
	return b, err
}

// topicFile is where a topic's records are.
func topicFile(name string) string { return "topics/" + name }

// saveTopic writes what a topic holds now.
func (r *run) saveTopic(ctx context.Context, spec topic.Spec) error {
	out, err := create(r.dir, topicFile(spec.Name), r.Key)
	if err != nil {
		return err
	}
	saved := Topic{Name: spec.Name, Partitions: spec.Partitions, Config: spec.Config, File: topicFile(spec.Name)}
	var buf []byte
	err = r.Kafka.ReadAll(ctx, spec.Name, func(rec topic.Record) error {
		buf = appendRecord(buf[:0], &rec)
		saved.Records++
		if saved.Records%10_000 == 0 {
			r.progress("topic "+spec.Name, saved.Records, 0)
		}
		if _, err := out.Write(buf); err != nil {
			return onDisk(err)
		}
		return nil
	})
	file, closed := out.close()
	if err := errors.Join(err, closed); err != nil {
		return err
	}
	r.manifest.Files = append(r.manifest.Files, file)
	r.manifest.Topics = append(r.manifest.Topics, saved)
	return nil
}

// each gives the records of a saved topic in their order.
func each(dir string, m *Manifest, t Topic, key []byte, fn func(*topic.Record) error) error {
	in, err := open(dir, t.File, m, key)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // was read only
	from := bufio.NewReaderSize(in, 1<<16)
	var n int64
	for {
		r, err := readRecord(from, t.Name)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && (r.ID < 0 || r.ID >= t.Partitions) {
			err = errRecord
		}
		if err != nil {
			return fmt.Errorf("backup %s, %s: %w", m.Name, t.File, err)
		}
		n++
		if err := fn(&r); err != nil {
			return err
		}
	}
	if n != t.Records {
		return fmt.Errorf("backup %s, %s: it has %d records, the manifest says %d", m.Name, t.File, n, t.Records)
	}
	return nil
}

// restoredHeader marks the records of a compacted topic that a restore wrote. One
// that was cut off may have written an older record of a key and not the last: when
// it is run again what bears the mark counts as not there.
const restoredHeader = "hopluu.restored"

// batchRecords is how many records are restored in one transaction.
const batchRecords = 5000

// RestoredTopic is what became of a saved topic.
type RestoredTopic struct {
	Topic   string `json:"topic"`
	Written int64  `json:"written"`
	// Kept is how many records were left out since the topic has them, or newer
	// ones of their keys.
	Kept int64 `json:"kept"`
}

// restoreTopic gives a topic the records of the backup that it lacks, in their
// order. Of a compacted topic those are the keys that it does not have: what it
// has is newer. Of another one it is every record that is not there, as often as
// it is missing. So it can be repeated, also after it was cut off. drop leaves
// records out.
func (c *Config) restoreTopic(ctx context.Context, dir string, m *Manifest, t Topic, drop func(*topic.Record) (bool, error)) (done RestoredTopic, err error) {
	done.Topic = t.Name
	if _, err := c.Kafka.Ensure(ctx, c.spec(t)); err != nil {
		return done, err
	}
	seed := maphash.MakeSeed()
	have := map[uint64]int{}
	var marks []topic.Header
	compacted := t.Config["cleanup.policy"] == "compact"
	if compacted {
		marks = []topic.Header{{Key: restoredHeader, Value: []byte(m.Name)}}
	}
	var buf []byte
	sum := func(r *topic.Record) uint64 {
		buf = appendBytes(binary.AppendUvarint(buf[:0], uint64(r.ID)), r.Key)
		if !compacted {
			buf = appendBytes(buf, r.Value)
		}
		return maphash.Bytes(seed, buf)
	}
	err = c.Kafka.ReadAll(ctx, t.Name, func(r topic.Record) error {
		if h := sum(&r); compacted && slices.ContainsFunc(r.Headers, func(h topic.Header) bool { return h.Key == restoredHeader }) {
			have[h] = 0
		} else {
			have[h]++
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	producer, err := c.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: "hopluu-restore-" + t.Name})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	err = each(dir, m, t, c.Key, func(r *topic.Record) error {
		if h := sum(r); have[h] > 0 {
			if !compacted {
				have[h]--
			}
			done.Kept++
			return nil
		}
		if drop != nil {
			if gone, err := drop(r); err != nil || gone {
				return err
			}
		}
		if err := producer.Add(ctx, r.Partition, r.Key, r.Value, r.TimestampMs, append(r.Headers, marks...)...); err != nil {
			return err
		}
		done.Written++
		if n, _ := producer.Pending(); n < batchRecords {
			return nil
		}
		c.progress("topic "+t.Name, done.Written, t.Records)
		return producer.Commit(ctx)
	})
	if err != nil {
		return done, err
	}
	if n, _ := producer.Pending(); n > 0 {
		err = producer.Commit(ctx)
	}
	return done, err
}

// spec is how a saved topic is made again: as the configuration has it now, but
// with the partitions that it had.
func (c *Config) spec(t Topic) topic.Spec {
	s := topic.Spec{Name: t.Name, Config: maps.Clone(t.Config)}
	if i := slices.IndexFunc(c.Topics, func(s topic.Spec) bool { return s.Name == t.Name }); i >= 0 {
		s = c.Topics[i]
	}
	s.Partitions = t.Partitions
	return s
}
