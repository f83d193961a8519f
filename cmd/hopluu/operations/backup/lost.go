package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Recovered is what was done about topics that were lost.
type Recovered struct {
	// Archived are the topics whose records in ClickHouse were renamed, with the
	// names that these have now.
	Archived map[string]string `json:"archived"`
	// Recaptured are the sources that are read anew, with the epoch above which
	// they begin.
	Recaptured map[string]uint32 `json:"recaptured"`
	Topics     []RestoredTopic   `json:"topics"`
}

// ErrNothingLost says that every topic is the one that ClickHouse knows.
var ErrNothingLost = errors.New("no topic is lost: every one that bronze has records of is there, with the id that it had")

// ErrNoBackup refuses to go on without what nothing but a backup has.
var ErrNoBackup = errors.New("what people decided on pairs of records (identity.decision), the ledger of erased people (identity.erasure) and the record of actions were in Kafka: name a backup with --from, or give them up with --without-backup")

// Recover brings everything in order after all of Kafka, or some of its topics,
// were lost: see recover. m is a backup, nil for none.
func Recover(ctx context.Context, c Config, dir string) (*Recovered, error) {
	var m *Manifest
	if dir != "" {
		var err error
		if m, err = Verify(ctx, dir, c.Key, func(path string, done, total int64) { c.progress("verify", done, total) }); err != nil {
			return nil, err
		}
		if m.Sealed && c.Key == nil {
			return nil, fmt.Errorf("backup %s is encrypted: name the key it was made with in backup.key_file", m.Name)
		}
	}
	lost, err := c.lost(ctx)
	if err != nil {
		return nil, err
	}
	if len(lost) == 0 {
		return nil, ErrNothingLost
	}
	if m != nil && m.Schemas > 0 {
		all, err := readRegistry(dir, m, c.Key)
		if err != nil {
			return nil, err
		}
		if _, err := c.Registry.Restore(ctx, all); err != nil {
			return nil, err
		}
	}
	report := &Restored{Topics: []RestoredTopic{}}
	done, err := c.recover(ctx, dir, m, report)
	if err != nil {
		return nil, err
	}
	done.Topics = report.Topics
	return done, raiseEpoch(ctx, c.ClickHouse, c.Group, 0, "topics were lost and made anew")
}

// recover does what is to be done about topics that are not the ones that
// ClickHouse has records of:
//
//  1. the saved topics that are gone are made again with what the backup has;
//  2. the sources whose topics are gone are read anew, under an epoch above all
//     that bronze has seen of them;
//  3. the records in ClickHouse are renamed to topics of another name, so that
//     (topic, partition, offset) names one record again.
//
// The third is the last: until it is done the sink refuses to start, and all of
// it can be repeated. The registry is restored before by the caller.
func (c *Config) recover(ctx context.Context, dir string, m *Manifest, report *Restored) (*Recovered, error) {
	done := &Recovered{Archived: map[string]string{}, Recaptured: map[string]uint32{}}
	lost := map[string]bool{}
	if c.ClickHouse != nil {
		var err error
		if lost, err = c.lost(ctx); err != nil {
			return nil, err
		}
	}
	// The ledger first: what is restored leaves out whom it names (P12).
	ledger, err := c.ledger(ctx, dir, m)
	if err != nil {
		return nil, err
	}
	gone, err := c.restoreTopics(ctx, dir, m, ledger, report)
	if err != nil {
		return nil, err
	}
	for _, s := range c.Sources {
		state := connectors.StateTopic(s.Name)
		if s.Files {
			state = file.StateTopic(s.Name)
		}
		if !gone[state] && !slices.ContainsFunc(s.Topics, func(name string) bool { return lost[name] }) {
			continue
		}
		above := uint32(0)
		if c.ClickHouse != nil {
			if above, err = sourceEpoch(ctx, c.ClickHouse, s.Name); err != nil {
				return nil, err
			}
		}
		c.progress("source "+s.Name, 0, 0)
		if s.Files {
			err = file.Recapture(ctx, c.Kafka, c.Making, s.Name, above)
		} else {
			err = connectors.Recapture(ctx, c.Kafka, c.Making, s.Name, s.Tables, above)
		}
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		done.Recaptured[s.Name] = above
	}
	if c.ClickHouse != nil && !ledger.Empty() {
		c.progress("erased people", 0, 0)
		if err := c.Erase(ctx, ledger); err != nil {
			return nil, err
		}
	}
	if len(lost) > 0 {
		err = c.archive(ctx, slices.Sorted(maps.Keys(lost)), done)
	}
	return done, err
}

// restoreTopics gives the topics that are gone what the backup has of them, and
// tells which these are.
func (c *Config) restoreTopics(ctx context.Context, dir string, m *Manifest, ledger *erasure.Ledger, report *Restored) (gone map[string]bool, err error) {
	gone = map[string]bool{}
	if m == nil {
		return gone, nil
	}
	ids, err := c.Kafka.IDs(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range m.Topics {
		if t.Name == topic.IdentityErasure {
			continue // joined, not restored
		}
		if id, ok := ids[t.Name]; ok && id.String() == m.IDs[t.Name] {
			// It was not lost: what it has is newer than the backup.
			report.Topics = append(report.Topics, RestoredTopic{Topic: t.Name, Kept: t.Records})
			continue
		}
		gone[t.Name] = true
		did, err := c.restoreTopic(ctx, dir, m, t, c.erased(ctx, t.Name, ledger))
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", t.Name, err)
		}
		report.Topics = append(report.Topics, did)
	}
	return gone, nil
}

// lost gives the topics that bronze has records of, and that are not there, or
// were made anew since.
func (c *Config) lost(ctx context.Context) (map[string]bool, error) {
	there, err := names(ctx, c.ClickHouse, "SELECT name FROM system.tables WHERE database = 'ops' AND name = 'partition'")
	if err != nil || len(there) == 0 {
		return map[string]bool{}, err
	}
	has, err := held(ctx, c.ClickHouse)
	if err != nil {
		return nil, err
	}
	noted := map[string]string{}
	rows, err := c.ClickHouse.Query(ctx, "SELECT toString(topic), toString(max(topic_id)) FROM ops.partition FINAL GROUP BY topic")
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		var name, id string
		if err := rows.Scan(&name, &id); err != nil {
			return nil, errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
		noted[name] = id
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	ids, err := c.Kafka.IDs(ctx)
	if err != nil {
		return nil, err
	}
	lost := map[string]bool{}
	for p := range has {
		if !slices.Contains(c.Landing, p.Topic) {
			continue // no source's any more, or archived already
		}
		id, there := ids[p.Topic]
		was, known := noted[p.Topic]
		known = known && was != topic.ID{}.String()
		if !there || known && was != id.String() {
			lost[p.Topic] = true
		}
	}
	return lost, nil
}

// sourceEpoch gives the highest epoch that bronze has seen of a source, 0 when it
// has nothing of it.
func sourceEpoch(ctx context.Context, conn driver.Conn, source string) (uint32, error) {
	in, err := bronzeTables(ctx, conn)
	if err != nil || len(in) == 0 {
		return 0, err
	}
	var queries []string
	for _, t := range in {
		queries = append(queries, "SELECT max(_version) AS version FROM "+tables.Qualified(tables.Bronze, t)+" WHERE _source = "+tables.Quote(source))
	}
	var highest uint32
	// event.Position.Version: the epoch is the upper 32 of 128 bits.
	err = conn.QueryRow(ctx, "SELECT toUInt32(bitShiftRight(max(version), 96)) FROM ("+strings.Join(queries, "\nUNION ALL\n")+")").Scan(&highest)
	if err != nil {
		return 0, fmt.Errorf("clickhouse: %w", err)
	}
	return highest, nil
}

// archive gives the records of lost topics another topic's name in ClickHouse,
// "<topic>@<sink epoch>": the topic that has the name now begins at 0 again, and
// in bronze (topic, partition, offset) must name one record. It is done by an
// update of the one column, table by table, and finds nothing the second time.
// What came from the matcher is taken out of silver: its rows are versioned by
// their offsets, and it publishes all of them again.
func (c *Config) archive(ctx context.Context, lost []string, done *Recovered) error {
	n, err := epoch(ctx, c.ClickHouse)
	if err != nil {
		return err
	}
	suffix := fmt.Sprintf("@%d", n)
	quoted := make([]string, len(lost))
	for i, name := range lost {
		quoted[i] = tables.Quote(name)
		done.Archived[name] = name + suffix
	}
	in := " IN (" + strings.Join(quoted, ", ") + ")"
	shapes, err := names(ctx, c.ClickHouse, "SELECT database || '.' || table FROM system.columns WHERE database IN ('bronze', 'silver') AND name = '_topic' AND (database, table) IN (SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree') ORDER BY database, table")
	if err != nil {
		return err
	}
	for i, name := range shapes {
		database, table, _ := strings.Cut(name, ".")
		c.progress("rename "+name, int64(i), int64(len(shapes)))
		if database == tables.Silver && slices.Contains([]string{tables.IdentityLink, tables.IdentityReview}, table) && slices.Contains(lost, strings.Replace(table, "_", ".", 1)) {
			if err := exec(ctx, c.ClickHouse, "TRUNCATE TABLE "+tables.Qualified(database, table)); err != nil {
				return err
			}
			continue
		}
		sql := "ALTER TABLE " + tables.Qualified(database, table) + " UPDATE _topic = concat(toString(_topic), " + tables.Quote(suffix) + ") WHERE _topic" + in + " SETTINGS mutations_sync = 2"
		if err := exec(ctx, c.ClickHouse, sql); err != nil {
			return err
		}
	}
	at := tables.Quote(time.Now().UTC().Format("2006-01-02 15:04:05"))
	return exec(ctx, c.ClickHouse,
		// The topic is part of its key: copied and then deleted.
		"INSERT INTO ops.dead_letter SELECT * REPLACE (concat(toString(topic), "+tables.Quote(suffix)+") AS topic) FROM (SELECT * FROM ops.dead_letter FINAL WHERE topic"+in+")",
		"ALTER TABLE ops.dead_letter DELETE WHERE topic"+in+" SETTINGS mutations_sync = 2",
		"INSERT INTO ops.erased_offset SELECT * REPLACE (concat(toString(topic), "+tables.Quote(suffix)+") AS topic) FROM (SELECT * FROM ops.erased_offset FINAL WHERE topic"+in+")",
		"ALTER TABLE ops.erased_offset DELETE WHERE topic"+in+" SETTINGS mutations_sync = 2",
		"ALTER TABLE ops.freshness DELETE WHERE topic"+in+" SETTINGS mutations_sync = 2",
		"INSERT INTO ops.lost_topic (topic, archived, at) SELECT topic, concat(toString(topic), "+tables.Quote(suffix)+"), "+at+" FROM (SELECT DISTINCT toString(topic) AS topic FROM ops.partition WHERE topic"+in+")",
		"ALTER TABLE ops.partition DELETE WHERE topic"+in+" SETTINGS mutations_sync = 2",
	)
}

// raiseEpoch begins a new epoch of the sink above all that were.
func raiseEpoch(ctx context.Context, conn driver.Conn, group string, above uint32, why string) error {
	highest, err := epoch(ctx, conn)
	if err != nil {
		return err
	}
	if err := conn.Exec(ctx, "INSERT INTO ops.sink_epoch (consumer_group, epoch, at, reason) SELECT "+tables.Quote(group)+fmt.Sprintf(", toUInt32(%d), now64(6, 'UTC'), ", max(highest, above)+1)+tables.Quote(why)); err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return nil
}
