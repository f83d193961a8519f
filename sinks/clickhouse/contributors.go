package clickhouse

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

//go:embed views/trace/*.sql
var traceFiles embed.FS

// Contributors says which rows of silver a mart of gold counts: the file of
// views/trace that has the mart's name. Its first lines are
//
//	-- by ward_code                  the columns that tell the mart's rows apart
//	-- share = citizens, insured     a figure that is made of others
//
// and its query gives these columns, and with them a row of silver each:
//
//	trace_dataset String         its data set ("population_citizen")
//	trace_record String          its name, as _record has it
//	trace_part String            'counted', or 'joined': that by which others are counted, or told apart
//	trace_figures Array(String)  the columns of the mart that it is counted in, or changes
//
// A row may come several times. Counting the mart from these rows alone gives
// its figure again (P10), which 'hopluu trace' does each time, and the tests do
// for each mart.
type Contributors struct {
	Mart   string
	Keys   []string
	MadeOf map[string][]string
	SQL    string
}

var tracedMart = regexp.MustCompile(`\btrace\.(\w+)`)

// ContributorsOf reads the contributors of a mart; ok is false when none are
// declared. A query that reads trace.OTHER reads those of the other mart.
func ContributorsOf(mart string) (c Contributors, ok bool, err error) {
	text, err := traceFiles.ReadFile("views/trace/" + mart + ".sql")
	if err != nil {
		return c, false, nil // nothing is declared: embedded files have no other fault
	}
	c = Contributors{Mart: mart, MadeOf: map[string][]string{}, SQL: strings.TrimSpace(string(text))}
	for strings.HasPrefix(c.SQL, "-- ") {
		var line string
		line, c.SQL, _ = strings.Cut(c.SQL, "\n")
		line = strings.TrimPrefix(line, "-- ")
		if keys, is := strings.CutPrefix(line, "by "); is {
			c.Keys = strings.Split(keys, ", ")
		} else if figure, of, is := strings.Cut(line, " = "); is {
			c.MadeOf[figure] = strings.Split(of, ", ")
		}
	}
	var failed error
	c.SQL = tracedMart.ReplaceAllStringFunc(c.SQL, func(name string) string {
		other, ok, err := ContributorsOf(strings.TrimPrefix(name, "trace."))
		if err != nil || !ok {
			failed = fmt.Errorf("views/trace/%s.sql reads %s, which is not declared: %w", mart, name, err)
		}
		return "(\n" + other.SQL + "\n)"
	})
	return c, failed == nil, failed
}

// Traced gives the marts whose contributors are declared.
func Traced() (marts []string, err error) {
	files, err := fs.Glob(traceFiles, "views/trace/*.sql")
	for _, file := range files {
		marts = append(marts, goldName(file))
	}
	return marts, err
}

var codeOf = regexp.MustCompile(`'([^']+)' AS code\b`)

// Headlines gives the queries of gold.indicators by their codes.
func Headlines() (map[string]string, error) {
	marts, err := fs.Glob(goldFiles, "views/gold/*.sql")
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, file := range marts {
		all[goldName(file)] = true
	}
	queries, err := indicators(all)
	if err != nil {
		return nil, err
	}
	of := map[string]string{}
	for _, query := range queries {
		if m := codeOf.FindStringSubmatch(query); m != nil {
			of[m[1]] = query
		}
	}
	return of, nil
}
