package clickhouse

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/sinks/clickhouse/golden"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

//go:embed views/gold/*.sql views/indicators/*.sql
var goldFiles embed.FS

func quote(s string) string { return tables.Quote(s) }

// gold keeps the views of gold: each file of views/gold is one statement that
// makes the mart of its name, and the files of views/indicators hold queries of
// one headline number each, divided by UNION ALL, which gold.indicators unions.
// A mart whose tables are not there yet is made when they are, and so is what
// reads it. The views of master data come from package golden.
type gold struct {
	server *server
	log    *slog.Logger
	wake   chan struct{}
	// changed has something when the views were made anew, for keepRoles.
	changed chan struct{}
	made    map[string]bool // used by keep alone

	mu     sync.Mutex
	user   string            // who the views read as; used by keep alone
	master []golden.View     // wanted now
	stands map[string]string // the statements of those that are made; used by keep alone
}

func newGold(s *server, log *slog.Logger) *gold {
	return &gold{server: s, log: log, wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), made: map[string]bool{}, stands: map[string]string{}}
}

// apply asks for the views to be made again: tables came or changed. master
// are the views of master data over the tables as they are now.
func (g *gold) apply(master []golden.View) {
	g.mu.Lock()
	g.master = master
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// settle is how long keep waits for more tables to come: they come together.
const settle = 500 * time.Millisecond

// keep makes the views whenever it is asked to, until ctx ends.
func (g *gold) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		}
		t := time.NewTimer(settle)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		if err := g.make(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("gold views are not all made; the next table, or a start of the sink, tries again", "error", err)
		}
		select {
		case g.changed <- struct{}{}:
		default:
		}
	}
}

// make makes every mart that this process has not made yet and whose tables are
// there, and then what is over them.
func (g *gold) make(ctx context.Context) error {
	if err := g.server.query(ctx, "SELECT currentUser()", func(rows driver.Rows) error { return rows.Scan(&g.user) }); err != nil {
		return err
	}
	failed := g.makeMaster(ctx)
	files, err := fs.Glob(goldFiles, "views/gold/*.sql")
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return g.made[goldName(file)] })
	there, err := g.there(ctx)
	if err != nil {
		return err
	}
	for len(files) > 0 {
		var waiting []string
		var last error
		for _, file := range files {
			sql, err := goldFiles.ReadFile(file)
			if err != nil {
				return err
			}
			if name := absent(goldName(file), string(sql), there); name != "" {
				waiting, last = append(waiting, file), fmt.Errorf("%s is not there", name)
				continue
			}
			switch err := g.server.exec(ctx, g.defined(string(sql))); {
			case err == nil:
				g.made[goldName(file)], there["gold."+goldName(file)] = true, true
			case missing(err):
				waiting, last = append(waiting, file), err
			default:
				failed = append(failed, fmt.Errorf("%s: %w", file, err))
			}
		}
		if len(waiting) == len(files) {
			// A mart may wait for another one of this round, but not for ever.
			g.log.Debug("gold views wait for their tables", "views", strings.Join(waiting, " "), "error", last)
			break
		}
		files = waiting
	}
	queries, err := indicators(g.made)
	if err != nil {
		return err
	}
	for _, sql := range []string{indicatorsView(queries), goldCatalogue} {
		if err := g.server.exec(ctx, g.defined(sql)); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// there gives the tables and views that there are, by database.name.
func (g *gold) there(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	err := g.server.query(ctx, "SELECT concat(database, '.', name) FROM system.tables WHERE database IN ('bronze', 'silver', 'gold', 'ops')", func(rows driver.Rows) error {
		var name string
		err := rows.Scan(&name)
		names[name] = true
		return err
	})
	return names, err
}

var tableName = regexp.MustCompile(`\b(?:bronze|silver|gold|ops)\.\w+`)

// absent is the first table that a mart reads and that is not there. ClickHouse
// makes a view with a list of columns over anything, and fails whoever reads it.
func absent(mart, sql string, there map[string]bool) string {
	for _, name := range tableName.FindAllString(sql, -1) {
		if name != "gold."+mart && !there[name] {
			return name
		}
	}
	return ""
}

// makeMaster makes the views of master data that are not made yet, or stand
// over tables that have changed.
func (g *gold) makeMaster(ctx context.Context) (failed []error) {
	g.mu.Lock()
	views := g.master
	g.mu.Unlock()
	for _, v := range views {
		if g.stands[v.Name] == v.SQL {
			continue
		}
		if err := g.server.exec(ctx, g.defined(v.SQL)); err != nil {
			failed = append(failed, fmt.Errorf("gold.%s: %w", v.Name, err))
			continue
		}
		g.stands[v.Name], g.made[v.Name] = v.SQL, true
	}
	return failed
}

// defined has the view of a statement read with the sink's rights: who may read
// the figure need not be let at the persons that it counts (P11). ClickHouse's own
// default for views is the reader's.
func (g *gold) defined(sql string) string {
	return strings.Replace(sql, "\n)\nAS", "\n)\nDEFINER = "+tables.Ident(g.user)+" SQL SECURITY DEFINER\nAS", 1)
}

func goldName(file string) string { return strings.TrimSuffix(path.Base(file), ".sql") }

var martName = regexp.MustCompile(`\bgold\.(\w+)`)

// indicators gives the queries of the headline numbers whose marts are made.
func indicators(made map[string]bool) (queries []string, err error) {
	files, err := fs.Glob(goldFiles, "views/indicators/*.sql")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		sql, err := goldFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, query := range strings.Split(strings.TrimSpace(string(sql)), "\nUNION ALL\n") {
			there := true
			for _, mart := range martName.FindAllStringSubmatch(query, -1) {
				there = there && made[mart[1]]
			}
			if there {
				queries = append(queries, query)
			}
		}
	}
	return queries, nil
}

// indicatorsView is gold.indicators.
func indicatorsView(queries []string) string {
	if len(queries) == 0 {
		queries = []string{"SELECT '' AS code, '' AS name_vi, '' AS name_en, '' AS unit, CAST(NULL, 'Nullable(Float64)') AS value, CAST(NULL, 'Nullable(DateTime64(6))') AS as_of, CAST([], 'Array(String)') AS sources WHERE 0"}
	}
	return `CREATE OR REPLACE VIEW gold.indicators
(
    code String COMMENT 'Mã chỉ số — Code of the indicator',
    name_vi String COMMENT 'Tên chỉ số — Name in Vietnamese',
    name_en String COMMENT 'Tên tiếng Anh — Name in English',
    unit String COMMENT 'Đơn vị — Unit',
    value Nullable(Float64) COMMENT 'Giá trị — Value',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — The figure is right as of',
    sources Array(String) COMMENT 'Các bộ dữ liệu đã dùng — Data sets it is made from'
)
AS SELECT * FROM
(
` + strings.Join(queries, "\nUNION ALL\n") + `
) AS i
COMMENT 'Các chỉ số chính cho lãnh đạo — Headline indicators for leaders'`
}

// goldCatalogue describes every mart, column by column, from the comments of
// the views themselves.
const goldCatalogue = `CREATE OR REPLACE VIEW gold.catalogue
(
    mart String COMMENT 'Kho chủ đề — Mart',
    mart_vi String COMMENT 'Ý nghĩa — Meaning in Vietnamese',
    mart_en String COMMENT 'Ý nghĩa tiếng Anh — Meaning in English',
    column String COMMENT 'Cột — Column',
    type String COMMENT 'Kiểu — Type',
    meaning_vi String COMMENT 'Ý nghĩa của cột — Meaning of the column in Vietnamese',
    meaning_en String COMMENT 'Ý nghĩa của cột, tiếng Anh — Meaning of the column in English'
)
AS SELECT
    concat('gold.', c.table) AS mart,
    splitByString(' — ', t.comment)[1] AS mart_vi,
    splitByString(' — ', t.comment)[-1] AS mart_en,
    c.name AS column,
    c.type AS type,
    splitByString(' — ', c.comment)[1] AS meaning_vi,
    splitByString(' — ', c.comment)[-1] AS meaning_en
FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE c.database = 'gold'
COMMENT 'Danh mục các kho chủ đề và chỉ số — Catalogue of marts and indicators'`
