package lineage

import (
	"regexp"
	"slices"
	"strings"
)

var words = regexp.MustCompile("[A-Za-z_][A-Za-z0-9_]*")

// OfView says what the columns of a view are made of, from its query's text: a
// column of what it reads that is named in the expression of a column is in its
// value; one that is named elsewhere decides which rows are counted. Read, so, it
// may say too much of columns that two tables name alike, and never too little.
func OfView(query string, columns []Column, reads []Dataset) map[string][]Field {
	everywhere := fieldsIn(query, reads, true)
	from := map[string][]Field{}
	for _, c := range columns {
		direct := fieldsIn(expression(query, c.Name), reads, false)
		all := slices.Clone(direct)
		for _, f := range everywhere {
			same := func(d Field) bool { return d.Namespace == f.Namespace && d.Name == f.Name && d.Column == f.Column }
			if !slices.ContainsFunc(direct, same) {
				all = append(all, f)
			}
		}
		if len(all) > 0 {
			from[c.Name] = all
		}
	}
	return from
}

func fieldsIn(text string, reads []Dataset, indirect bool) (all []Field) {
	named := map[string]bool{}
	for _, w := range words.FindAllString(text, -1) {
		named[w] = true
	}
	for _, d := range reads {
		for _, c := range d.Columns {
			if named[c.Name] && !strings.HasPrefix(c.Name, "_") {
				all = append(all, Field{Namespace: d.Namespace, Name: d.Name, Column: c.Name, Indirect: indirect})
			}
		}
	}
	return all
}

// expression is what stands before "AS name" in a query, back to the comma or
// the bracket that it begins at; the name itself when it has no other.
func expression(query, name string) string {
	at := -1
	for _, as := range []string{" AS " + name, " AS `" + name + "`"} {
		if i := strings.LastIndex(query, as+","); i >= 0 {
			at = max(at, i)
		} else if i := strings.LastIndex(query, as+" FROM"); i >= 0 {
			at = max(at, i)
		}
	}
	if at < 0 {
		return name
	}
	depth, quoted := 0, false
	for i := at - 1; i >= 0; i-- {
		switch c := query[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == ')' || c == ']':
			depth++
		case c == '(' || c == '[':
			if depth--; depth < 0 {
				return query[i+1 : at]
			}
		case c == ',' && depth == 0:
			return query[i+1 : at]
		case depth == 0 && strings.HasSuffix(query[:i+1], "SELECT "):
			return query[i+1 : at]
		}
	}
	return query[:at]
}
