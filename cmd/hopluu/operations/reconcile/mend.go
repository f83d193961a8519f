package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// What a repair does about a key.
const (
	// ReadAgain has the connector read the row anew: it comes through the topic as
	// a read event, or as a delete when the source has none, with the LSN of the
	// snapshot that says so. It takes the place of what is wrong, which is older,
	// and gives way to what the stream sends later (P5, P6).
	ReadAgain = "read anew"
	// RemoveAndReadAgain first deletes rows of silver that claim to be later than
	// the source's log is long: nothing that the source says could win over them.
	RemoveAndReadAgain = "remove from silver, read anew"
	// Waits leaves a key whose record is among the dead letters: what comes of it
	// waits behind them.
	Waits = "waits behind a dead letter"
)

// Mend is the repair of one key.
type Mend struct {
	Key        string `json:"key"`
	Difference string `json:"difference"`
	Action     string `json:"action"`

	key    []string
	future []string // versions of silver's rows that no event of the source can have
}

// Plan is the repair of one table.
type Plan struct {
	Source string `json:"source"`
	Table  string `json:"table"`
	// LSN up to which the source's log is known: rows of silver behind it are no
	// events.
	LSN  string `json:"lsn"`
	Keys []Mend `json:"keys"`
	// Whole says why single keys cannot be read; the table can.
	Whole string `json:"whole_table,omitempty"`
	// Bronze says that bronze differs from the topic, which no reading mends.
	Bronze *Offsets `json:"bronze,omitempty"`

	landed string
	layout layout
	of     sectors.Table
}

// Empty tells whether there is nothing to repair.
func (p *Plan) Empty() bool { return len(p.Keys) == 0 && p.Whole == "" }

// Waiting counts the keys that are left, as a dead letter holds them back.
func (p *Plan) Waiting() int { return len(p.Keys) - len(p.planned()) }

// planned are the keys on which something is done.
func (p *Plan) planned() (keys [][]string) {
	for _, m := range p.Keys {
		if m.Action != Waits {
			keys = append(keys, m.key)
		}
	}
	return keys
}

// ErrTooMany says that more keys differ than the limit allows.
type ErrTooMany struct {
	Source, Table string
	Keys, Limit   int
}

func (e *ErrTooMany) Error() string {
	return fmt.Sprintf("source %s, table %s: %d keys or more differ, the limit is %d: find out why, then raise it with --limit or run 'hopluu connector resnapshot %s %s'", e.Source, e.Table, e.Keys, e.Limit, e.Source, e.Table)
}

// PlanRepair compares a source's tables, those named or all, and says what a
// repair would do. It changes nothing.
func PlanRepair(ctx context.Context, config Config, source Source, limit int, tables ...string) ([]Plan, error) {
	var plans []Plan
	for _, t := range source.Sector.Tables {
		name := t.Schema + "." + t.Name
		if len(tables) > 0 && !slices.Contains(tables, name) {
			continue
		}
		if config.Progress != nil {
			config.Progress(source.Name, name)
		}
		var found, waiting []suspect
		var at standing
		for !at.finished[rowsKind] {
			s, err := compareStretch(ctx, config, source, t, at.begin(watchedRows))
			if err != nil {
				return nil, fmt.Errorf("source %s, table %s: %w", source.Name, name, err)
			}
			found, waiting = append(found, s.suspects...), append(waiting, s.waiting...)
			if len(found) > limit {
				return nil, &ErrTooMany{Source: source.Name, Table: name, Keys: len(found), Limit: limit}
			}
			at = standing{number: map[string]uint32{}, finished: map[string]bool{}}
			if err := at.pass(s.entry(source, t, 0)); err != nil {
				return nil, err
			}
		}
		// What waits is shown, up to as many.
		plan, err := planOf(ctx, config, source, t, append(found, waiting[:min(len(waiting), limit)]...))
		if err != nil {
			return nil, fmt.Errorf("source %s, table %s: %w", source.Name, name, err)
		}
		if err := plan.bronze(ctx, config); err != nil {
			return nil, fmt.Errorf("source %s, table %s: %w", source.Name, name, err)
		}
		if !plan.Empty() || plan.Bronze != nil {
			plans = append(plans, *plan)
		}
	}
	return plans, nil
}

// bronze looks whether bronze has the topic's events.
func (p *Plan) bronze(ctx context.Context, config Config) error {
	name := topic.Public(p.Source, p.of.Schema, p.of.Name)
	spans, err := passedOffsets(ctx, config, name)
	if err != nil {
		return err
	}
	found, err := compareSpans(ctx, config.Kafka, config.ClickHouse, p.landed, spans)
	if err == nil && !found.OK {
		p.Bronze = &found.Offsets
	}
	return err
}

// planOf says what is to be done about keys that differ.
func planOf(ctx context.Context, config Config, source Source, described sectors.Table, found []suspect) (*Plan, error) {
	p := &Plan{Source: source.Name, Table: described.Schema + "." + described.Name, Keys: []Mend{}, landed: source.Sector.Sector + "_" + described.Name, of: described}
	if len(found) == 0 {
		return p, nil
	}
	keys := make([][]string, len(found))
	for i, s := range found {
		keys[i] = s.key
	}
	silver, err := landedColumns(ctx, config.ClickHouse, "silver", p.landed)
	if err != nil {
		return nil, err
	}
	conn, err := postgres.Connect(ctx, source.DSN)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // only read from
	catalog := postgres.NewCatalog(conn)
	relation, err := catalog.Relation(ctx, described.Schema, described.Name)
	if err == nil {
		relation, err = catalog.Narrow(ctx, source.Publication, relation)
	}
	if err != nil {
		return nil, err
	}
	if p.layout, err = layoutOf(relation, described, silver); err != nil {
		return nil, err
	}
	// Silver first and the source's position after it: no event that silver had
	// then is behind that position.
	versions, err := p.versions(ctx, config.ClickHouse, keys)
	if err != nil {
		return nil, err
	}
	checkpoint, err := connectors.Checkpoint(ctx, config.Kafka, source.Name)
	if err != nil {
		return nil, err
	}
	var at string
	if err := conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&at); err != nil {
		return nil, fmt.Errorf("the source's position: %w", err)
	}
	lsn, err := event.ParseLSN(at)
	if err != nil {
		return nil, err
	}
	p.LSN = lsn.String()
	last := event.Position{Epoch: checkpoint.Epoch, LSN: lsn, Ordinal: 1<<32 - 1}
	held, err := heldKeys(ctx, config.ClickHouse, source.Name, described, p.layout, found)
	if err != nil {
		return nil, err
	}
	for _, s := range found {
		m := Mend{Key: keyText(s.key), Difference: string(s.difference), Action: ReadAgain, key: s.key}
		for _, v := range versions[m.Key] {
			if v.position.Compare(last) > 0 {
				m.future = append(m.future, v.text)
				m.Action = RemoveAndReadAgain
			}
		}
		if held[m.Key] {
			m.Action, m.future = Waits, nil
		}
		p.Keys = append(p.Keys, m)
	}
	if keys := p.planned(); len(keys) > 0 {
		if why := connectors.KeysReadable(relation, described, keys...); why != nil {
			p.Whole = why.Error()
		}
	}
	return p, nil
}

// version is that of a row of silver, as a number and as ClickHouse writes it.
type version struct {
	position event.Position
	text     string
}

// versions gives all rows of keys that silver holds, hidden ones among them.
func (p *Plan) versions(ctx context.Context, conn driver.Conn, keys [][]string) (map[string][]version, error) {
	all := map[string][]version{}
	if len(p.layout.columns) == 0 || p.layout.columns[p.layout.key[0]].landedType == "" {
		return all, nil // silver does not have the table
	}
	var key []string
	for _, k := range p.layout.key {
		key = append(key, p.layout.columns[k].clickhouse)
	}
	for some := range slices.Chunk(keys, askedKeys) {
		err := each(ctx, conn, func(rows driver.Rows) error {
			var of []string
			var v version
			var hi, lo uint64
			if err := rows.Scan(&of, &v.text, &hi, &lo); err != nil {
				return err
			}
			v.position = event.PositionOf(hi, lo)
			all[keyText(of)] = append(all[keyText(of)], v)
			return nil
		}, fmt.Sprintf(`SELECT DISTINCT [%s] AS key, toString(_version), toUInt64(bitShiftRight(_version, 64)), toUInt64(bitAnd(_version, toUInt128('18446744073709551615')))
			FROM silver.%s WHERE _source = ? AND %s`, strings.Join(key, ", "), identifier(p.landed), strings.Join(p.layout.landedWithin(bounds{only: some}), " AND ")), p.Source)
		if err != nil {
			return nil, fmt.Errorf("look at the keys in silver.%s: %w", p.landed, err)
		}
	}
	return all, nil
}

// Apply repairs a table's keys: it may be stopped anywhere, and done again. What
// it removes is removed before the row is read, for of two rows of a key
// ClickHouse keeps the one with the higher version whenever it merges them: the
// row that was read would be gone. Until it has come the key may be missing from
// silver, where it was wrong.
func (p *Plan) Apply(ctx context.Context, config Config) error {
	if p.Whole != "" {
		return fmt.Errorf("source %s, table %s: %s", p.Source, p.Table, p.Whole)
	}
	if err := p.remove(ctx, config.ClickHouse); err != nil {
		return err
	}
	if keys := p.planned(); len(keys) > 0 {
		return connectors.ReadAgain(ctx, config.Kafka, p.Source, p.Table, keys...)
	}
	return nil
}

// remove deletes the rows that claim to be later than the source's log, each by
// its own key and version: an event that lands meanwhile has another.
func (p *Plan) remove(ctx context.Context, conn driver.Conn) error {
	var future []Mend
	for _, m := range p.Keys {
		if len(m.future) > 0 {
			future = append(future, m)
		}
	}
	if len(future) == 0 {
		return nil
	}
	var engine string
	if err := conn.QueryRow(ctx, "SELECT engine FROM system.tables WHERE database = 'silver' AND name = ?", p.landed).Scan(&engine); err != nil {
		return fmt.Errorf("look up silver.%s: %w", p.landed, err)
	}
	if engine == "Distributed" {
		return fmt.Errorf("silver.%s is spread over a cluster and holds rows that claim to be later than the source's log: delete those with _lsn behind %s from silver_shard.%s ON CLUSTER, then repair again", p.landed, p.LSN, p.landed)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	for some := range slices.Chunk(future, askedKeys/10) {
		var any []string
		for _, m := range some {
			versions := make([]string, len(m.future))
			for i, v := range m.future {
				versions[i] = "toUInt128('" + v + "')"
			}
			conditions := append(p.layout.landedWithin(bounds{only: [][]string{m.key}}), "_version IN ("+strings.Join(versions, ", ")+")")
			any = append(any, "("+strings.Join(conditions, " AND ")+")")
		}
		if err := conn.Exec(ctx, fmt.Sprintf("ALTER TABLE silver.%s DELETE WHERE _source = %s AND (%s)", identifier(p.landed), quoted(p.Source), strings.Join(any, " OR "))); err != nil {
			return fmt.Errorf("remove rows of silver.%s: %w", p.landed, err)
		}
	}
	return nil
}

// Landed waits until the connector has read the plan's keys and the sink has
// written them, and gives those that differ all the same.
func (p *Plan) Landed(ctx context.Context, config Config, source Source) (left []string, err error) {
	keys := p.planned()
	if len(keys) == 0 {
		return nil, nil
	}
	err = waitUntil(ctx, config.CatchUp, "the connector did not read the keys anew", func(ctx context.Context) (bool, string, error) {
		checkpoint, err := connectors.Checkpoint(ctx, config.Kafka, p.Source)
		if err != nil {
			return false, "", err
		}
		open := 0
		for _, key := range checkpoint.Tables[p.Table].Keys {
			if slices.ContainsFunc(keys, func(of []string) bool { return slices.Equal(of, key) }) {
				open++
			}
		}
		return open == 0, fmt.Sprintf("%d of %d are still to be read", open, len(keys)), nil
	})
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(keys, askedKeys) {
		// Under a snapshot of its own that silver has applied: what was read lies
		// below it.
		found, err := lookOnce(ctx, config, source, p.of, bounds{only: some}, true, nil)
		if err == nil && len(found.suspects) > 0 {
			found, err = compareStretch(ctx, config, source, p.of, bounds{only: some})
		}
		if err != nil {
			return nil, err
		}
		for _, s := range slices.Concat(found.suspects, found.waiting) {
			left = append(left, keyText(s.key))
		}
	}
	return left, nil
}

// repair mends what a round found of a table, as the policy says. What cannot be
// mended is told; the next round finds it again.
func (w *Watch) repair(ctx context.Context, at *standing, source Source, t sectors.Table) {
	name := t.Schema + "." + t.Name
	if len(at.suspects) == 0 || w.Repair == RepairNever {
		return
	}
	command := fmt.Sprintf("hopluu reconcile repair %s --table %s", source.Name, name)
	if w.Repair != RepairAuto || len(at.suspects) > w.RepairKeys {
		w.Log.Error("keys differ and wait for a person", "source", source.Name, "table", name, "keys", len(at.suspects), "limit", w.RepairKeys, "repair", w.Repair, "see", command)
		return
	}
	err := w.mend(ctx, source, t, at.suspects)
	if err != nil && ctx.Err() == nil {
		w.Log.Error("keys that differ could not be repaired; the next round tries again", "source", source.Name, "table", name, "error", err, "see", command)
	}
}

func (w *Watch) mend(ctx context.Context, source Source, t sectors.Table, suspects []suspect) error {
	began := time.Now()
	plan, err := planOf(ctx, w.Config, source, t, suspects)
	if err != nil {
		return err
	}
	if plan.Whole != "" {
		return errors.New(plan.Whole)
	}
	err = plan.Apply(ctx, w.Config)
	if w.Repaired != nil {
		w.Repaired(ctx, plan, began, err)
	}
	if err != nil {
		return err
	}
	keys := plan.planned()
	w.metrics.mended.WithLabelValues(plan.Source, plan.Table).Add(float64(len(keys)))
	w.Log.Warn("keys that differ are read anew", "source", plan.Source, "table", plan.Table, "keys", len(keys), "waiting", len(plan.Keys)-len(keys))
	return nil
}
