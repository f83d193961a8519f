package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Source is one database to compare.
type Source struct {
	Name, DSN, Slot, Publication string
	Sector                       sectors.Sector
}

// Config is what a reconciliation needs.
type Config struct {
	Kafka      *topic.Client
	ClickHouse driver.Conn
	Tokens     *token.Tokenizer
	// OldTokens are those of earlier keys, which erased people are known by.
	OldTokens []*token.Tokenizer
	// Records makes the tokens that records are named with, nil when there is no
	// record key.
	Records *token.Tokenizer
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
	// Ranges that hold a key that differs, and up to maxKeys of each kind of
	// those keys, in their order.
	Ranges    []Range  `json:"ranges"`
	Missing   []string `json:"missing"`
	Extra     []string `json:"extra"`
	Different []string `json:"different"`
	// Keys counts all keys that differ, and Counts them by kind.
	Keys   int                `json:"keys"`
	Counts map[difference]int `json:"counts"`
	// Changed counts keys that could not be compared because they changed again
	// and again meanwhile.
	Changed int `json:"changed"`
	// UnderWay counts keys that differed in the last look at all rows and changed
	// between the two readings: they agreed when they were looked at again. Rows and
	// checksums have them as each side was read. 0 in the background.
	UnderWay int `json:"under_way"`
	// Erased counts the source's rows of erased people, which are not to be here.
	Erased int64 `json:"erased"`
	// Waiting counts keys that differ because events of theirs stand in the open
	// dead letters, and up to maxKeys of them: they are no difference (P2).
	Waiting     int      `json:"waiting"`
	WaitingKeys []string `json:"waiting_keys"`
	// UnreadableLetters counts open dead letters of which no record can be read:
	// what differs because of them is a difference.
	UnreadableLetters int64 `json:"unreadable_letters"`
	OK                bool  `json:"ok"`
	// Error says why the table could not be compared, in the background.
	Error string `json:"error,omitempty"`
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
	r := &run{Config: config, source: source, tables: map[string]*table{}}
	for round := range rounds {
		again, err := r.round(ctx, round)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", source.Name, err)
		}
		if !again {
			break
		}
	}
	var list []Result
	for _, t := range r.tables {
		if err := t.dropChanged(ctx, config, source.Name); err != nil {
			return nil, fmt.Errorf("source %s: %w", source.Name, err)
		}
	}
	for _, described := range source.Sector.Tables {
		t := r.tables[described.Schema+"."+described.Name]
		var err error
		if t.result.UnreadableLetters, err = unreadableLetters(ctx, config.ClickHouse, source.Name, described); err != nil {
			return nil, fmt.Errorf("source %s: %w", source.Name, err)
		}
		list = append(list, t.conclude())
	}
	return list, nil
}

// run is the comparison of one source.
type run struct {
	Config
	source Source
	tables map[string]*table // by "schema.table"
}

// table is what is known of a table after the last round that looked at it.
type table struct {
	landed   string // its name in bronze and silver
	layout   layout
	result   Result
	lsn      event.LSN
	ranges   []Range
	suspects map[string]suspect
	unlike   int             // keys that differed as the rows were read
	held     map[string]bool // of the suspects before, those in the open dead letters
}

// round compares all tables, or in later rounds those with suspects, with a new
// snapshot. A key differs only if it does in every round.
func (r *run) round(ctx context.Context, n int) (again bool, err error) {
	snapshot, err := openSource(ctx, r.source.DSN, true)
	if err != nil {
		return false, err
	}
	defer snapshot.close()
	ends, err := caughtUp(ctx, r.Config, r.source, snapshot)
	if err != nil {
		return false, err
	}
	catalog := postgres.NewCatalog(snapshot.conn)
	for _, described := range r.source.Sector.Tables {
		name := described.Schema + "." + described.Name
		before := r.tables[name]
		if n > 0 && len(before.suspects) == 0 {
			continue
		}
		if r.Progress != nil {
			r.Progress(r.source.Name, name)
		}
		var suspects []suspect
		if n > 0 {
			suspects = slices.Collect(maps.Values(before.suspects))
		}
		t, err := r.compare(ctx, catalog, snapshot, described, ends, suspects)
		if err != nil {
			return false, fmt.Errorf("table %s: %w", name, err)
		}
		if n > 0 {
			maps.DeleteFunc(t.suspects, func(key string, _ suspect) bool { _, was := before.suspects[key]; return !was })
		}
		r.tables[name] = t
		again = again || len(t.suspects) > 0
	}
	return again, nil
}

// compare compares one table, with all keys that differ as suspects. before are
// those that are looked at again.
func (r *run) compare(ctx context.Context, catalog *postgres.Catalog, snapshot *sourceSnapshot, described sectors.Table, ends map[topic.Partition]int64, before []suspect) (*table, error) {
	relation, err := catalog.Relation(ctx, described.Schema, described.Name)
	if err == nil {
		relation, err = catalog.Narrow(ctx, r.source.Publication, relation)
	}
	if err != nil {
		return nil, err
	}
	t := &table{landed: r.source.Sector.Sector + "_" + described.Name, lsn: snapshot.lsn}
	t.result = Result{Source: r.source.Name, Table: relation.Name(), LSN: snapshot.lsn.String()}
	silver, err := landedColumns(ctx, r.ClickHouse, "silver", t.landed)
	if err != nil {
		return nil, err
	}
	if t.layout, err = layoutOf(relation, described, silver); err != nil {
		return nil, err
	}
	if err := t.layout.guarded(ctx, r.Config, r.source.Name, described); err != nil {
		return nil, err
	}
	if t.result.Topic, err = compareTopic(ctx, r.Kafka, r.ClickHouse, t.landed, topic.Public(r.source.Name, described.Schema, described.Name), ends); err != nil {
		return nil, err
	}
	if len(t.layout.key) == 0 {
		// Without a key a table lands in bronze only.
		return t, nil
	}
	if t.held, err = heldKeys(ctx, r.ClickHouse, r.source.Name, described, t.layout, before); err != nil {
		return nil, err
	}
	m := &merger{integer: t.layout.integer, suspects: map[string]suspect{}}
	if err := r.merge(ctx, snapshot, t, bounds{}, len(silver) > 0, m); err != nil {
		return nil, err
	}
	if m.overflow {
		return nil, fmt.Errorf("more than %d keys differ: silver does not hold this source; check that the sink runs, or take a new snapshot with 'hopluu connector resnapshot %s %s'", maxSuspects, r.source.Name, relation.Name())
	}
	t.result.SourceRows, t.result.ClickHouseRows = m.source.rows, m.clickhouse.rows
	t.result.SourceChecksum, t.result.ClickHouseChecksum = m.source.checksum(), m.clickhouse.checksum()
	t.result.Duplicates, t.result.Erased = m.duplicates, m.erased
	t.ranges, t.suspects, t.unlike = m.ranges, m.suspects, len(m.suspects)
	return t, nil
}

func (t *table) dropChanged(ctx context.Context, config Config, source string) (err error) {
	t.result.Changed, err = dropChanged(ctx, config, t.layout, t.landed, source, t.lsn, t.suspects)
	return err
}

// conclude names what still differs.
func (t *table) conclude() Result {
	r := t.result
	r.Ranges, r.Missing, r.Extra, r.Different, r.WaitingKeys = []Range{}, []string{}, []string{}, []string{}, []string{}
	waiting := apart(t.suspects, t.held)
	r.Waiting = len(waiting)
	for _, s := range waiting[:min(len(waiting), maxKeys)] {
		r.WaitingKeys = append(r.WaitingKeys, keyText(s.key))
	}
	r.UnderWay = t.unlike - len(t.suspects) - r.Waiting - r.Changed
	r.Keys, r.Counts = len(t.suspects), map[difference]int{missing: 0, extra: 0, different: 0}
	ordered := slices.SortedFunc(maps.Values(t.suspects), func(a, b suspect) int { return cmp.Compare(a.place, b.place) })
	ranges := map[int]bool{}
	for _, s := range ordered {
		ranges[s.inRange] = true
		r.Counts[s.difference]++
		list := map[difference]*[]string{missing: &r.Missing, extra: &r.Extra, different: &r.Different}[s.difference]
		if len(*list) < maxKeys {
			*list = append(*list, keyText(s.key))
		}
	}
	for _, g := range t.ranges {
		// In the others keys changed meanwhile.
		if ranges[g.number] {
			r.Ranges = append(r.Ranges, g)
		}
	}
	r.OK = r.Keys == 0 && r.Duplicates == 0 && r.Topic.OK
	return r
}

func (r *run) merge(ctx context.Context, snapshot *sourceSnapshot, t *table, b bounds, landed bool, m *merger) (err error) {
	left, doneLeft, err := snapshot.rows(ctx, t.layout, b, r.Config)
	if err != nil {
		return err
	}
	defer doneLeft()
	if !landed {
		return m.merge(left, noRows)
	}
	right, doneRight, err := landedRows(ctx, r.ClickHouse, t.layout, b, "silver."+identifier(t.landed), r.source.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doneRight()) }()
	return m.merge(left, right)
}
