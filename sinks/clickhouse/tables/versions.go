package tables

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A column whose type changed to one that it can neither hold nor be widened to
// goes on in a new column beside it, "<name>__v2": what was written stays as it
// is, and the views show both under the old name. A row has a value in one of
// the versions at most.

// versionName ends the name of a later version of a column.
var versionName = regexp.MustCompile(`__v([1-9][0-9]*)_*$`)

// version gives the column whose later version a name is, and which one; 1 for
// a column of its own.
func version(name string) (base string, n int) {
	at := versionName.FindStringSubmatchIndex(name)
	if at == nil || at[3] != len(name) {
		return name, 1
	}
	n, err := strconv.Atoi(name[at[2]:at[3]])
	if err != nil || n < 2 {
		return name, 1
	}
	return name[:at[0]], n
}

// Base is the source's column of which a name is a version.
func Base(name string) string {
	base, _ := version(name)
	return base
}

func versioned(base string, n int) string {
	if n == 1 {
		return base
	}
	return base + "__v" + strconv.Itoa(n)
}

// versions gives the indexes of a source's column and its later versions,
// oldest first; none when there is no such column.
func (t *Table) versions(base string) (at []int) {
	for n := 1; ; n++ {
		i := t.column(versioned(base, n))
		if i < 0 {
			return at
		}
		at = append(at, i)
	}
}

// Versions gives a source's column and its later versions, newest first; none
// when there is no such column. A row has a value in one of them at most.
func (t *Table) Versions(base string) []Column {
	var all []Column
	for _, i := range t.versions(base) {
		all = append(all, t.Columns[i])
	}
	slices.Reverse(all)
	return all
}

// holder is the version of a source's column that can hold a type: the newest
// that can, -1 when none can.
func (t *Table) holder(base string, typ Type) int {
	versions := t.versions(base)
	for i := len(versions) - 1; i >= 0; i-- {
		if t.Columns[versions[i]].Type.Holds(typ) {
			return versions[i]
		}
	}
	return -1
}

// joined shows all versions of a column as one of the newest one's type: a value
// of an older version where it can be read as such, else NULL. shown is how a
// view shows the value of each; target is the type of the newest's.
func joined(columns []*Column, shown []string, target string) string {
	newest := columns[len(columns)-1]
	parts := []string{}
	for i := len(columns) - 1; i >= 0; i-- {
		c := columns[i]
		switch {
		case i == len(columns)-1:
			parts = append(parts, shown[i])
		case newest.Type.Kind == Array && c.Type.Kind == Array:
			parts = append(parts, fmt.Sprintf("arrayMap(x -> accurateCastOrNull(toString(x), %s), %s)", Quote(newest.Type.Elem.String()), shown[i]))
		case newest.Type.Kind == Array: // one value is no array
		case c.Type.Kind == Array:
			parts = append(parts, fmt.Sprintf("if(empty(%s), NULL, %s)", shown[i], asText(newest, "toString("+shown[i]+")", target)))
		default:
			parts = append(parts, asText(newest, "toString("+shown[i]+")", target))
		}
	}
	if newest.Type.Kind != Array {
		return "coalesce(" + strings.Join(parts, ", ") + ")"
	}
	// ClickHouse has no NULL array: the first that is not empty.
	out := parts[len(parts)-1]
	for i := len(parts) - 2; i >= 0; i-- {
		out = fmt.Sprintf("if(notEmpty(%s), %s, %s)", parts[i], parts[i], out)
	}
	return out
}

// asText reads a text as a value of a column.
func asText(c *Column, text, target string) string {
	if c.Type.Kind == String || c.Type.Kind == Enum {
		return text
	}
	return fmt.Sprintf("accurateCastOrNull(%s, %s)", text, Quote(target))
}
