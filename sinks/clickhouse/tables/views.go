package tables

import (
	"fmt"
	"strings"
)

// TimeZone is the one in which views show times.
const TimeZone = "Asia/Ho_Chi_Minh"

const localType = "DateTime64(6, '" + TimeZone + "')"

// viewColumn is one column of a view.
type viewColumn struct{ name, sqlType, expr, comment string }

// View is the DDL of silver.v_<data set>: the rows that exist now, FINAL
// hidden, times in Asia/Ho_Chi_Minh, with the person whom the row speaks of. to
// is the shape of the table that Person.To names, nil unless the person is
// found through it.
func (t *Table) View(to *Table) (string, error) {
	cols := t.viewColumns(func(c *Column) string { return "t." + Ident(c.Name) })
	join := ""
	if t.Person != nil {
		record, err := t.PersonRecord(to)
		if err != nil {
			return "", err
		}
		cols = append(cols,
			viewColumn{t.free("person_id"), "Nullable(String)", "nullIf(l.person_id, '')", "Mã người thống nhất; trống khi chưa đối khớp — The person's id over all sectors; empty while not matched"},
			viewColumn{t.free("citizen"), "Nullable(String)", "l.citizen", "Bản ghi dân cư của người đó; trống khi chưa liên kết — The person's record in the population register; empty while not linked"})
		join = fmt.Sprintf("\nLEFT ANY JOIN (SELECT record, coalesce(person_id, '') AS person_id, citizen FROM %s FINAL) AS l ON l.record = %s",
			Qualified(Silver, IdentityLink), record)
	}
	cols = append(cols,
		viewColumn{"_source", "LowCardinality(String)", "t._source", ownComment("_source")},
		viewColumn{"_record", "String", "t._record", ownComment("_record")},
		viewColumn{"_version", "UInt128", "t._version", ownComment("_version")},
		viewColumn{"_commit_time", localType, "toTimeZone(t._commit_time, '" + TimeZone + "')", ownComment("_commit_time")},
		viewColumn{"_incomplete", "Array(String)", "t._incomplete", ownComment("_incomplete")},
		viewColumn{"_arrays", "Array(String)", "t._arrays", ownComment("_arrays")})
	body := fmt.Sprintf("FROM %s AS t FINAL%s", Qualified(Silver, t.Dataset()), join)
	return view(Silver, "v_"+t.Dataset(), cols, body, t.describe()), nil
}

// HistoryView is the DDL of silver.<data set>_history: every version of every
// row with the time from which and until which it was the valid one, for as-of
// questions:
//
//	WHERE _valid_from <= T AND (_valid_to IS NULL OR _valid_to > T) AND NOT _deleted
//
// Its own columns begin with an underscore: sources have a valid_from of their
// own.
func (t *Table) HistoryView() string {
	cols := t.viewColumns(func(c *Column) string {
		if !c.toastable() {
			return "h." + Ident(c.Name)
		}
		// P4: what an update did not send is what was there before it.
		return fmt.Sprintf("(argMaxIf(tuple(h.%s), h._version, NOT has(h._unchanged, %s)) OVER before).1", Ident(c.Name), Quote(c.Name))
	})
	cols = append(cols,
		viewColumn{"_valid_from", localType, "toTimeZone(h._commit_time, '" + TimeZone + "')", "Có hiệu lực từ — Valid from"},
		viewColumn{"_valid_to", "Nullable(" + localType + ")",
			"toTimeZone(multiIf(h.next_commit IS NULL AND h.cut.1 = 0, NULL, h.next_commit IS NULL, h.cut.2, h.cut.1 = 0, h.next_commit, least(assumeNotNull(h.next_commit), h.cut.2)), '" + TimeZone + "')",
			"Hết hiệu lực lúc; trống khi còn hiệu lực — Valid until; empty while it is valid"},
		viewColumn{"_deleted", "Bool", "h._is_deleted = 1", "Phiên bản này là một lần xóa — This version is a deletion"},
		viewColumn{"_op", "LowCardinality(String)", "h._op", ownComment("_op")},
		viewColumn{"_source", "LowCardinality(String)", "h._source", ownComment("_source")},
		viewColumn{"_record", "String", "h._record", ownComment("_record")},
		viewColumn{"_version", "UInt128", "h._version", ownComment("_version")},
		viewColumn{"_arrays", "Array(String)", t.historyArrays(), ownComment("_arrays")},
		viewColumn{"_topic", "LowCardinality(String)", "h._topic", ownComment("_topic")},
		viewColumn{"_partition", "Int32", "h._partition", ownComment("_partition")},
		viewColumn{"_offset", "Int64", "h._offset", ownComment("_offset")})
	bronze := Qualified(Bronze, t.Dataset())
	body := fmt.Sprintf(`FROM
(
    SELECT
        e.*,
        %s AS next_commit,
        arrayFirst(x -> x.1 > _version AND %s, c.cuts) AS cut
    FROM %s AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM %s
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`, LaterCommit("_source, _record"), t.spoken("x.3"), bronze, bronze)
	return view(Silver, t.Dataset()+"_history", cols, body, "Lịch sử các phiên bản của — History of: "+t.describe())
}

// historyArrays is _arrays of a version: of an array that its update did not
// send, what was there before it says.
func (t *Table) historyArrays() string {
	parts := []string{"CAST([], 'Array(String)')"}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Type.Kind != Array {
			continue
		}
		there := fmt.Sprintf("has(h._arrays, %s)", Quote(c.Name))
		if c.toastable() {
			there = fmt.Sprintf("(argMaxIf(tuple(%s), h._version, NOT has(h._unchanged, %s)) OVER before).1", there, Quote(c.Name))
		}
		parts = append(parts, fmt.Sprintf("if(%s, [%s], [])", there, Quote(c.Name)))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "arrayConcat(" + strings.Join(parts, ", ") + ")"
}

// free gives the name under which a view adds a column of ours: with an
// underscore before it where the source has one of that name.
func (t *Table) free(name string) string {
	for t.column(name) >= 0 {
		name = "_" + name
	}
	return name
}

// toastable: a value that PostgreSQL may keep outside the row, and then not
// send with an update.
func (c *Column) toastable() bool {
	return !c.Key && (c.Type.Kind == String || c.Type.Kind == Decimal || c.Type.Kind == Array)
}

// viewColumns shows the table's columns. One that has later versions stands for
// all of them; each version is there under a name of its own, too.
func (t *Table) viewColumns(expr func(*Column) string) []viewColumn {
	var cols, apart []viewColumn
	for i := range t.Columns {
		c := &t.Columns[i]
		base, n := version(c.Name)
		versions := t.versions(base)
		switch {
		case n > 1 && len(versions) >= n:
			apart = append(apart, c.shown(expr(c)))
		case len(versions) > 1:
			var all []*Column
			var shown []string
			for _, at := range versions {
				all = append(all, &t.Columns[at])
				shown = append(shown, t.Columns[at].shown(expr(&t.Columns[at])).expr)
			}
			newest := all[len(all)-1].shown("")
			target := newest.sqlType
			if inner, ok := wrapped(target, "Nullable"); ok {
				target = inner
			}
			cols = append(cols, viewColumn{c.Name, newest.sqlType, joined(all, shown, target), c.Comment})
			first := c.shown(expr(c))
			first.name = c.Name + "__v1"
			apart = append(apart, first)
		default:
			cols = append(cols, c.shown(expr(c)))
		}
	}
	return append(cols, apart...)
}

// shown is how a view shows a column's value: times in TimeZone.
func (c *Column) shown(expr string) viewColumn {
	vc := viewColumn{c.Name, c.SQLType(), expr, c.Comment}
	if c.Type.Kind == DateTime {
		vc.sqlType = localType
		if c.Nullable {
			vc.sqlType = "Nullable(" + localType + ")"
		}
		if c.Local {
			// Digits without a zone are the source's local time already:
			// they are read as such, not moved.
			vc.expr = "toDateTime64(toString(" + vc.expr + "), 6, '" + TimeZone + "')"
		} else {
			vc.expr = "toTimeZone(" + vc.expr + ", '" + TimeZone + "')"
		}
	}
	return vc
}

// PersonRecord is the expression for the name of the record whose link a row
// of t (FROM silver.x AS t) follows: its own, or that of the row which its
// column Via points to, of the table to.
func (t *Table) PersonRecord(to *Table) (string, error) {
	if t.Person.Direct {
		return "t._record", nil
	}
	if to != nil && (to.Person == nil || !to.Person.Direct) {
		return "", fmt.Errorf("%s: its person is found by the table %s, which has to be `person: direct` in the sector file", t.Dataset(), t.Person.To)
	}
	return t.RecordVia(t.Person.Via, t.Person.To, to)
}

// RecordVia is the expression for the name of the record that the column via
// of a row of t (FROM silver.x AS t) points to: it holds the key of the table
// of that name, whose shape is to, nil when it is not known.
func (t *Table) RecordVia(column, table string, to *Table) (string, error) {
	at := t.column(column)
	switch {
	case at < 0:
		return "", fmt.Errorf("%s: the column %s, which leads to %s, is not there", t.Dataset(), column, table)
	case to == nil:
		return "", fmt.Errorf("%s: the table %s, to which the column %s leads, is not known yet", t.Dataset(), table, column)
	case countKeys(to.Columns) != 1:
		return "", fmt.Errorf("%s: the column %s leads to the table %s, whose key has to be one column", t.Dataset(), column, table)
	}
	via := "t." + Ident(column)
	switch t.Columns[at].Type.Kind {
	case String, Enum:
		via = `replaceAll(replaceAll(` + via + `, '\\', '\\\\'), '|', '\\|')`
	case Date:
		via = "toString(toInt32(" + via + "))"
	default:
		via = "toString(" + via + ")"
	}
	return fmt.Sprintf("concat(t._source, %s, %s)", Quote("."+to.Name+":"), via), nil
}

func ownComment(name string) string {
	for i := range ownColumns {
		if ownColumns[i].name == name {
			return ownColumns[i].comment
		}
	}
	return ""
}

func view(database, name string, cols []viewColumn, body, comment string) string {
	var head, sel strings.Builder
	for i, c := range cols {
		if i > 0 {
			head.WriteString(",\n")
			sel.WriteString(",\n")
		}
		fmt.Fprintf(&head, "    %s %s", Ident(c.name), c.sqlType)
		if c.comment != "" {
			head.WriteString(" COMMENT " + Quote(c.comment))
		}
		fmt.Fprintf(&sel, "    %s AS %s", c.expr, Ident(c.name))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s\n(\n%s\n)\nAS SELECT\n%s\n%s\nCOMMENT %s",
		Qualified(database, name), head.String(), sel.String(), body, Quote(comment))
}
