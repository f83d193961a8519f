package tables

import (
	"fmt"
	"strings"
)

// FromBronze is the statement that writes rows anew from bronze into a table of
// rows, quoted: of every record that has an event which meets the condition of,
// the latest version among the events that meet below. What its update did not
// send is the last value that is known since the record was last created (P4), as
// Buffer.Lookup finds it; what nothing is known of is NULL, and named in
// _incomplete. Truncates and markers are not applied by it. It can be repeated.
func (t *Table) FromBronze(into, of, below string) string {
	var names, values []string
	put := func(name, value string) {
		names, values = append(names, Ident(name)), append(values, value)
	}
	latest := func(expr string) string { return "argMax(" + expr + ", _version)" }
	arrays, incomplete := []string{"CAST([], 'Array(String)')"}, []string{"CAST([], 'Array(String)')"}
	for i := range t.Columns {
		c := &t.Columns[i]
		cell := Ident(c.Name)
		if c.Key {
			put(c.Name, latest(cell))
			continue
		}
		if !c.toastable() {
			put(c.Name, latest("tuple("+cell+")")+".1")
			continue
		}
		known := fmt.Sprintf("_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, %s)", Quote(c.Name))
		value := fmt.Sprintf("argMaxIf(tuple(%s), _version, %s).1", cell, known)
		put(c.Name, value)
		incomplete = append(incomplete, fmt.Sprintf("if(countIf(%s) = 0 AND %s = 0, [%s], [])", known, latest("_is_deleted"), Quote(c.Name)))
		if c.Type.Kind == Array {
			arrays = append(arrays, fmt.Sprintf("if(argMaxIf(has(_arrays, %s), _version, %s), [%s], [])", Quote(c.Name), known, Quote(c.Name)))
		}
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Key && c.Type.Kind == Array {
			arrays = append(arrays, fmt.Sprintf("if(%s, [%s], [])", latest(fmt.Sprintf("has(_arrays, %s)", Quote(c.Name))), Quote(c.Name)))
		}
	}
	list := func(parts []string) string {
		if len(parts) == 1 {
			return parts[0]
		}
		return "arrayConcat(" + strings.Join(parts, ", ") + ")"
	}
	for i := range ownColumns {
		c := &ownColumns[i]
		switch {
		case !c.silver:
		case c.name == "_record" || c.name == "_source":
			put(c.name, c.name)
		case c.name == "_incomplete":
			put(c.name, list(incomplete))
		case c.name == "_arrays":
			put(c.name, list(arrays))
		case c.name == "_version":
			put(c.name, "max(_version)")
		default:
			put(c.name, latest(c.name))
		}
	}
	bronze := Qualified(Bronze, t.Dataset())
	// An event's name may be that of an alias of the same query: the columns come
	// through a subquery, and no value has an alias.
	return fmt.Sprintf(`INSERT INTO %s (%s)
SELECT
    %s
FROM
(
    SELECT *,
        max(if(_op = 'u', toUInt128(0), _version)) OVER (PARTITION BY _source, _record) AS began,
        max(_version) OVER (PARTITION BY _source, _record) AS latest
    FROM %s
    WHERE _op NOT IN ('t', 'm') AND (_source, _record) IN (SELECT _source, _record FROM %s WHERE _op NOT IN ('t', 'm') AND %s) AND %s
)
GROUP BY _source, _record`, into, strings.Join(names, ", "), strings.Join(values, ",\n    "), bronze, bronze, of, below)
}
