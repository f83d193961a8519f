package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Restored is what a restore did.
type Restored struct {
	Backup     string          `json:"backup"`
	ClickHouse []string        `json:"clickhouse_databases"`
	Schemas    int             `json:"schemas"`
	Topics     []RestoredTopic `json:"topics"`
	// Offsets is how many partitions the sink goes on in from the backup's point.
	Offsets int `json:"offsets_set"`
	// Gaps are partitions that hold no more what came after the backup.
	Gaps []string `json:"gaps"`
	// Lost is what was done about topics that were lost.
	Lost *Recovered `json:"lost,omitempty"`
}

// ErrNotEmpty refuses to restore over rows.
var ErrNotEmpty = errors.New("ClickHouse has rows in bronze or silver: restore into an empty one, or give --replace, which drops bronze, silver, gold and ops before")

// Restore brings back what a backup has: ClickHouse, the registry, and of the
// topics what is lost of them. All stages must be stopped but the registry's
// server. A restore that was cut off is done again from its beginning.
func Restore(ctx context.Context, c Config, dir string, replace bool) (*Restored, error) {
	// First all that can be refused: nothing is dropped for a backup that is
	// damaged.
	m, err := Verify(ctx, dir, c.Key, func(path string, done, total int64) { c.progress("verify", done, total) })
	if err != nil {
		return nil, err
	}
	if m.Sealed && c.Key == nil {
		return nil, fmt.Errorf("backup %s is encrypted: name the key it was made with in backup.key_file", m.Name)
	}
	report := &Restored{Backup: m.Name, Topics: []RestoredTopic{}, Gaps: []string{}}
	if c.ClickHouse != nil && len(m.ClickHouse) > 0 {
		if err := c.begin(ctx, m, replace); err != nil {
			return nil, err
		}
		if err := c.setOffsets(ctx, m, report); err != nil {
			return nil, err
		}
		if err := c.restoreClickHouse(ctx, dir, m, report); err != nil {
			return nil, err
		}
	}
	if c.Registry != nil && m.Schemas > 0 {
		c.progress("schemas", 0, int64(m.Schemas))
		all, err := readRegistry(dir, m, c.Key)
		if err != nil {
			return nil, err
		}
		if report.Schemas, err = c.Registry.Restore(ctx, all); err != nil {
			return nil, err
		}
	}
	if c.Kafka != nil {
		if report.Lost, err = c.recover(ctx, dir, m, report); err != nil {
			return nil, err
		}
	}
	if c.ClickHouse != nil && len(m.ClickHouse) > 0 {
		if err := c.end(ctx, m.Epoch); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// begin refuses to restore over rows, and marks ClickHouse: until the mark is
// gone no sink starts, and a restore may drop what the one before left.
func (c *Config) begin(ctx context.Context, m *Manifest, replace bool) error {
	begun, err := names(ctx, c.ClickHouse, "SELECT name FROM system.databases WHERE name = "+tables.Quote(clickhouse.RestoringDatabase))
	if err != nil {
		return err
	}
	if len(begun) == 0 && !replace {
		var rows uint64
		if err := c.ClickHouse.QueryRow(ctx, "SELECT toUInt64(sum(ifNull(total_rows, 0))) FROM system.tables WHERE database IN ('bronze', 'silver')").Scan(&rows); err != nil {
			return fmt.Errorf("clickhouse: %w", err)
		}
		if rows > 0 {
			return ErrNotEmpty
		}
	}
	if len(begun) > 0 {
		return nil
	}
	return exec(ctx, c.ClickHouse, "CREATE DATABASE "+clickhouse.RestoringDatabase+" COMMENT "+tables.Quote(m.Name))
}

// end raises the sink's epoch above all that were (a token that is used again
// would swallow what it names) and takes the mark away.
func (c *Config) end(ctx context.Context, above uint32) error {
	if err := raiseEpoch(ctx, c.ClickHouse, c.Group, above, "restored from a backup"); err != nil {
		return err
	}
	return exec(ctx, c.ClickHouse, "DROP DATABASE IF EXISTS "+clickhouse.RestoringDatabase)
}

// setOffsets has the sink go on from the backup's point in the topics that are
// those of the backup. It comes before anything is dropped: a group that is at
// work is refused, and reading again from there harms nothing (P2).
func (c *Config) setOffsets(ctx context.Context, m *Manifest, report *Restored) error {
	if c.Kafka == nil {
		return nil
	}
	same, err := c.same(ctx, m)
	if err != nil || len(same) == 0 {
		return err
	}
	counts, err := c.Kafka.PartitionCounts(ctx, same...)
	if err != nil {
		return err
	}
	point, to := m.offsets(), map[topic.Partition]int64{}
	var parts []topic.Partition
	for name, n := range counts {
		for id := range n {
			p := topic.Partition{Topic: name, ID: id}
			parts = append(parts, p)
			to[p] = point[p]
		}
	}
	starts, err := c.Kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	slices.SortFunc(parts, topic.Partition.Compare)
	for _, p := range parts {
		if to[p] < starts[p] {
			// Compacted topics, and those of which nothing was ever read, begin
			// where they begin.
			if point[p] > 0 && !slices.Contains(compacted, p.Topic) {
				report.Gaps = append(report.Gaps, fmt.Sprintf("%s offsets %d to %d", p, to[p], starts[p]))
			}
			to[p] = starts[p]
		}
	}
	if err := sinks.Restored(ctx, c.Kafka, m.Group, to, m.Epoch); err != nil {
		return err
	}
	report.Offsets = len(to)
	return nil
}

// compacted are the sink's topics that keep the last record of each key alone.
var compacted = []string{topic.IdentityLink, topic.IdentityReview}

// same gives the sink's topics that are still those of the backup.
func (c *Config) same(ctx context.Context, m *Manifest) ([]string, error) {
	ids, err := c.Kafka.IDs(ctx)
	if err != nil {
		return nil, err
	}
	var same []string
	for _, name := range c.Landing {
		if id, ok := ids[name]; ok && m.IDs[name] == id.String() {
			same = append(same, name)
		}
	}
	return same, nil
}

// restoreClickHouse drops what is there and has ClickHouse read its backups.
func (c *Config) restoreClickHouse(ctx context.Context, dir string, m *Manifest, report *Restored) error {
	if err := c.keepLedger(ctx); err != nil {
		return err
	}
	if err := c.quiet(ctx); err != nil {
		return err
	}
	// Views first: they are made of the others.
	for _, name := range []string{tables.Gold, tables.Silver, tables.Bronze, tables.Ops} {
		if err := c.drop(ctx, name); err != nil {
			return err
		}
	}
	for _, p := range m.ClickHouse {
		at, err := c.from(dir, m, p)
		if err != nil {
			return err
		}
		what := "clickhouse " + strings.Join(p.Databases, ", ")
		if _, _, err := c.statement(ctx, "RESTORE "+databases(p.Databases)+" FROM "+at, at, what); err != nil {
			return err
		}
		report.ClickHouse = append(report.ClickHouse, p.Databases...)
	}
	return c.reopen(ctx)
}

const (
	// quietBound is how long a BACKUP or RESTORE of a command that was killed may go
	// on in the server. A DROP beside it would wait for it in silence.
	quietBound = 10 * time.Minute
	// dropBound is how long the drop of a database may take.
	dropBound = 5 * time.Minute
)

// quiet waits until the server is at no other BACKUP or RESTORE.
func (c *Config) quiet(ctx context.Context) error {
	bound, cancel := context.WithTimeout(ctx, quietBound)
	defer cancel()
	for {
		running, err := names(bound, c.ClickHouse, "SELECT toString(status) FROM system.backups WHERE status IN ('CREATING_BACKUP', 'RESTORING')")
		if err == nil && len(running) == 0 {
			return nil
		}
		if err != nil && bound.Err() == nil {
			return err
		}
		c.progress("wait for another BACKUP or RESTORE", 0, 0)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-bound.Done():
			return fmt.Errorf("clickhouse: another BACKUP or RESTORE goes on since %s: wait for its end (SELECT * FROM system.backups), or end it with KILL QUERY, and give this command again", quietBound)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// drop drops a database, within dropBound.
func (c *Config) drop(ctx context.Context, name string) error {
	bound, cancel := context.WithTimeout(ctx, dropBound)
	defer cancel()
	err := exec(bound, c.ClickHouse, "DROP DATABASE IF EXISTS "+tables.Ident(name))
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("clickhouse did not drop %s within %s: something still reads it or writes to it (SELECT query FROM system.processes); end that, and give this command again: %w", name, dropBound, err)
	}
	return err
}

// reopen has ClickHouse open the restored tables anew. Restored parts bear the
// numbers of mutations that they had, and the table counts from the beginning until
// it is opened: an ALTER … DELETE or UPDATE with a lower number counts as done to
// them, in silence, and who was erased would be there (P12; seen with 26.5).
func (c *Config) reopen(ctx context.Context) error {
	restored, err := names(ctx, c.ClickHouse, "SELECT database || '.' || name FROM system.tables WHERE database IN ('bronze', 'silver', 'ops') AND engine LIKE '%MergeTree' ORDER BY database, name")
	if err != nil {
		return err
	}
	for i, name := range restored {
		database, table, _ := strings.Cut(name, ".")
		c.progress("open "+name, int64(i), int64(len(restored)))
		if err := exec(ctx, c.ClickHouse, "DETACH TABLE "+tables.Qualified(database, table), "ATTACH TABLE "+tables.Qualified(database, table)); err != nil {
			return err
		}
	}
	return nil
}
