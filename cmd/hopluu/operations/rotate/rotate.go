package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Source is a source of the configuration.
type Source struct {
	Name   string
	Sector sectors.Sector
}

// Table is a table with tokens.
type Table struct {
	Source string `json:"source"`
	Table  string `json:"table"` // "schema.table"
	// Rows counts the rows that there are by the version of the key whose tokens
	// they have; a row with tokens of two counts for both.
	Rows map[string]uint64 `json:"rows_by_key_version"`
	// Behind tells that some have tokens of another key than the one in force.
	Behind bool `json:"behind"`
}

// Report is how far a rotation is.
type Report struct {
	Version uint8   `json:"version"` // of the key in force
	Tables  []Table `json:"tables"`
	// Needed are the versions of earlier keys that something needs, with what.
	Needed map[string][]string `json:"needed"`
}

// KeyError names tables whose key is a token: their records would have other
// names under another key, and so would the people.
type KeyError struct{ Tables []string }

func (e *KeyError) Error() string {
	return fmt.Sprintf("the key of %s is a token, so that with another key of tokens its records would be others and people be linked anew: give the table a key of its own (`key` in its sector file), read it anew, and then rotate", strings.Join(e.Tables, ", "))
}

// Check refuses sources whose tables cannot be moved to another key. A table
// whose sector file declares no key has its primary key, which ClickHouse shows:
// its rows are in that order.
func Check(ctx context.Context, conn driver.Conn, sources []Source) error {
	var tokens []string
	for _, s := range sources {
		for i := range s.Sector.Tables {
			t := &s.Sector.Tables[i]
			key := t.Key
			if len(key) == 0 {
				var err error
				if key, err = sorted(ctx, conn, s.Sector.Sector+"_"+t.Name); err != nil {
					return fmt.Errorf("table %s.%s of source %s: %w", t.Schema, t.Name, s.Name, err)
				}
			}
			for k := range t.Columns {
				c := &t.Columns[k]
				if c.TokenDomain() != "" && (slices.Contains(key, c.Name) || slices.Contains(key, avro.SafeName(c.Name))) {
					tokens = append(tokens, s.Name+"."+t.Name)
				}
			}
		}
	}
	if len(tokens) > 0 {
		return &KeyError{Tables: slices.Compact(tokens)}
	}
	return nil
}

// sorted gives the columns by which silver orders a data set's rows, which are
// their key; in a cluster the shards' tables do.
func sorted(ctx context.Context, conn driver.Conn, dataset string) (columns []string, err error) {
	rows, err := conn.Query(ctx, "SELECT DISTINCT name FROM system.columns WHERE database IN ('silver', 'silver"+cluster.Suffix+"') AND table = ? AND is_in_sorting_key", dataset)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		columns = append(columns, name)
	}
	return columns, rows.Err()
}

// Look tells how far ClickHouse is, and what needs earlier keys.
func Look(ctx context.Context, conn driver.Conn, version uint8, sources []Source, ledger *erasure.Ledger) (Report, error) {
	r := Report{Version: version, Tables: []Table{}, Needed: map[string][]string{}}
	now := strconv.Itoa(int(version))
	need := func(version, what string) {
		if version != now && !slices.Contains(r.Needed[version], what) {
			r.Needed[version] = append(r.Needed[version], what)
		}
	}
	for _, s := range sources {
		for i := range s.Sector.Tables {
			described := &s.Sector.Tables[i]
			var columns []string
			for k := range described.Columns {
				if c := &described.Columns[k]; c.TokenDomain() != "" {
					columns = append(columns, avro.SafeName(c.Name))
				}
			}
			if len(columns) == 0 {
				continue
			}
			t := Table{Source: s.Name, Table: described.Schema + "." + described.Name}
			var err error
			if t.Rows, err = versions(ctx, conn, s.Sector.Sector+"_"+described.Name, s.Name, columns); err != nil {
				return r, fmt.Errorf("table %s of source %s: %w", t.Table, s.Name, err)
			}
			for v := range t.Rows {
				if v != now {
					t.Behind = true
					need(v, s.Name+"."+described.Name)
				}
			}
			r.Tables = append(r.Tables, t)
		}
	}
	for _, v := range ledger.TokenVersions() {
		need(strings.TrimPrefix(v, "t"), "erased people, who are known by tokens of it alone")
	}
	return r, nil
}

// versions counts the living rows of a source by the key's version of their
// tokens.
func versions(ctx context.Context, conn driver.Conn, dataset, source string, columns []string) (counts map[string]uint64, err error) {
	counts = map[string]uint64{}
	var there []string
	rows, err := conn.Query(ctx, "SELECT name FROM system.columns WHERE database = 'silver' AND table = ?", dataset)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if slices.Contains(columns, name) {
			there = append(there, "extract(toString(ifNull("+tables.Ident(name)+", '')), '^t([0-9]+)_')")
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(there) == 0 {
		return counts, err
	}
	rows, err = conn.Query(ctx, "SELECT version, count() FROM (SELECT arrayJoin(arrayDistinct(arrayFilter(x -> x != '', ["+strings.Join(there, ", ")+"]))) AS version FROM silver."+tables.Ident(dataset)+" FINAL WHERE _source = ?) GROUP BY version", source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var version string
		var n uint64
		if err := rows.Scan(&version, &n); err != nil {
			return nil, err
		}
		counts[version] = n
	}
	return counts, rows.Err()
}
