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
	// Files tells that it is of files.
	Files bool
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
	// Unnamed counts rows that name records with tokens of a key that is rotated,
	// where the record key's belong: they are from before it was so.
	Unnamed uint64 `json:"rows_without_record_key"`
	// Files tells that the rows come from files.
	Files bool `json:"files"`
}

// Report is how far a rotation is.
type Report struct {
	Version uint8   `json:"version"` // of the key in force
	Tables  []Table `json:"tables"`
	// Needed are the versions of earlier keys that something needs, with what.
	Needed map[string][]string `json:"needed"`
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
			t, ok, err := look(ctx, conn, s, &s.Sector.Tables[i])
			if err != nil {
				return r, fmt.Errorf("table %s of source %s: %w", t.Table, s.Name, err)
			}
			if !ok {
				continue
			}
			t.Behind = t.Unnamed > 0
			for v := range t.Rows {
				if v != now {
					t.Behind = true
					need(v, s.Name+"."+s.Sector.Tables[i].Name)
				}
			}
			r.Tables = append(r.Tables, t)
		}
	}
	for _, name := range ledger.TokenVersions() {
		if version, ok := strings.CutPrefix(name, "t"); ok {
			need(version, "erased people, who are known by tokens of it alone")
		}
	}
	return r, nil
}

// look counts a table's rows; ok is false for one that has no tokens which move.
func look(ctx context.Context, conn driver.Conn, s Source, described *sectors.Table) (t Table, ok bool, err error) {
	t = Table{Source: s.Name, Table: described.Schema + "." + described.Name, Files: s.Files}
	if !slices.ContainsFunc(described.Columns, func(c sectors.Column) bool { return c.TokenDomain() != "" }) {
		return t, false, nil
	}
	dataset := s.Sector.Sector + "_" + described.Name
	// Without a word of the key in the file, silver shows it: rows are in its order.
	key := described.Key
	if len(key) == 0 {
		if key, err = sorted(ctx, conn, dataset); err != nil {
			return t, false, err
		}
	}
	var moves, names []string
	for i := range described.Columns {
		c := &described.Columns[i]
		switch safe := avro.SafeName(c.Name); {
		case c.TokenDomain() == "":
		case described.NamesRecord(c.Name, key) || slices.Contains(key, safe):
			names = append(names, safe)
		default:
			moves = append(moves, safe)
		}
	}
	if t.Rows, err = versions(ctx, conn, dataset, s.Name, moves); err != nil {
		return t, false, err
	}
	left, err := versions(ctx, conn, dataset, s.Name, names)
	for v, n := range left {
		t.Rows[v] += n
		t.Unnamed += n
	}
	return t, len(moves) > 0 || t.Unnamed > 0, err
}

// versions counts the living rows of a source by the version of the key that the
// tokens ("t1_…") in some columns are of; those of the record key are not counted.
func versions(ctx context.Context, conn driver.Conn, dataset, source string, columns []string) (counts map[string]uint64, err error) {
	counts = map[string]uint64{}
	if len(columns) == 0 {
		return counts, nil
	}
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
