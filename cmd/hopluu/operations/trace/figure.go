package trace

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/views"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

func quote(s string) string { return tables.Quote(s) }

// Config is what traces need.
type Config struct {
	ClickHouse driver.Conn
	// Kafka and Registry are nil when events are not read from there, too.
	Kafka    *topic.Client
	Registry *registry.Client
	// Ledger says who is erased.
	Ledger *erasure.Ledger
}

// Tracer answers questions. One goroutine uses it.
type Tracer struct {
	Config
	views   map[string]views.View
	persons map[string]string // expression of the record whose link a row follows, by data set
}

// New makes a Tracer, which reads the views as they are now.
func New(ctx context.Context, c Config) (*Tracer, error) {
	all, err := views.Read(ctx, c.ClickHouse)
	if err != nil {
		return nil, err
	}
	t := &Tracer{Config: c, views: map[string]views.View{}, persons: map[string]string{}}
	for _, v := range all {
		t.views[v.String()] = v
		if dataset, is := strings.CutPrefix(v.Name, "v_"); is && v.Database == tables.Silver {
			if _, expr, is := strings.Cut(v.Query, "AS l ON l.record = "); is {
				t.persons[dataset] = expr
			}
		}
	}
	if c.Ledger == nil {
		t.Ledger = erasure.New()
		err = t.query(ctx, "SELECT key, value FROM ops.erasure ORDER BY key", func(rows driver.Rows) error {
			var key, value string
			if err := rows.Scan(&key, &value); err != nil {
				return err
			}
			return t.Ledger.Take([]byte(key), []byte(value))
		})
	}
	return t, err
}

// query calls row for each row of the result, to scan it.
func (t *Tracer) query(ctx context.Context, sql string, row func(driver.Rows) error) error {
	// Names of many rows make a long statement.
	rows, err := t.ClickHouse.Query(clickhousego.Context(ctx, clickhousego.WithSettings(clickhousego.Settings{"max_query_size": 64 << 20, "max_ast_elements": 10_000_000, "max_expanded_ast_elements": 10_000_000})), sql)
	if err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	if err := rows.Err(); err != nil {
		return errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
	}
	return rows.Close()
}

// Condition says which row of a view is meant.
type Condition struct{ Column, Value string }

// Request is the figure that is asked for.
type Request struct {
	View   string // "gold.population_by_ward"
	Where  []Condition
	Figure string    // a column; "" for all
	At     time.Time // as rows and links were at that time; zero for now
}

// Cell is a column of the view's row; Value is nil for NULL.
type Cell struct {
	Column string  `json:"column"`
	Value  *string `json:"value"`
}

// Dataset is a part of a figure.
type Dataset struct {
	Name   string     `json:"dataset"`
	AsOf   *time.Time `json:"as_of"`
	Topics []string   `json:"topics"`
}

// Count is how many rows of a data set made the figure.
type Count struct {
	Dataset string `json:"dataset"`
	Part    string `json:"part"` // "counted" or "joined"
	Rows    uint64 `json:"rows"`
}

// Figure is one row of a view, and what it is made of.
type Figure struct {
	View     string     `json:"view"`
	Figure   string     `json:"figure,omitempty"`
	At       *time.Time `json:"at,omitempty"`
	AsOf     string     `json:"as_of,omitempty"`
	Row      []Cell     `json:"row"`
	Datasets []Dataset  `json:"datasets"`
	// Named is false for a view of which nothing says which rows it counts.
	Named  bool    `json:"rows_named"`
	Counts []Count `json:"counts"`
	// Again is what the same query gives over the counted rows alone; Same when
	// that is the figure. Moving tells that the figure changed meanwhile.
	Again  []Cell   `json:"again"`
	Same   bool     `json:"same"`
	Moving bool     `json:"moving,omitempty"`
	Replay []string `json:"replay"`

	contributors string // the query of its rows
	known        []Row  // all of them, when they are few; else nil
	at           time.Time
	shown        []string // figures that were asked for
}

// target is a row of a view as a query, and the mart whose rows are counted for it.
type target struct {
	query   string // with the names of views
	mart    clickhouse.Contributors
	key     string // condition on the mart's keys
	figures []string
}

// Trace finds the row and its parts.
func (t *Tracer) Trace(ctx context.Context, r Request) (*Figure, error) {
	v, ok := t.views[r.View]
	if !ok || v.Database != tables.Gold {
		return nil, fmt.Errorf("there is no view %q: name one of gold, such as gold.population_by_ward ('SELECT DISTINCT mart FROM gold.catalogue' lists them)", r.View)
	}
	columns, err := t.columns(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, c := range r.Where {
		if !slices.ContainsFunc(columns, func(k column) bool { return k.name == c.Column }) {
			return nil, fmt.Errorf("%s has no column %q: it has %s", r.View, c.Column, names(columns))
		}
	}
	if r.Figure != "" && !slices.ContainsFunc(columns, func(k column) bool { return k.name == r.Figure }) {
		return nil, fmt.Errorf("%s has no column %q: it has %s", r.View, r.Figure, names(columns))
	}
	// The figure may move while its rows are looked for: it is looked at before
	// and after, and again when it did.
	for try := 1; ; try++ {
		f, err := t.once(ctx, r, v, columns)
		if err != nil || !f.Named || f.Same || try == 3 {
			return f, err
		}
	}
}

func (t *Tracer) once(ctx context.Context, r Request, v views.View, columns []column) (*Figure, error) {
	f := &Figure{View: r.View, Figure: r.Figure, at: r.At, Counts: []Count{}, Again: []Cell{}, Replay: []string{}}
	now := t.moment(r.At)
	if !r.At.IsZero() {
		f.At = &r.At
	}
	whole := tables.Qualified(v.Database, v.Name)
	if !r.At.IsZero() {
		whole = "(" + now.inline(t, v.Query, nil) + ")"
	}
	where := "1"
	for _, c := range r.Where {
		where += fmt.Sprintf(" AND ifNull(toString(%s), 'NULL') = %s", cast(columns, c.Column), quote(c.Value))
	}
	found, err := t.rows(ctx, whole, where, columns, 4)
	if err != nil {
		return nil, err
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("%s has no row where %s", r.View, conditions(r.Where))
	case len(found) > 1:
		return nil, fmt.Errorf("%s has several rows where %s: say with --where which one is meant, by %s; for example %s", r.View, conditions(r.Where), tellApart(v, columns), example(found[0], v, columns))
	}
	f.Row = found[0]
	for _, c := range f.Row {
		if c.Column == "as_of" && c.Value != nil {
			f.AsOf = *c.Value
		}
	}
	to, ok, err := t.target(f, r, v, columns)
	if err != nil {
		return f, err
	}
	read := v
	if ok && v.Name == "indicators" {
		read = t.views[tables.Gold+"."+to.mart.Mart]
	}
	if f.Datasets, err = t.datasets(ctx, read); err != nil || !ok {
		return f, err
	}
	f.Named, f.shown = true, to.figures
	f.contributors = contributors(now.inline(t, to.mart.SQL, nil), to)
	if err := t.gather(ctx, f); err != nil {
		return nil, err
	}
	return f, t.again(ctx, f, r, v, columns, to, now)
}

// target finds what is declared of the rows of the view.
func (t *Tracer) target(f *Figure, r Request, v views.View, columns []column) (to target, ok bool, err error) {
	if v.Name == "indicators" {
		return t.headline(f)
	}
	to.query = v.Query
	to.mart, ok, err = clickhouse.ContributorsOf(v.Name)
	if err != nil || !ok {
		return to, false, err
	}
	var parts []string
	for _, key := range to.mart.Keys {
		parts = append(parts, f.is(key))
	}
	to.key = strings.Join(parts, " AND ")
	for _, c := range columns {
		if c.name == "as_of" || r.Figure != "" && c.name != r.Figure {
			continue
		}
		to.figures = append(to.figures, figuresOf(to.mart, c.name)...)
	}
	slices.Sort(to.figures)
	to.figures = slices.Compact(to.figures)
	if !slices.ContainsFunc(to.figures, func(name string) bool { return strings.Contains(to.mart.SQL, quote(name)) }) {
		to.figures = nil // a column that every row decides
	}
	return to, true, nil
}

// figuresOf gives the figures that a column of the mart is made of. What tells
// the rows of a mart apart is decided by whoever is counted.
func figuresOf(mart clickhouse.Contributors, column string) []string {
	if of, ok := mart.MadeOf[column]; ok {
		return of
	}
	return []string{column}
}

// is the condition that a column has the value of the row.
func (f *Figure) is(column string) string {
	for _, c := range f.Row {
		if c.Column != column {
			continue
		}
		if c.Value == nil {
			return "isNull(" + tables.Ident(column) + ")"
		}
		return fmt.Sprintf("ifNull(toString(%s) = %s, 0)", tables.Ident(column), quote(*c.Value))
	}
	return "1"
}

var (
	fromMart = regexp.MustCompile(`(?s)\nFROM gold\.(\w+)(?:\nWHERE (.*))?$`)
	word     = regexp.MustCompile(`\w+`)
)

// headline is an indicator: it counts what the rows of its mart count that it
// reads, in the columns that it names.
func (t *Tracer) headline(f *Figure) (to target, ok bool, err error) {
	all, err := clickhouse.Headlines()
	if err != nil {
		return to, false, err
	}
	for _, c := range f.Row {
		if c.Column == "code" && c.Value != nil {
			to.query = all[*c.Value]
		}
	}
	m := fromMart.FindStringSubmatch(to.query)
	if m == nil {
		return to, false, nil
	}
	if to.mart, ok, err = clickhouse.ContributorsOf(m[1]); err != nil || !ok {
		return to, false, err
	}
	to.key = "1"
	if m[2] != "" {
		to.key = m[2]
	}
	to.figures = headline(to.query, to.mart)
	return to, true, nil
}

// headline gives the figures of its mart that an indicator is made of; none
// when it counts the rows of the mart themselves.
func headline(query string, mart clickhouse.Contributors) (figures []string) {
	value, _, _ := strings.Cut(query, " AS value")
	if value = value[max(0, strings.LastIndex(value, "toNullable(")):]; strings.Contains(value, "count()") {
		return nil
	}
	for _, name := range word.FindAllString(value, -1) {
		figures = append(figures, figuresOf(mart, name)...)
	}
	slices.Sort(figures)
	return slices.Compact(figures)
}

// contributors is the query of the rows of silver that a target counts, each once:
//
//	trace_dataset, trace_record, trace_part String, trace_figures Array(String)
func contributors(sql string, to target) string {
	of := "notEmpty(trace_figures)"
	if len(to.figures) > 0 {
		of = "hasAny(trace_figures, " + list(to.figures) + ")"
	}
	return fmt.Sprintf(`SELECT trace_dataset, trace_record, min(p) AS trace_part, arraySort(groupUniqArrayArray(f)) AS trace_figures
FROM (SELECT trace_dataset, trace_record, trace_part AS p, trace_figures AS f FROM (
%s
) WHERE (%s) AND %s)
GROUP BY trace_dataset, trace_record`, sql, to.key, of)
}

func list(all []string) string {
	var quoted []string
	for _, s := range all {
		quoted = append(quoted, quote(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// fewRows is up to how many rows a figure's are held in memory, and named to
// ClickHouse one by one. Those of more are asked for anew each time (P8).
const fewRows = 10_000

// gather reads which rows are counted, or how many when they are many.
func (t *Tracer) gather(ctx context.Context, f *Figure) error {
	f.known = []Row{}
	err := t.contributing(ctx, f, fmt.Sprintf(" LIMIT %d", fewRows+1), func(r Row) error {
		f.known = append(f.known, r)
		return nil
	})
	if err != nil {
		return err
	}
	if len(f.known) <= fewRows {
		for _, r := range f.known {
			if last := len(f.Counts) - 1; last >= 0 && f.Counts[last].Dataset == r.Dataset && f.Counts[last].Part == r.Part {
				f.Counts[last].Rows++
				continue
			}
			f.Counts = append(f.Counts, Count{r.Dataset, r.Part, 1})
		}
	} else {
		f.known = nil
		err = t.query(ctx, "SELECT trace_dataset, trace_part, count() FROM ("+f.contributors+") GROUP BY trace_dataset, trace_part ORDER BY trace_part, trace_dataset", func(rows driver.Rows) error {
			var c Count
			err := rows.Scan(&c.Dataset, &c.Part, &c.Rows)
			f.Counts = append(f.Counts, c)
			return err
		})
	}
	for _, c := range f.Counts {
		if command := "hopluu replay plan --table " + c.Dataset + " --from earliest"; !slices.Contains(f.Replay, command) {
			f.Replay = append(f.Replay, command)
		}
	}
	return err
}

// contributing gives the rows of a figure without their events, by part, data
// set and name.
func (t *Tracer) contributing(ctx context.Context, f *Figure, limit string, each func(Row) error) error {
	return t.query(ctx, "SELECT trace_dataset, trace_record, trace_part, trace_figures FROM ("+f.contributors+") ORDER BY trace_part, trace_dataset, trace_record"+limit, func(rows driver.Rows) error {
		var r Row
		if err := rows.Scan(&r.Dataset, &r.Record, &r.Part, &r.Figures); err != nil {
			return err
		}
		if len(f.shown) > 0 {
			r.Figures = slices.DeleteFunc(r.Figures, func(name string) bool { return !slices.Contains(f.shown, name) })
		}
		return each(r)
	})
}

// again counts the figure over its rows alone (P10).
func (t *Tracer) again(ctx context.Context, f *Figure, r Request, v views.View, columns []column, to target, now moment) error {
	with := "WITH trace_rows AS (\n" + f.contributors + "\n)\n"
	restrict := func(dataset, from string) string {
		return fmt.Sprintf("(SELECT * FROM %s WHERE _record IN (SELECT trace_record FROM trace_rows WHERE trace_dataset = %s))", from, quote(dataset))
	}
	if f.known != nil {
		with = ""
		restrict = func(dataset, from string) string {
			records := []string{""} // no record's name, for a list must not be empty
			for _, r := range f.known {
				if r.Dataset == dataset {
					records = append(records, r.Record)
				}
			}
			return fmt.Sprintf("(SELECT * FROM %s WHERE _record IN (%s))", from, strings.Trim(list(records), "[]"))
		}
	}
	where := "1"
	for _, c := range r.Where {
		where += " AND " + f.is(c.Column)
	}
	for _, key := range to.mart.Keys {
		if v.Name != "indicators" {
			where += " AND " + f.is(key)
		}
	}
	alone, err := t.rows(ctx, "(\n"+now.inline(t, to.query, restrict)+"\n)", where, columns, 100, with)
	if err != nil {
		return fmt.Errorf("counting %s again over its rows alone: %w", f.View, err)
	}
	compare := func(column string) bool {
		return column != "as_of" && (r.Figure == "" || column == r.Figure)
	}
	same := func(a, b []Cell) bool {
		for i, c := range a {
			if compare(c.Column) && (i >= len(b) || !c.equal(b[i])) {
				return false
			}
		}
		return true
	}
	at := slices.IndexFunc(alone, func(row []Cell) bool { return same(f.Row, row) })
	switch {
	case at >= 0:
		f.Again, f.Same = alone[at], true
	case len(alone) > 0:
		f.Again = alone[0]
	default:
		// Of no rows there is no figure; nought is the same.
		f.Same = r.Figure != "" && !slices.ContainsFunc(f.Row, func(c Cell) bool {
			return compare(c.Column) && c.Value != nil && strings.Trim(*c.Value, "0.") != ""
		})
	}
	if f.Same {
		return nil
	}
	whole := tables.Qualified(v.Database, v.Name)
	if !r.At.IsZero() {
		return nil
	}
	later, err := t.rows(ctx, whole, where, columns, 1)
	f.Moving = err == nil && (len(later) == 0 || !same(f.Row, later[0]))
	return err
}

func (c Cell) equal(o Cell) bool {
	return (c.Value == nil) == (o.Value == nil) && (c.Value == nil || *c.Value == *o.Value)
}

// column is a column of a view.
type column struct{ name, sqlType string }

func (t *Tracer) columns(ctx context.Context, v views.View) (all []column, err error) {
	err = t.query(ctx, fmt.Sprintf("SELECT name, type FROM system.columns WHERE database = %s AND table = %s ORDER BY position", quote(v.Database), quote(v.Name)), func(rows driver.Rows) error {
		var c column
		err := rows.Scan(&c.name, &c.sqlType)
		all = append(all, c)
		return err
	})
	return all, err
}

// cast is a column as the view shows it: the view's query alone may give another type.
func cast(columns []column, name string) string {
	for _, c := range columns {
		if c.name == name {
			return fmt.Sprintf("CAST(%s, %s)", tables.Ident(name), quote(c.sqlType))
		}
	}
	return tables.Ident(name)
}

// rows reads rows of a view, or of a query in brackets.
func (t *Tracer) rows(ctx context.Context, from, where string, columns []column, limit int, with ...string) (all [][]Cell, err error) {
	var cells []string
	for _, c := range columns {
		cells = append(cells, "CAST(toString("+cast(columns, c.name)+"), 'Nullable(String)')")
	}
	err = t.query(ctx, fmt.Sprintf("%sSELECT [%s] FROM %s WHERE %s LIMIT %d", strings.Join(with, ""), strings.Join(cells, ", "), from, where, limit), func(rows driver.Rows) error {
		var values []*string
		if err := rows.Scan(&values); err != nil {
			return err
		}
		var row []Cell
		for i, c := range columns {
			row = append(row, Cell{c.name, values[i]})
		}
		all = append(all, row)
		return nil
	})
	return all, err
}

// datasets are the parts of a view, through others too.
func (t *Tracer) datasets(ctx context.Context, v views.View) (parts []Dataset, err error) {
	read := t.reads(v, map[string]bool{})
	byName := map[string]int{}
	for _, name := range read {
		byName[name] = len(parts)
		parts = append(parts, Dataset{Name: name, Topics: []string{}})
	}
	if len(read) == 0 {
		return []Dataset{}, nil
	}
	err = t.query(ctx, "SELECT DISTINCT dataset, topic FROM ops.topic WHERE dataset IN ("+strings.Trim(list(read), "[]")+") ORDER BY dataset, topic", func(rows driver.Rows) error {
		var name, topic string
		err := rows.Scan(&name, &topic)
		parts[byName[name]].Topics = append(parts[byName[name]].Topics, topic)
		return err
	})
	if err != nil {
		return nil, err
	}
	return parts, t.query(ctx, "SELECT dataset, as_of FROM ops.as_of WHERE dataset IN ("+strings.Trim(list(read), "[]")+")", func(rows driver.Rows) error {
		var name string
		var at time.Time
		err := rows.Scan(&name, &at)
		if at.Unix() > 0 { // 1970 stands for not known
			parts[byName[name]].AsOf = &at
		}
		return err
	})
}

// reads gives the data sets that a view reads.
func (t *Tracer) reads(v views.View, seen map[string]bool) (all []string) {
	for name := range views.Refers(v.Query) {
		if seen[name] {
			continue
		}
		seen[name] = true
		if inner, is := t.views[name]; is {
			all = append(all, t.reads(inner, seen)...)
			continue
		}
		if dataset, is := strings.CutPrefix(name, tables.Silver+"."); is {
			all = append(all, dataset)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func names(columns []column) string {
	var all []string
	for _, c := range columns {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

func conditions(where []Condition) string {
	if len(where) == 0 {
		return "nothing is asked"
	}
	var all []string
	for _, c := range where {
		all = append(all, c.Column+" = "+c.Value)
	}
	return strings.Join(all, " and ")
}

// apart are the columns that tell the rows of a view apart.
func apart(v views.View, columns []column) []string {
	if v.Name == "indicators" {
		return []string{"code"}
	}
	// A file that cannot be read is told when its rows are asked for.
	if c, ok, err := clickhouse.ContributorsOf(v.Name); err == nil && ok {
		return c.Keys
	}
	return []string{columns[0].name}
}

func tellApart(v views.View, columns []column) string { return strings.Join(apart(v, columns), ", ") }

func example(row []Cell, v views.View, columns []column) string {
	var all []string
	for _, key := range apart(v, columns) {
		for _, c := range row {
			if c.Column != key {
				continue
			}
			value := "NULL"
			if c.Value != nil {
				value = *c.Value
			}
			all = append(all, fmt.Sprintf("--where '%s=%s'", key, value))
		}
	}
	return strings.Join(all, " ")
}
