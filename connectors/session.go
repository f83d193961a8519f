package connectors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is one try: connections, producer and the state that they share.
// Everything in it is used by one goroutine.
type session struct {
	*Connector
	producer   *topic.Producer
	checkpoint checkpoint.Checkpoint
	sql        *pgx.Conn
	database   string
	catalog    *postgres.Catalog

	// Scratch of emit.
	key, value, vaultValue []byte
}

// session runs until something breaks or the context ends.
func (c *Connector) session(ctx context.Context) (err error) {
	s := &session{Connector: c}
	if err := s.ensureTopics(ctx); err != nil {
		return err
	}
	// Making the producer fences a connector that lost its way and may still
	// run (case 34), and aborts what it left open: the checkpoint read after it
	// is final.
	if s.producer, err = s.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: transactionalID(s.Source)}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.producer.Close()) }()
	all, err := Checkpoints(ctx, s.Kafka)
	if err != nil {
		return err
	}
	s.checkpoint = all[s.Source]
	if s.checkpoint.Tables == nil {
		s.checkpoint.Tables = map[string]checkpoint.Table{}
	}

	if s.sql, err = postgres.Connect(ctx, s.DSN); err != nil {
		return err
	}
	defer closeSQL(s.sql)
	s.database = s.sql.Config().Database
	s.catalog = postgres.NewCatalog(s.sql)
	repl, err := postgres.ConnectReplication(ctx, s.DSN)
	if err != nil {
		return err
	}
	defer closeReplication(repl)

	snapshot, err := s.ensureSlot(ctx, repl)
	if err != nil {
		return err
	}
	if err := s.snapshot(ctx, repl, snapshot); err != nil {
		return err
	}
	return s.stream(ctx, repl)
}

// closeBound is how long a clean goodbye may take; the server notices a broken
// connection by itself.
const closeBound = 2 * time.Second

func closeSQL(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeBound)
	defer cancel()
	// A goodbye that fails changes nothing: the connection only read.
	_ = conn.Close(ctx)
}

func closeReplication(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeBound)
	defer cancel()
	// As above: everything that counts was confirmed or will be sent again.
	_ = conn.Close(ctx)
}

func (s *session) ensureTopics(ctx context.Context) error {
	created, err := s.Kafka.Ensure(ctx, append(s.Topics.Specs(s.Source, s.Sector), s.Topics.StateSpec())...)
	if err != nil {
		return err
	}
	if len(created) > 0 {
		s.Log.Info("topics created", "topics", created)
	}
	return nil
}

// ensureSlot finds the slot where the checkpoint left it, or makes it for a
// source that is captured for the first time or anew. The snapshot is the
// slot's own when it was just made.
func (s *session) ensureSlot(ctx context.Context, repl *pgconn.PgConn) (*postgres.Snapshot, error) {
	server, err := postgres.Inspect(ctx, repl, s.sql, s.Slot)
	if err != nil {
		return nil, err
	}
	if s.checkpoint.Started() && s.checkpoint.SystemID != "" {
		if err := s.checkpoint.Check(server); err != nil {
			return nil, &GapError{Source: s.Source, Err: err}
		}
		return nil, nil
	}
	// No checkpoint speaks of this slot: it is left from a start that ended
	// before its checkpoint was written, or from a Kafka that is gone.
	if server.SlotExists {
		if err := postgres.DropSlot(ctx, s.sql, s.Slot); err != nil {
			return nil, err
		}
	}
	snapshot, err := postgres.CreateSlot(ctx, repl, s.Slot)
	if err != nil {
		return nil, err
	}
	s.checkpoint = checkpoint.Checkpoint{
		SystemID: server.SystemID, Timeline: server.Timeline, Slot: s.Slot,
		Epoch: s.checkpoint.Epoch + 1, LSN: 0, Confirmed: snapshot.LSN, Tables: s.checkpoint.Tables,
	}
	s.Log.Info("replication slot made", "slot", s.Slot, "lsn", snapshot.LSN.String(), "epoch", s.checkpoint.Epoch)
	if err := saveCheckpoint(ctx, s.producer, s.Source, s.checkpoint); err != nil {
		return nil, err
	}
	return &snapshot, nil
}

// emit adds one event to its lanes: key, value, tombstone after a delete. All
// bytes are made before the first is added, so a row that cannot be encoded
// leaves nothing behind; the error then is a *QuarantineError.
func (s *session) emit(ctx context.Context, t *table, ev *event.Event) error {
	row := ev.After
	if ev.Op == event.Delete {
		row = ev.Before
	}
	var err error
	quarantine := func(err error) error {
		return &QuarantineError{Table: t.name(), Err: fmt.Errorf("event %s: %w", ev.Position, err)}
	}
	keyed := len(t.key) > 0
	if keyed {
		if s.key, err = t.public.encoder.AppendKey(s.key[:0], t.public.keyID, row); err != nil {
			return quarantine(err)
		}
	}
	if s.value, err = t.public.encoder.AppendValue(s.value[:0], t.public.valueID, ev); err != nil {
		return quarantine(err)
	}
	if t.vault.topic != "" {
		if s.vaultValue, err = t.vault.encoder.AppendValue(s.vaultValue[:0], t.vault.valueID, ev); err != nil {
			return quarantine(err)
		}
	}
	if n := max(len(s.value), len(s.vaultValue)); n > s.MaxRowBytes {
		return quarantine(fmt.Errorf("the row has %d bytes, max_row_bytes is %d", n, s.MaxRowBytes))
	}
	if err := s.add(ctx, &t.public, keyed, s.value, ev); err != nil {
		return err
	}
	if t.vault.topic != "" {
		if err := s.add(ctx, &t.vault, keyed, s.vaultValue, ev); err != nil {
			return err
		}
	}
	s.metrics.events.WithLabelValues(t.name(), ev.Op.String()).Inc()
	return nil
}

func (s *session) add(ctx context.Context, l *lane, keyed bool, value []byte, ev *event.Event) error {
	part := topic.Partition{Topic: l.topic}
	var key []byte
	if keyed {
		key = s.key
		part.ID = topic.PartitionFor(key, l.partitions)
	}
	millis := ev.CommitMicros / 1000
	if err := s.producer.Add(ctx, part, key, value, millis); err != nil {
		return err
	}
	if ev.Op == event.Delete && keyed {
		return s.producer.Add(ctx, part, key, nil, millis)
	}
	return nil
}

// truncate tells every partition of the table's lanes, each in its place.
func (s *session) truncate(ctx context.Context, t *table, ev *event.Event) error {
	for _, l := range []*lane{&t.public, &t.vault} {
		if l.topic == "" {
			continue
		}
		var err error
		if s.value, err = l.encoder.AppendValue(s.value[:0], l.valueID, ev); err != nil {
			return &QuarantineError{Table: t.name(), Err: err}
		}
		for id := range l.partitions {
			if err := s.producer.Add(ctx, topic.Partition{Topic: l.topic, ID: id}, nil, s.value, ev.CommitMicros/1000); err != nil {
				return err
			}
		}
	}
	s.metrics.events.WithLabelValues(t.name(), ev.Op.String()).Inc()
	return nil
}

// quarantine sets a table aside: from here on its raw events go to its
// dead-letter topic and the LSN goes on, so one bad table never holds the slot
// (P3, P7).
func (s *session) quarantine(t *table, err error) {
	t.quarantined = err.Error()
	state := s.checkpoint.Tables[t.name()]
	state.Quarantined = t.quarantined
	s.checkpoint.Tables[t.name()] = state
	s.metrics.quarantined.WithLabelValues(t.name()).Set(1)
	s.Log.Error("table quarantined: its events go to the dead-letter topic, the other tables flow",
		"table", t.name(), "error", err, "topic", DeadLetters(s.Source, t.sector),
		"mend", "remove the cause, then: hopluu connector resnapshot "+s.Source+" "+t.name())
}

// letter puts a raw event into the table's dead-letter topic. Keys of such
// topics are nil: vault topics are compacted, dead letters are not.
func (s *session) letter(ctx context.Context, t *table, frame []byte, p event.Position, micros int64) error {
	s.metrics.letters.WithLabelValues(t.name()).Inc()
	return s.producer.Add(ctx, topic.Partition{Topic: DeadLetters(s.Source, t.sector)}, nil, frame, micros/1000,
		topic.Header{Key: "hopluu.reason", Value: []byte(t.quarantined)},
		topic.Header{Key: "hopluu.position", Value: []byte(p.String())},
		topic.Header{Key: "hopluu.format", Value: []byte("pgoutput")})
}
