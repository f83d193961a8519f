package tables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// Column is one column of the source's rows as ClickHouse keeps it.
type Column struct {
	Name     string
	Type     Type
	Nullable bool // false for the key's columns only
	Key      bool
	Comment  string // "Vietnamese — English"
	// Local is true for a timestamp without time zone: its digits are the local
	// time at the source, kept in a column that calls them UTC.
	Local bool
}

// SQLType is the column's type in DDL.
func (c *Column) SQLType() string { return c.Type.column(c.Nullable) }

// Table is a data set: the shape that its bronze and its silver table share.
// A Table never changes; Evolve makes the next one.
type Table struct {
	Sector, Name string // "health", "encounter"
	Comment      string
	Columns      []Column
	// Person says how its records are linked to people, nil when they are not
	// records of a person.
	Person *sectors.Person
}

// Dataset is the table's name in every ClickHouse database.
func (t *Table) Dataset() string { return t.Sector + "_" + t.Name }

// Keyed tells whether rows have a key; a table without one stays in bronze.
func (t *Table) Keyed() bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Key })
}

func (t *Table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// SameColumns tells whether two shapes have the same columns of the same types
// in the same order.
func (t *Table) SameColumns(o *Table) bool {
	return slices.EqualFunc(t.Columns, o.Columns, func(a, b Column) bool {
		return a.Name == b.Name && a.Key == b.Key && a.Nullable == b.Nullable && a.Type.equal(b.Type)
	})
}

// Description is what the sector file says of a data set, for New and Evolve.
type Description struct {
	Sector, Name string
	// Table is nil when the sector file does not describe the table.
	Table *sectors.Table
}

// safeColumn keeps a source's column apart from the sink's own, which begin
// with an underscore, and from later versions of another column.
func safeColumn(name string) string {
	if isOwn(name) || versionName.MatchString(name) {
		return name + "_"
	}
	return name
}

// New makes the first shape of a data set from the columns of an event's
// schema.
func New(d Description, cols []avro.Column) (*Table, error) {
	t, _, err := (&Table{Sector: d.Sector, Name: d.Name}).grow(d, cols, true)
	return t, err
}

// Change is one difference between two shapes of a table.
type Change struct {
	Column Column
	Added  bool   // else the type was widened
	Of     string // the column of which an added one is the next version, else ""
	After  string // an added column's place: the column before it, "" when it is the first
}

// Incompatible is a change of the key, which a table cannot follow. The rows
// that bring it go to the dead letters (P3).
type Incompatible struct {
	Dataset, Column string
	Have, Got       string
}

func (e *Incompatible) Error() string {
	return fmt.Sprintf("%s: column %s is %s and cannot take %s: rename one of them at the source, or rebuild the data set from a new snapshot",
		e.Dataset, e.Column, e.Have, e.Got)
}

// Evolve gives the shape that holds both what t holds and rows of the given
// columns, and what has to be altered for it. Nothing is ever dropped.
func (t *Table) Evolve(d Description, cols []avro.Column) (*Table, []Change, error) {
	return t.grow(d, cols, false)
}

func (t *Table) grow(d Description, cols []avro.Column, first bool) (*Table, []Change, error) {
	next := *t
	next.Columns = slices.Clone(t.Columns)
	next.Comment = t.Comment
	if d.Table != nil {
		next.Comment = comment(d.Table.Meaning)
		next.Person = d.Table.Person
	}
	var changes []Change
	keyed, keys := t.Keyed(), 0
	for i := range cols {
		c := &cols[i]
		typ, err := TypeOf(c.Type)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: column %s: %w", t.Dataset(), c.Name, err)
		}
		col := Column{
			Name: safeColumn(c.Name), Type: typ, Nullable: !c.Key, Key: c.Key,
			Comment: columnComment(d, c), Local: c.Type.Logical == "io.debezium.time.MicroTimestamp",
		}
		if c.Key {
			keys++
		}
		versions := next.versions(col.Name)
		if len(versions) == 0 {
			if col.Key && !first {
				return nil, nil, &Incompatible{t.Dataset(), col.Name, "no part of the key", "a column of the key"}
			}
			if col.Key {
				col.Type = col.Type.forKey()
			}
			changes = append(changes, next.add(col, ""))
			continue
		}
		if have := &next.Columns[versions[0]]; have.Key != col.Key {
			return nil, nil, &Incompatible{t.Dataset(), col.Name, keyWord(have.Key), keyWord(col.Key)}
		}
		if at := next.holder(col.Name, typ); at >= 0 {
			have := &next.Columns[at]
			have.Local, have.Comment = col.Local, col.Comment
			continue
		}
		have := &next.Columns[versions[len(versions)-1]]
		wide, ok := have.Type.widened(typ)
		switch {
		case have.Key: // ClickHouse cannot alter a column of the sorting key
			return nil, nil, &Incompatible{t.Dataset(), col.Name, have.SQLType(), col.SQLType()}
		case ok:
			have.Local, have.Comment, have.Type = col.Local, col.Comment, wide
			changes = append(changes, Change{Column: *have})
		default:
			col.Name = versioned(col.Name, len(versions)+1)
			changes = append(changes, next.add(col, have.Name))
		}
	}
	if !first && keyed && keys != countKeys(t.Columns) {
		return nil, nil, &Incompatible{t.Dataset(), "(key)", fmt.Sprintf("%d columns", countKeys(t.Columns)), fmt.Sprintf("%d columns", keys)}
	}
	return &next, changes, nil
}

// add puts a column behind the others.
func (t *Table) add(col Column, of string) Change {
	after := ""
	if n := len(t.Columns); n > 0 {
		after = t.Columns[n-1].Name
	}
	t.Columns = append(t.Columns, col)
	return Change{Column: col, Added: true, Of: of, After: after}
}

func countKeys(cols []Column) (n int) {
	for i := range cols {
		if cols[i].Key {
			n++
		}
	}
	return n
}

func keyWord(key bool) string {
	if key {
		return "part of the key"
	}
	return "no part of the key"
}

// Existing is a column that ClickHouse has already, from system.columns.
type Existing struct {
	Name, Type, Comment string
	Key                 bool // in the sorting key
}

// Restore gives the shape of a table that exists, from its columns in their
// order. An error names a column that the sink did not make.
func Restore(d Description, cols []Existing) (*Table, error) {
	t := &Table{Sector: d.Sector, Name: d.Name}
	if d.Table != nil {
		t.Comment, t.Person = comment(d.Table.Meaning), d.Table.Person
	}
	for _, c := range cols {
		if isOwn(c.Name) {
			continue
		}
		typ, nullable, ok := ParseType(c.Type)
		if !ok {
			return nil, fmt.Errorf("%s: column %s has the type %s, which the sink never makes: drop the column, or rename the table away", t.Dataset(), c.Name, c.Type)
		}
		col := Column{Name: c.Name, Type: typ, Nullable: nullable || typ.Kind == Array && !c.Key, Key: c.Key, Comment: c.Comment}
		if d.Table != nil {
			base, _ := version(c.Name)
			if sc, ok := d.Table.Column(base); ok {
				col.Local = localTimestamp(sc.Type)
			}
		}
		t.Columns = append(t.Columns, col)
	}
	return t, nil
}

// localTimestamp tells whether a PostgreSQL type of a sector file is a
// timestamp without time zone.
func localTimestamp(sqlType string) bool {
	s := strings.ToLower(sqlType)
	return strings.HasPrefix(s, "timestamp") && !strings.Contains(s, "with time zone") && !strings.HasPrefix(s, "timestamptz")
}

func comment(t sectors.Text) string {
	switch {
	case t.Vi == "":
		return t.En
	case t.En == "":
		return t.Vi
	}
	return t.Vi + " — " + t.En
}

// tokenNote is added to the comment of an identifier: what an analyst sees is
// a keyed token, equal for equal identifiers (P11).
const tokenNote = " (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)"

// maskNote is added to the comment of a column that its owner masks.
const maskNote = " (đã che: *** hoặc ngày đầu năm — masked by its owner: ***, or the first day of the year)"

func columnComment(d Description, c *avro.Column) string {
	if d.Table != nil {
		if sc, ok := d.Table.Column(c.Name); ok {
			s := comment(sc.Meaning)
			switch {
			case sc.TokenDomain() != "":
				s += tokenNote
			case sc.Privacy == sectors.Mask:
				s += maskNote
			}
			return s
		}
	}
	return c.Doc
}
