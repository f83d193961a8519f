package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Source is one database to compare.
type Source struct {
	Name, DSN, Slot string
	Sector          sectors.Sector
}

// Config is what a reconciliation needs.
type Config struct {
	Kafka      *topic.Client
	ClickHouse driver.Conn
	Tokens     *token.Tokenizer
	// Group of the sink, whose committed offsets tell what silver has.
	Group string
	// CatchUp bounds the wait for silver to apply the snapshot's LSN.
	CatchUp time.Duration
	// Progress is called before each table.
	Progress func(source, table string)
}

// Result is what was found of one table.
type Result struct {
	Source             string      `json:"source"`
	Table              string      `json:"table"`
	LSN                string      `json:"lsn"`
	SourceRows         int64       `json:"source_rows"`
	ClickHouseRows     int64       `json:"clickhouse_rows"`
	SourceChecksum     string      `json:"source_checksum"`
	ClickHouseChecksum string      `json:"clickhouse_checksum"`
	Duplicates         int64       `json:"duplicates"`
	Topic              TopicResult `json:"topic"`
	// Ranges that differ, and of the keys that differ up to maxKeys of each
	// kind.
	Ranges    []Range  `json:"ranges"`
	Missing   []string `json:"missing"`
	Extra     []string `json:"extra"`
	Different []string `json:"different"`
	// Keys counts all keys that differ.
	Keys int  `json:"keys"`
	OK   bool `json:"ok"`
}

// DefaultCatchUp is how long silver may take to apply the snapshot's LSN.
const DefaultCatchUp = 2 * time.Minute

const (
	maxKeys = 20
	// rounds of looking again at keys that may have changed meanwhile.
	rounds = 3
)

// Run compares every table of the source.
func Run(ctx context.Context, config Config, source Source) ([]Result, error) {
	results := map[string]*Result{}
	suspects := map[string]map[string]difference{}
	var order []string
	for round := range rounds {
		if round > 0 && !anyLeft(suspects) {
			break
		}
		snapshot, err := openSource(ctx, source.DSN)
		if err != nil {
			return nil, err
		}
		err = compareSource(ctx, config, source, snapshot, round, func(r *Result, found map[string]difference) {
			if round == 0 {
				order = append(order, r.Table)
				suspects[r.Table] = found
			} else {
				for key := range suspects[r.Table] {
					if kind, still := found[key]; still {
						suspects[r.Table][key] = kind
					} else {
						delete(suspects[r.Table], key)
					}
				}
			}
			results[r.Table] = r
		}, suspects)
		snapshot.close()
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", source.Name, err)
		}
	}
	var list []Result
	for _, name := range order {
		r := results[name]
		r.conclude(suspects[name])
		list = append(list, *r)
	}
	return list, nil
}

func anyLeft(suspects map[string]map[string]difference) bool {
	for _, s := range suspects {
		if len(s) > 0 {
			return true
		}
	}
	return false
}

func (r *Result) conclude(suspects map[string]difference) {
	r.Keys = len(suspects)
	for key, kind := range suspects {
		list := map[difference]*[]string{missing: &r.Missing, extra: &r.Extra, different: &r.Different}[kind]
		if len(*list) < maxKeys {
			*list = append(*list, key)
		}
	}
	if r.Keys == 0 {
		// What still differed in the last round changed meanwhile.
		r.Ranges = nil
	}
	r.OK = r.Keys == 0 && r.Duplicates == 0 && r.Topic.OK
}

func compareSource(ctx context.Context, config Config, source Source, snapshot *sourceSnapshot, round int, report func(*Result, map[string]difference), suspects map[string]map[string]difference) error {
	ends, err := caughtUp(ctx, config, source, snapshot)
	if err != nil {
		return err
	}
	catalog := postgres.NewCatalog(snapshot.conn)
	for _, t := range source.Sector.Tables {
		name := t.Schema + "." + t.Name
		if round > 0 && len(suspects[name]) == 0 {
			continue
		}
		if config.Progress != nil {
			config.Progress(source.Name, name)
		}
		relation, err := catalog.Relation(ctx, t.Schema, t.Name)
		if err != nil {
			return err
		}
		l, err := layoutOf(relation, t)
		if err != nil {
			return err
		}
		result := &Result{Source: source.Name, Table: name, LSN: snapshot.lsn.String()}
		landed := source.Sector.Sector + "_" + t.Name
		if result.Topic, err = compareTopic(ctx, config.Kafka, config.ClickHouse, "bronze."+landed, topic.Public(source.Name, t.Schema, t.Name), ends); err != nil {
			return err
		}
		if len(l.key) == 0 {
			// Without a key a table lands in bronze only.
			report(result, nil)
			continue
		}
		m := &merger{integer: l.integer, suspects: map[string]difference{}}
		if err := mergeTable(ctx, config, source.Name, snapshot, l, "silver."+landed, m); err != nil {
			return err
		}
		if m.overflow {
			return fmt.Errorf("table %s: more than %d keys differ: silver does not hold this source; check that the sink runs, or take a new snapshot with 'hopluu connector resnapshot %s %s'", name, maxSuspects, source.Name, name)
		}
		result.SourceRows, result.ClickHouseRows = m.source.rows, m.clickhouse.rows
		result.SourceChecksum, result.ClickHouseChecksum = m.source.checksum(), m.clickhouse.checksum()
		result.Ranges, result.Duplicates = m.ranges, m.duplicates
		report(result, m.suspects)
	}
	return nil
}

func mergeTable(ctx context.Context, config Config, source string, snapshot *sourceSnapshot, l layout, silver string, m *merger) (err error) {
	left, doneLeft, err := snapshot.rows(ctx, l, config.Tokens)
	if err != nil {
		return err
	}
	defer doneLeft()
	right, doneRight, err := landedRows(ctx, config.ClickHouse, l, silver, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doneRight()) }()
	return m.merge(left, right)
}

// caughtUp waits until silver has applied the snapshot's LSN, and gives the end
// offsets of the source's topics that it has.
func caughtUp(ctx context.Context, config Config, source Source, snapshot *sourceSnapshot) (map[topic.Partition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, config.CatchUp)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	waitUntil := func(what string, reached func() (bool, string, error)) error {
		state := ""
		for {
			ok, now, err := reached()
			if err == nil && ok {
				return nil
			}
			if ctx.Err() == nil && err != nil {
				return err
			}
			if now != "" {
				state = now
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s within %s (%s): is it running? raise --catch-up if it is only slow", what, config.CatchUp, state)
			case <-tick.C:
			}
		}
	}
	err := waitUntil("the connector did not reach LSN "+snapshot.lsn.String(), func() (bool, string, error) {
		var reached *bool
		var confirmed *string
		err := snapshot.conn.QueryRow(ctx, "SELECT max(confirmed_flush_lsn) >= $2::pg_lsn, max(confirmed_flush_lsn)::text FROM pg_replication_slots WHERE slot_name = $1", source.Slot, snapshot.lsn.String()).Scan(&reached, &confirmed)
		if err != nil {
			return false, "", err
		}
		if confirmed == nil {
			return false, "", fmt.Errorf("replication slot %s is not there: was the source ever captured?", source.Slot)
		}
		return *reached, "it is at " + *confirmed, nil
	})
	if err != nil {
		return nil, err
	}
	var parts []topic.Partition
	for _, t := range source.Sector.Tables {
		name := topic.Public(source.Name, t.Schema, t.Name)
		counts, err := config.Kafka.PartitionCounts(ctx, name)
		if err != nil {
			return nil, err
		}
		for id := range counts[name] {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	ends, err := config.Kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return nil, err
	}
	return ends, waitUntil("the sink did not catch up", func() (bool, string, error) {
		committed, err := config.Kafka.Committed(ctx, config.Group, parts...)
		if err != nil {
			return false, "", err
		}
		behind := int64(0)
		for _, p := range parts {
			behind += max(0, ends[p]-max(0, committed[p]))
		}
		return behind == 0, fmt.Sprintf("%d offsets behind", behind), nil
	})
}
