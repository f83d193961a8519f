package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// producer is the part of *topic.Producer that a session writes with; its other
// user is the test of the stream's decisions.
type producer interface {
	Add(ctx context.Context, part topic.Partition, key, value []byte, timestampMs int64, headers ...topic.Header) error
	Pending() (records, bytes int)
	Commit(ctx context.Context) error
}

// session is one try: connections, producer and the state that they share.
// Everything in it is used by one goroutine.
type session struct {
	*Connector
	producer   producer
	checkpoint checkpoint.Checkpoint
	// tablesChanged is true when the state of a table is not saved yet.
	tablesChanged bool
	sql           *pgx.Conn
	// standby is true as long as the server may be one: it was when last asked.
	standby  bool
	database string
	catalog  *postgres.Catalog

	// ledger says who is erased; it is read before anything is produced, and a
	// new entry ends the session (Fence).
	ledger *erasure.Ledger

	// encoded is scratch of emit.
	encoded []byte

	// waiting is when the first row of a snapshot went into the open
	// transaction; zero when none did.
	waiting time.Time
	// readFrom: whatever is still to be read is read at or above this LSN.
	readFrom event.LSN
}

// session runs until something breaks or the context ends.
func (c *Connector) session(ctx context.Context) (err error) {
	s := &session{Connector: c}
	if err := s.ensureTopics(ctx); err != nil {
		return err
	}
	// The database first: a connector that cannot reach it does not fence one
	// that can.
	if s.sql, err = postgres.Connect(ctx, s.DSN); err != nil {
		return err
	}
	defer closeSQL(s.sql)
	s.database = s.sql.Config().Database
	s.catalog = postgres.NewCatalog(s.sql)
	if err := postgres.CheckSetup(ctx, s.sql, s.Publication); err != nil {
		return err
	}
	if err := s.checkFilters(ctx); err != nil {
		return err
	}
	naming, err := NamingOf(ctx, s.catalog, s.Sector)
	if err != nil {
		return err
	}
	if err := NeedRecordKey(naming, s.Records); err != nil {
		return &postgres.ConfigError{Reason: err.Error()}
	}
	// Before it is asked for its timeline: a promotion after this is noticed.
	if s.standby, err = postgres.InRecovery(ctx, s.sql); err != nil {
		return err
	}
	repl, err := postgres.ConnectReplication(ctx, s.DSN)
	if err != nil {
		return err
	}
	defer closeReplication(repl)

	if err := s.stillOwner(ctx); err != nil {
		return err
	}
	// One with the wrong keys does not fence one with the right ones either.
	before, err := readState(ctx, s.Kafka, s.Source)
	if err != nil {
		return err
	}
	if err := s.sameKeys(before, naming); err != nil {
		return err
	}
	// Making the producer fences a connector that lost its way and may still
	// run (case 34), and aborts what it left open: the checkpoint read after it
	// is final.
	writer, err := s.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: TransactionalID(s.Source)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	s.producer = writer
	own, err := ownState(ctx, s.Kafka, writer, s.Source, s.id)
	if err != nil {
		return err
	}
	s.checkpoint, s.owned = own.checkpoint, true
	if err := s.sameKeys(own, naming); err != nil {
		return err
	}
	// After the producer was made: whoever wrote to the ledger before fencing
	// its forerunner is heard here (P12).
	if s.ledger, _, err = feed.Read(ctx, s.Kafka); err != nil {
		return err
	}
	if err := CheckTokens(s.ledger, s.tokenizers()); err != nil {
		return &postgres.ConfigError{Reason: err.Error()}
	}
	if err := own.keys.CheckErased(s.Source, s.Records, naming, s.ledger); err != nil {
		return &postgres.ConfigError{Reason: err.Error()}
	}
	if err := s.noteKeys(ctx, own.keys); err != nil {
		return err
	}
	s.takeStock()

	snapshot, err := s.ensureSlot(ctx, repl)
	if err != nil {
		return err
	}
	if err := s.watch(ctx, s.names()...); err != nil {
		return err
	}
	if snapshot != nil {
		if err := s.snapshotFirst(ctx, snapshot); err != nil {
			return err
		}
	}
	return s.stream(ctx, repl)
}

// names are the tables of the sector, "schema.table".
func (s *session) names() []string {
	names := make([]string, len(s.Sector.Tables))
	for i, t := range s.Sector.Tables {
		names[i] = t.Schema + "." + t.Name
	}
	return names
}

// takeStock brings the checkpoint's tables in line with the sector file: a new
// one is to be read, and one that was published without being in the file, and
// of which no row was ever read, is forgotten. If it still is, it comes back
// with its next change.
func (s *session) takeStock() {
	for _, name := range s.names() {
		if _, ok := s.checkpoint.Tables[name]; !ok {
			s.setTable(name, checkpoint.Table{})
		}
	}
	s.metrics.quarantined.Reset()
	for name, t := range s.checkpoint.Tables {
		if t.Columns == nil && !t.Restart && !slices.Contains(s.names(), name) {
			delete(s.checkpoint.Tables, name)
			s.tablesChanged = true
		} else if t.Quarantined != "" {
			s.metrics.quarantined.WithLabelValues(name).Set(1)
		}
	}
}

// setTable changes what the checkpoint says of a table; save writes it.
func (s *session) setTable(name string, t checkpoint.Table) {
	s.checkpoint.Tables[name] = t
	s.tablesChanged = true
}

// keptOut counts events of erased people that were not produced (P12).
func (s *session) keptOut(table string, n int) {
	s.metrics.erased.WithLabelValues(table).Add(float64(n))
	s.checkpoint.Erased += int64(n)
}

// save makes the open events durable together with the checkpoint that speaks
// of them.
func (s *session) save(ctx context.Context) error {
	if s.standby {
		if err := s.promoted(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := saveCheckpoint(ctx, s.producer, s.Source, s.checkpoint, s.tablesChanged); err != nil {
		return err
	}
	s.tablesChanged, s.waiting = false, time.Time{}
	s.metrics.commits.Observe(time.Since(began).Seconds())
	return nil
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
	specs := append(s.Topics.Specs(s.Source, s.Sector), s.Topics.StateSpec(s.Source), s.Topics.ErasureSpec())
	specs = append(specs, s.Topics.StreamSpecs(s.Source, s.Transactions, len(s.Messages) > 0)...)
	created, err := s.Kafka.Ensure(ctx, specs...)
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
	server, err := s.inspect(ctx, repl)
	if err != nil {
		return nil, err
	}
	if s.checkpoint.Started() && s.checkpoint.SystemID != "" {
		gap := s.checkpoint.Check(server)
		if gap == nil {
			return nil, s.goOn(ctx, repl, server)
		}
		if !s.beginsAnew(gap) {
			return nil, &GapError{Source: s.Source, Err: gap}
		}
		s.Log.Error("changes were lost with the slot; as wal.policy is release, all tables are read anew", "error", gap)
		s.checkpoint = s.checkpoint.Restarted()
	}
	tables := s.checkpoint.Tables
	if server.SlotExists {
		if s.checkpoint.Started() {
			err = postgres.ReleaseSlot(ctx, s.sql, s.Slot)
		} else if server.SlotActive {
			err = &postgres.ConfigError{Reason: fmt.Sprintf("replication slot %s is in use, but source %s was never captured: give the source a slot of its own", s.Slot, s.Source)}
		} else {
			// Left from a start that ended before its checkpoint was written,
			// or from a Kafka that is gone, whose readers may hold rows that
			// are gone too: they are told to drop them.
			for _, name := range s.names() {
				tables[name] = checkpoint.Table{Restart: true}
			}
		}
		if err != nil {
			return nil, err
		}
		if err := postgres.DropSlot(ctx, s.sql, s.Slot); err != nil {
			return nil, err
		}
	}
	var snapshot postgres.Snapshot
	err = s.making(ctx, func() (err error) {
		snapshot, err = postgres.CreateSlot(ctx, repl, s.Slot, s.Failover)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.checkpoint = checkpoint.Checkpoint{
		SystemID: server.SystemID, Timeline: server.Timeline, Slot: s.Slot,
		Epoch: s.checkpoint.Epoch + 1, Confirmed: snapshot.LSN, Erased: s.checkpoint.Erased, Tables: tables,
	}
	s.tablesChanged = true
	s.Log.Info("replication slot made", "slot", s.Slot, "lsn", snapshot.LSN.String(), "epoch", s.checkpoint.Epoch)
	if err := s.save(ctx); err != nil {
		return nil, err
	}
	return &snapshot, nil
}
