package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Difference is what an exchange would change.
type Difference struct {
	Dataset string `json:"dataset"`
	State   State  `json:"state"`
	// Rows that only silver has, that only the table beside it has, and that are
	// not the same in both.
	OnlySilver int64 `json:"only_silver"`
	OnlyReplay int64 `json:"only_replay"`
	Changed    int64 `json:"changed"`
	// Moving rows came while silver was copied, later than what the table beside it
	// was brought to; they count as the same in both.
	Moving int64 `json:"moving"`
	// Ranges are where the differences lie, in the order of the key.
	Ranges     []KeyRange  `json:"ranges"`
	Samples    []Sample    `json:"samples"`
	Indicators []Indicator `json:"indicators"`
	Marts      []Mart      `json:"marts"`
}

// Rows is how many rows differ.
func (d *Difference) Rows() int64 { return d.OnlySilver + d.OnlyReplay + d.Changed }

// KeyRange is a range of the keys that differ: from the first to the last of them.
type KeyRange struct {
	From       string `json:"from"`
	To         string `json:"to"`
	OnlySilver int64  `json:"only_silver"`
	OnlyReplay int64  `json:"only_replay"`
	Changed    int64  `json:"changed"`
}

// The kinds of differences.
const (
	onlySilver = "only silver"
	onlyReplay = "only replay"
	changed    = "changed"
)

// Sample is a row that differs.
type Sample struct {
	Kind    string        `json:"kind"`
	Key     string        `json:"key"`
	Columns []ColumnValue `json:"columns,omitempty"` // that differ, of a changed row
}

// ColumnValue is a value here and there; nil is NULL. Values of personal columns
// are not shown (P11).
type ColumnValue struct {
	Column   string  `json:"column"`
	Silver   *string `json:"silver,omitempty"`
	Replay   *string `json:"replay,omitempty"`
	Personal bool    `json:"personal,omitempty"`
}

const (
	diffRanges  = 16
	diffSamples = 5 // of a kind
	// diffRows is about how many rows of a table are compared at a time (P8).
	diffRows = 5_000_000
)

// Diff compares silver with the table beside it, and the figures over both. The
// latter is brought up to date first, and both are compared as copies of one
// moment: sinks go on meanwhile, and what they write would be a difference of
// the figures that no exchange makes.
func (o *Operator) Diff(ctx context.Context, name string) (d *Difference, err error) {
	n, err := o.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	switch n.State {
	case Ready, Swapped, Returned:
	default:
		return nil, fmt.Errorf("the replay of %s is %s: end that first, with the command that began it", n.Dataset, n.State)
	}
	if err := o.claim(ctx, n); err != nil {
		return nil, err
	}
	again, err := clickhouse.NewAgain(o.Sink, n.Dataset)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, again.Close()) }()
	parts, err := o.partitions(ctx, o.feeding(n.Dataset))
	if err != nil {
		return nil, err
	}
	if err := o.catchUp(ctx, n, again, parts); err != nil {
		return nil, err
	}
	d = &Difference{Dataset: n.Dataset, State: n.State, Ranges: []KeyRange{}, Samples: []Sample{}, Indicators: []Indicator{}, Marts: []Mart{}}
	c := comparison{
		Operator: o, dataset: n.Dataset, shape: again.Shape(), parked: offsetsOf(n.Parked), parts: parts,
		now: tables.Qualified(tables.Replay, n.Dataset+"__now"), then: tables.Qualified(tables.Replay, n.Dataset+"__then"),
		found: tables.Qualified(tables.Replay, n.Dataset+"__diff"),
	}
	defer func() {
		for _, table := range []string{c.now, c.then, c.found} {
			// What is left of it is replaced by the next comparison.
			_ = o.exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+table)
		}
	}()
	if err := c.freeze(ctx, d); err != nil {
		return nil, err
	}
	if err := c.rows(ctx, d); err != nil {
		return nil, err
	}
	o.tell(Progress{Dataset: n.Dataset, Step: "computing the figures"})
	indicators, marts, err := o.figures(ctx, n.Dataset, c.now, c.then)
	if err != nil {
		return nil, err
	}
	d.Indicators, d.Marts = append(d.Indicators, indicators...), append(d.Marts, marts...)
	return d, nil
}

// comparison is one of the rows of two tables.
type comparison struct {
	*Operator
	dataset string
	shape   *tables.Table
	// now and then are copies of silver and of the table beside it, as they stood
	// at one moment; found has the keys that differ.
	now, then, found string
	parked           offsets
	parts            []topic.Partition
}

// freeze copies both tables, by links to their parts. What silver has beyond what
// the other one was brought to goes into the copy of that one, too: it would come
// with the exchange.
func (c *comparison) freeze(ctx context.Context, d *Difference) error {
	for _, pair := range [][2]string{{c.now, silver(c.dataset)}, {c.then, shadow(c.dataset)}} {
		for _, sql := range []string{"DROP TABLE IF EXISTS " + pair[0], "CREATE TABLE " + pair[0] + " AS " + pair[1], "ALTER TABLE " + pair[0] + " REPLACE PARTITION ID 'all' FROM " + pair[1]} {
			if err := c.exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	// The sink may just have added a column to one of them.
	var columns []string
	err := c.query(ctx, fmt.Sprintf("SELECT name FROM system.columns WHERE database = %s AND table IN (%s, %s) GROUP BY name HAVING count() = 2", quote(tables.Replay), quote(c.dataset+"__now"), quote(c.dataset+"__then")), func(rows driver.Rows) error {
		var name string
		err := rows.Scan(&name)
		columns = append(columns, tables.Ident(name))
		return err
	})
	if err != nil {
		return err
	}
	if err := c.query(ctx, fmt.Sprintf("SELECT toInt64(uniqExact(%s)) FROM %s WHERE %s", c.key(), c.now, c.moving()), func(rows driver.Rows) error { return rows.Scan(&d.Moving) }); err != nil {
		return err
	}
	list := strings.Join(columns, ", ")
	return c.exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s", c.then, list, list, c.now, c.moving()))
}

// key is the names of the key's columns.
func (c *comparison) key() string {
	names := []string{"_source"}
	for i := range c.shape.Columns {
		if c.shape.Columns[i].Key {
			names = append(names, tables.Ident(c.shape.Columns[i].Name))
		}
	}
	return strings.Join(names, ", ")
}

// moving is the condition of rows that came after what the table beside silver has.
func (c *comparison) moving() string {
	var all []string
	for _, p := range c.parts {
		all = append(all, fmt.Sprintf("(_topic = %s AND _partition = %d AND _offset >= %d)", quote(p.Topic), p.ID, c.parked[p]))
	}
	return clickhouse.Any(all...)
}

func (c *comparison) rows(ctx context.Context, d *Difference) error {
	key := c.key()
	values := []string{"_version", "_incomplete", "_arrays"}
	for i := range c.shape.Columns {
		if !c.shape.Columns[i].Key {
			values = append(values, tables.Ident(c.shape.Columns[i].Name))
		}
	}
	chunks := int64(1)
	if err := c.query(ctx, "SELECT toInt64(intDiv(count(), "+fmt.Sprint(diffRows)+")) + 1 FROM "+c.now, func(rows driver.Rows) error { return rows.Scan(&chunks) }); err != nil {
		return err
	}
	for chunk := range chunks {
		c.tell(Progress{Dataset: c.dataset, Step: "comparing", Done: chunk, Total: chunks})
		side := func(n int, from string) string {
			return fmt.Sprintf("SELECT %s, %d AS side, cityHash64(toString(tuple(%s))) AS hash FROM %s FINAL WHERE _is_deleted = 0 AND cityHash64(_record) %% %d = %d", key, n, strings.Join(values, ", "), from, chunks, chunk)
		}
		head := "INSERT INTO " + c.found
		if chunk == 0 {
			head = "CREATE OR REPLACE TABLE " + c.found + " ENGINE = MergeTree ORDER BY tuple() AS"
		}
		err := c.exec(ctx, fmt.Sprintf("%s\nSELECT %s, multiIf(max(side) = 0, '%s', min(side) = 1, '%s', '%s') AS kind FROM\n(\n    %s\n    UNION ALL\n    %s\n)\nGROUP BY %s HAVING uniqExact(hash) > 1 OR min(side) = max(side)",
			head, key, onlySilver, onlyReplay, changed, side(0, c.now), side(1, c.then), key))
		if err != nil {
			return err
		}
	}
	return c.told(ctx, d, key)
}

func (c *comparison) told(ctx context.Context, d *Difference, key string) error {
	count := func(kind string) string { return fmt.Sprintf("toInt64(countIf(kind = '%s'))", kind) }
	counts := strings.Join([]string{count(onlySilver), count(onlyReplay), count(changed)}, ", ")
	err := c.query(ctx, "SELECT "+counts+" FROM "+c.found,
		func(rows driver.Rows) error { return rows.Scan(&d.OnlySilver, &d.OnlyReplay, &d.Changed) })
	if err != nil {
		return err
	}
	err = c.query(ctx, fmt.Sprintf("SELECT argMin(name, n), argMax(name, n), %s FROM\n(\n    SELECT kind, toString(tuple(%s)) AS name, row_number() OVER (ORDER BY %s) AS n, count() OVER () AS total FROM %s\n)\nGROUP BY intDiv((n - 1) * %d, total) AS part ORDER BY part",
		counts, key, key, c.found, diffRanges), func(rows driver.Rows) error {
		var r KeyRange
		err := rows.Scan(&r.From, &r.To, &r.OnlySilver, &r.OnlyReplay, &r.Changed)
		d.Ranges = append(d.Ranges, r)
		return err
	})
	if err != nil {
		return err
	}
	picked := fmt.Sprintf("SELECT %s FROM %s ORDER BY %s LIMIT %d BY kind", key, c.found, key, diffSamples)
	err = c.query(ctx, fmt.Sprintf("SELECT kind, toString(tuple(%s)) FROM %s ORDER BY %s LIMIT %d BY kind", key, c.found, key, diffSamples), func(rows driver.Rows) error {
		var s Sample
		err := rows.Scan(&s.Kind, &s.Key)
		d.Samples = append(d.Samples, s)
		return err
	})
	if err != nil || len(d.Samples) == 0 {
		return err
	}
	names := []string{"_version"}
	for i := range c.shape.Columns {
		if !c.shape.Columns[i].Key {
			names = append(names, c.shape.Columns[i].Name)
		}
	}
	here, err := c.values(ctx, c.now, key, picked, names)
	if err != nil {
		return err
	}
	there, err := c.values(ctx, c.then, key, picked, names)
	if err != nil {
		return err
	}
	for i := range d.Samples {
		s := &d.Samples[i]
		a, b := here[s.Key], there[s.Key]
		for k := range names {
			if s.Kind != changed || a == nil || b == nil || same(a[k], b[k]) {
				continue
			}
			v := ColumnValue{Column: names[k], Silver: a[k], Replay: b[k]}
			if c.personal(names[k]) {
				v.Silver, v.Replay, v.Personal = nil, nil, true
			}
			s.Columns = append(s.Columns, v)
		}
	}
	return nil
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// values gives the columns of picked rows as text, by key.
func (c *comparison) values(ctx context.Context, from, key, picked string, names []string) (map[string][]*string, error) {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = "toNullable(toString(" + tables.Ident(name) + "))"
	}
	found := map[string][]*string{}
	err := c.query(ctx, fmt.Sprintf("SELECT toString(tuple(%s)), [%s] FROM %s FINAL WHERE (%s) IN (%s)", key, strings.Join(texts, ", "), from, key, picked), func(rows driver.Rows) error {
		var name string
		var row []*string
		err := rows.Scan(&name, &row)
		found[name] = row
		return err
	})
	return found, err
}

// personal tells whether a column is of people, by the sector file; what that
// does not describe may be.
func (c *comparison) personal(column string) bool {
	if column == "_version" {
		return false
	}
	at := slices.IndexFunc(c.feeds, func(f clickhouse.Feed) bool { return f.Dataset == c.dataset })
	if at < 0 || c.feeds[at].Table == nil {
		return true
	}
	described, ok := c.feeds[at].Table.Column(tables.Base(column))
	return !ok || described.Sensitivity != sectors.Public && described.Sensitivity != sectors.Internal
}
