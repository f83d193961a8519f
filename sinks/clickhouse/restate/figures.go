package restate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Mart is what a mart of gold counts.
type Mart struct {
	Name       string   // without the database
	Figures    []string // columns with numbers
	Dimensions []string // columns that tell its rows apart
	SQL        string   // the statement that makes it
}

var head = regexp.MustCompile(`^-- figures: (.+) by (.+)\n`)

// ReadMart reads the statement of a mart. One that does not say what it counts
// depends on no link, and has no figures.
func ReadMart(name, sql string) Mart {
	m := Mart{Name: name, SQL: sql}
	if said := head.FindStringSubmatch(sql); said != nil {
		m.Figures, m.Dimensions = strings.Split(said[1], ", "), strings.Split(said[2], ", ")
	}
	return m
}

// Definitions are the statements of views by their names ("silver.v_x",
// "gold.x"), which a figure may read.
type Definitions map[string]string

var reads = regexp.MustCompile(`\b(silver\.v_\w+|gold\.\w+)\b`)

// Reads gives the data sets of silver whose rows a statement reads, whatever
// views lie between, by the names of their views ("silver.v_x"). ok is false
// when one of the views is not defined.
func (d Definitions) Reads(sql string) (views []string, ok bool) {
	for _, name := range reads.FindAllString(body(sql), -1) {
		inner, defined := d[name]
		switch {
		case !defined:
			return nil, false
		case strings.HasPrefix(name, "silver."):
			views = append(views, name)
		default:
			more, ok := d.Reads(inner)
			if !ok {
				return nil, false
			}
			views = append(views, more...)
		}
	}
	slices.Sort(views)
	return slices.Compact(views), true
}

// body is the query of a view's statement.
func body(sql string) string {
	if at := strings.Index(sql, "\n)\nAS"); at >= 0 {
		sql = sql[at+len("\n)\nAS"):]
		if end := strings.LastIndex(sql, "\nCOMMENT '"); end >= 0 {
			sql = sql[:end]
		}
	}
	return strings.TrimSpace(sql)
}

// linked is the name that links go by in silver, as the statements write it.
var linked = regexp.MustCompile("(`silver`\\.`identity_link`|\\bsilver\\.identity_link\\b) FINAL")

// over gives a query with the views that it reads in place of their names, over
// the links that are called so.
func (d Definitions) over(query, links string) string {
	query = reads.ReplaceAllStringFunc(query, func(name string) string {
		inner := d.over(body(d[name]), links)
		if !strings.Contains(inner, links) {
			return name // no link is in it
		}
		return "(\n" + inner + "\n)"
	})
	return linked.ReplaceAllString(query, links)
}

// Compare is the query of a mart's rows that differ between the two sides:
//
//	in_before UInt8, in_after UInt8, dimensions Array(String), before Array(Nullable(Float64)), after Array(Nullable(Float64)), as_of Nullable(DateTime64)
//
// The arrays are in the order of the mart's Dimensions and Figures; a side that
// does not have the row has an empty array.
func (d Definitions) Compare(m Mart, before, after []Link) string {
	return d.compare(body(m.SQL), m, before, after)
}

// Indicator is a query of gold.indicators as a mart of one row.
func Indicator(query string) Mart {
	return Mart{Name: "indicators", Figures: []string{"value"}, Dimensions: []string{"code"}, SQL: query}
}

func (d Definitions) compare(query string, m Mart, before, after []Link) string {
	var key, dimensions, figures []string
	for _, c := range m.Dimensions {
		key = append(key, tables.Ident(c))
		dimensions = append(dimensions, "ifNull(toString("+tables.Ident(c)+"), '')")
	}
	for _, c := range m.Figures {
		figures = append(figures, "toNullable(toFloat64("+tables.Ident(c)+"))")
	}
	side := func(links string) string {
		return fmt.Sprintf(`(
    SELECT 1 AS at, toString(tuple(%s)) AS k, [%s] AS d, [%s] AS v, as_of
    FROM (
%s
    )
)`, strings.Join(key, ", "), strings.Join(dimensions, ", "), strings.Join(figures, ", "), d.over(query, links))
	}
	return fmt.Sprintf(`WITH hopluu_links_before AS %s,
hopluu_links_after AS %s
SELECT toUInt8(b.at) AS in_before, toUInt8(a.at) AS in_after, if(b.at = 1, b.d, a.d) AS dimensions, b.v AS before, a.v AS after, if(a.at = 1, a.as_of, b.as_of) AS as_of
FROM %s AS b
FULL JOIN %s AS a ON a.k = b.k
WHERE b.at != a.at OR toString(b.v) != toString(a.v)
ORDER BY dimensions`, overlay(before), overlay(after), side("hopluu_links_before"), side("hopluu_links_after"))
}
