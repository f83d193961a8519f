package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// stretch is what was found in one range of a table.
type stretch struct {
	bounds
	// last is true when no rows lie behind it.
	last               bool
	lsn                event.LSN
	source, clickhouse side
	duplicates         int64
	changed            int
	// suspects are the keys that differ, in their order, and waiting those that
	// do because of an open dead letter. held are those of the suspects before
	// that stand there.
	suspects, waiting []suspect
	held              map[string]bool
	layout            layout
	// took is how long the source and ClickHouse worked for it.
	took time.Duration
}

func (s *stretch) agrees() bool { return len(s.suspects) == 0 && s.duplicates == 0 }

const (
	// bucketRows is how many rows a share of a table has whose key cannot be
	// ordered at the source: all of them are held in memory (P8).
	bucketRows = 250_000
	// scannedParts is how many ranges a table has at least whose order is no
	// index's: each costs the source a look at the whole of it. scannedRows
	// bounds what is held of such a range (P8).
	scannedParts = 32
	scannedRows  = 500_000
)

// entry is the range as the journal keeps it.
func (s *stretch) entry(source Source, t sectors.Table, number uint32) *entry {
	e := &entry{
		source: source.Name, table: t.Schema + "." + t.Name, kind: rowsKind, number: number, after: s.after, upTo: s.upTo, last: s.last,
		lsn: s.lsn, left: s.source, right: s.clickhouse, duplicates: s.duplicates, changed: s.changed, ok: s.agrees(),
		counts: map[difference]int{}, samples: map[difference][]string{}, suspects: s.suspects,
	}
	if s.buckets > 0 {
		e.after, e.upTo = []string{sharesMark}, []string{strconv.FormatUint(s.bucket, 10), strconv.FormatUint(s.buckets, 10)}
	}
	e.waiting = len(s.waiting)
	for _, of := range s.waiting[:min(len(s.waiting), maxKeys)] {
		e.waitingKeys = append(e.waitingKeys, keyText(of.key))
	}
	for _, of := range s.suspects {
		e.counts[of.difference]++
		if len(e.samples[of.difference]) < maxKeys {
			e.samples[of.difference] = append(e.samples[of.difference], keyText(of.key))
		}
	}
	return e
}

// compareStretch compares the rows of a table behind the bounds' beginning, as
// many as the limit says. The source's snapshot lasts as long as they are read,
// and no longer (P7): ClickHouse is waited for without it. Where both agree at
// once there is nothing to wait for. Keys that differ are looked at again under
// later snapshots, each once silver has applied it.
func compareStretch(ctx context.Context, config Config, source Source, described sectors.Table, b bounds) (*stretch, error) {
	found, err := lookOnce(ctx, config, source, described, b, false, nil)
	for n := 0; n < rounds && err == nil && len(found.suspects) > 0; n++ {
		before, took := found, found.took
		again := found.bounds
		again.limit = 0
		if found, err = lookOnce(ctx, config, source, described, again, true, before.suspects); err != nil {
			return nil, err
		}
		found.last, found.took = before.last, found.took+took
		known := map[string]bool{}
		for _, s := range before.suspects {
			known[keyText(s.key)] = true
		}
		found.suspects = slices.DeleteFunc(found.suspects, func(s suspect) bool { return !known[keyText(s.key)] })
	}
	if err != nil || len(found.suspects) == 0 {
		return found, err
	}
	left := make(map[string]suspect, len(found.suspects))
	for _, s := range found.suspects {
		left[keyText(s.key)] = s
	}
	landed := source.Sector.Sector + "_" + described.Name
	if found.changed, err = dropChanged(ctx, config, found.layout, landed, source.Name, found.lsn, left); err != nil {
		return nil, err
	}
	found.waiting = apart(left, found.held)
	found.suspects = inOrder(left)
	return found, nil
}

func inOrder(suspects map[string]suspect) []suspect {
	return slices.SortedFunc(maps.Values(suspects), func(a, b suspect) int { return cmp.Compare(a.place, b.place) })
}

// lookOnce compares a range under one snapshot, which silver may be waited for to
// apply; before are the keys that are looked at again.
func lookOnce(ctx context.Context, config Config, source Source, described sectors.Table, b bounds, wait bool, before []suspect) (found *stretch, err error) {
	landed := source.Sector.Sector + "_" + described.Name
	silver, err := landedColumns(ctx, config.ClickHouse, "silver", landed)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	snapshot, err := openSource(ctx, source.DSN, wait)
	if err != nil {
		return nil, err
	}
	defer snapshot.close()
	catalog := postgres.NewCatalog(snapshot.conn)
	relation, err := catalog.Relation(ctx, described.Schema, described.Name)
	if err == nil {
		relation, err = catalog.Narrow(ctx, source.Publication, relation)
	}
	if err != nil {
		return nil, err
	}
	found = &stretch{bounds: b, last: true, lsn: snapshot.lsn}
	if found.layout, err = layoutOf(relation, described, silver); err != nil {
		return nil, err
	}
	if err := found.layout.guarded(ctx, config, source.Name, described); err != nil {
		return nil, err
	}
	if len(found.layout.key) == 0 {
		return found, nil // it lands in bronze only
	}
	if err := found.fit(ctx, config, source, landed, len(silver) > 0); err != nil {
		return nil, err
	}
	left, done, err := snapshot.rows(ctx, found.layout, found.bounds, config)
	if err != nil {
		return nil, err
	}
	rows, err := drain(left, func(*row) bool { return true })
	done()
	if err == nil {
		err = snapshot.release(ctx)
	}
	if err != nil {
		return nil, err
	}
	found.took = time.Since(began)
	switch {
	case found.layout.tokenKey:
		found.last = found.bucket+1 >= found.buckets
	case found.only == nil && found.limit > 0 && len(rows) == found.limit:
		found.upTo, found.last = rows[len(rows)-1].key, false
	}
	if wait {
		if _, err := caughtUp(ctx, config, source, snapshot, described); err != nil {
			return nil, err
		}
	}
	began = time.Now()
	if found.held, err = heldKeys(ctx, config.ClickHouse, source.Name, described, found.layout, before); err != nil {
		return nil, err
	}
	m := &merger{integer: found.layout.integer, suspects: map[string]suspect{}}
	if err := m.with(ctx, config, found, rows, len(silver) > 0, "silver."+identifier(landed), source.Name); err != nil {
		return nil, err
	}
	found.took += time.Since(began)
	if m.overflow {
		return nil, fmt.Errorf("more than %d keys differ: silver does not hold this source; check that the sink runs, or take a new snapshot with 'hopluu connector resnapshot %s %s'", maxSuspects, source.Name, relation.Name())
	}
	found.source, found.clickhouse, found.duplicates = m.source, m.clickhouse, m.duplicates
	found.suspects = inOrder(m.suspects)
	return found, nil
}

// fit sets how much of the table is read in one go, where the limit alone does
// not say it.
func (s *stretch) fit(ctx context.Context, config Config, source Source, landed string, exists bool) error {
	indexed := true
	for i, k := range s.layout.key {
		indexed = indexed && (s.layout.integer[i] || s.layout.columns[k].native)
	}
	if !exists || s.limit == 0 || indexed && !s.layout.tokenKey {
		if s.layout.tokenKey {
			s.limit, s.buckets = 0, max(1, s.buckets)
		}
		return nil
	}
	var rows uint64
	if err := config.ClickHouse.QueryRow(ctx, "SELECT count() FROM silver."+identifier(landed)+" WHERE _source = ?", source.Name).Scan(&rows); err != nil {
		return fmt.Errorf("count silver.%s: %w", landed, err)
	}
	if s.layout.tokenKey {
		s.limit = 0
		if s.buckets == 0 {
			s.buckets = 1 + rows/bucketRows
		}
		return nil
	}
	s.limit = max(s.limit, min(int(rows/scannedParts), scannedRows))
	return nil
}

func (m *merger) with(ctx context.Context, config Config, s *stretch, rows []*row, landed bool, silver, source string) (err error) {
	left := func() (*row, error) {
		if len(rows) == 0 {
			return nil, nil
		}
		next := rows[0]
		rows = rows[1:]
		return next, nil
	}
	if !landed {
		return m.merge(left, noRows)
	}
	right, done, err := landedRows(ctx, config.ClickHouse, s.layout, s.bounds, silver, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	return m.merge(left, right)
}

// topicsOf are the source's topics: those of the named tables, or all.
func topicsOf(source Source, tables ...sectors.Table) []string {
	if len(tables) == 0 {
		tables = source.Sector.Tables
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = topic.Public(source.Name, t.Schema, t.Name)
	}
	return names
}
