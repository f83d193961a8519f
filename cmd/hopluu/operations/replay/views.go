package replay

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/views"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// beside is the name of a view's copy over one of the tables that are compared:
// now, or then.
func beside(v views.View, side string) string {
	return tables.Qualified(tables.Replay, v.Database+"__"+v.Name+"__"+side)
}

// Indicator is a headline figure, as it is and over the table beside silver.
type Indicator struct {
	Code   string   `json:"code"`
	NameVi string   `json:"name_vi"`
	NameEn string   `json:"name_en"`
	Unit   string   `json:"unit"`
	Now    *float64 `json:"now"`
	// Then is what it becomes when the tables are exchanged.
	Then *float64 `json:"then"`
}

// Changed tells whether the exchange changes the figure.
func (i Indicator) Changed() bool {
	return (i.Now == nil) != (i.Then == nil) || i.Now != nil && *i.Now != *i.Then
}

// Mart is a table of gold, as it is and over the table beside silver.
type Mart struct {
	Name string `json:"name"`
	// Gone and New are rows that the exchange takes away and brings.
	Gone uint64 `json:"gone"`
	New  uint64 `json:"new"`
}

const indicatorsView = "gold.indicators"

// indicatorCode finds the beginnings of the queries that gold.indicators unions.
var indicatorCode = regexp.MustCompile(`SELECT\s+'([^']+)' AS code\b`)

// touches gives the codes of the indicators whose queries read one of the views.
func touches(indicators string, over []views.View) (codes []string) {
	known := map[string]bool{}
	for _, v := range over {
		known[v.String()] = true
	}
	at := indicatorCode.FindAllStringSubmatchIndex(indicators, -1)
	for i, m := range at {
		end := len(indicators)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		for name := range views.Refers(indicators[m[0]:end]) {
			if known[name] {
				codes = append(codes, indicators[m[2]:m[3]])
				break
			}
		}
	}
	slices.Sort(codes)
	return codes
}

// figures computes what of gold reads the data set over two tables that stand for
// it, through copies of the views, which are taken away again.
func (o *Operator) figures(ctx context.Context, dataset, now, then string) (indicators []Indicator, marts []Mart, err error) {
	all, err := views.Read(ctx, o.ClickHouse)
	if err != nil {
		return nil, nil, err
	}
	touched := views.Over(all, tables.Silver+"."+dataset)
	for side, table := range map[string]string{"now": now, "then": then} {
		by := map[string]string{tables.Silver + "." + dataset: table}
		for _, v := range touched {
			name := beside(v, side)
			defer func() {
				// What is left of it is replaced by the next comparison.
				_ = o.exec(context.WithoutCancel(ctx), "DROP VIEW IF EXISTS "+name)
			}()
			if err := o.exec(ctx, "CREATE OR REPLACE VIEW "+name+" AS "+views.Substitute(v.Query, by)); err != nil {
				return nil, nil, fmt.Errorf("%s over the replayed table: %w", v, err)
			}
			by[v.String()] = name
		}
	}
	for _, v := range touched {
		switch {
		case v.String() == indicatorsView:
			if indicators, err = o.indicators(ctx, v, touches(v.Query, touched)); err != nil {
				return nil, nil, err
			}
		case v.Database == tables.Gold:
			m, err := o.mart(ctx, v)
			if err != nil {
				return nil, nil, err
			}
			marts = append(marts, m)
		}
	}
	return indicators, marts, nil
}

func (o *Operator) indicators(ctx context.Context, v views.View, codes []string) (list []Indicator, err error) {
	now, then := map[string]Indicator{}, map[string]Indicator{}
	// One query, so that what else the figures read is of one moment, too.
	const columns = "code, name_vi, name_en, unit, value FROM "
	err = o.query(ctx, "SELECT toUInt8(0) AS side, "+columns+beside(v, "now")+" UNION ALL SELECT toUInt8(1) AS side, "+columns+beside(v, "then"), func(rows driver.Rows) error {
		var side uint8
		var i Indicator
		if err := rows.Scan(&side, &i.Code, &i.NameVi, &i.NameEn, &i.Unit, &i.Now); err != nil {
			return err
		}
		if side == 0 {
			now[i.Code] = i
		} else {
			then[i.Code] = i
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		i, ok := now[code]
		if !ok {
			i = then[code]
			i.Now = nil
		}
		i.Then = then[code].Now
		list = append(list, i)
	}
	return list, nil
}

func (o *Operator) values(ctx context.Context, from string) (map[string]Indicator, error) {
	values := map[string]Indicator{}
	err := o.query(ctx, "SELECT code, name_vi, name_en, unit, value FROM "+from, func(rows driver.Rows) error {
		var i Indicator
		if err := rows.Scan(&i.Code, &i.NameVi, &i.NameEn, &i.Unit, &i.Now); err != nil {
			return err
		}
		values[i.Code] = i
		return nil
	})
	return values, err
}

// mart counts the rows of a view that differ, but for how fresh they are.
func (o *Operator) mart(ctx context.Context, v views.View) (Mart, error) {
	m := Mart{Name: v.String()}
	var columns []string
	err := o.query(ctx, fmt.Sprintf("SELECT name FROM system.columns WHERE database = %s AND table = %s AND name != 'as_of' ORDER BY position", quote(v.Database), quote(v.Name)), func(rows driver.Rows) error {
		var name string
		err := rows.Scan(&name)
		columns = append(columns, tables.Ident(name))
		return err
	})
	if err != nil {
		return m, err
	}
	side := func(n int, from string) string {
		return fmt.Sprintf("SELECT toString(tuple(%s)) AS line, %d AS side FROM %s", strings.Join(columns, ", "), n, from)
	}
	err = o.query(ctx, "SELECT sum(greatest(now - then, 0)), sum(greatest(then - now, 0)) FROM\n(\n    SELECT toInt64(countIf(side = 0)) AS now, toInt64(countIf(side = 1)) AS then FROM\n    (\n        "+
		side(0, beside(v, "now"))+"\n        UNION ALL\n        "+side(1, beside(v, "then"))+"\n    )\n    GROUP BY line HAVING now != then\n)", func(rows driver.Rows) error {
		var gone, added int64
		err := rows.Scan(&gone, &added)
		m.Gone, m.New = uint64(gone), uint64(added)
		return err
	})
	return m, err
}
