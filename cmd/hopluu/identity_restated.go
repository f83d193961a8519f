package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
)

// restatement is a figure that a merge or split of persons changed. A value is
// null where the mart has no such row on that side.
type restatement struct {
	RestatedAt time.Time         `json:"restated_at"`
	Figure     string            `json:"figure"`
	Column     string            `json:"column"`
	Dimensions map[string]string `json:"dimensions"`
	Old        *float64          `json:"old_value"`
	New        *float64          `json:"new_value"`
	AsOf       *time.Time        `json:"as_of"`
	Cause      string            `json:"cause"`
	CausedAt   *time.Time        `json:"caused_at"`
	Causes     uint64            `json:"causes"`
	Before     []string          `json:"persons_before"`
	After      []string          `json:"persons_after"`
	Records    []string          `json:"records"`
	Model      string            `json:"model_version"`
	Partition  int32             `json:"event_partition"`
	First      int64             `json:"event_first"`
	Last       int64             `json:"event_last"`
}

func (a *app) identityRestatedCommand() *cobra.Command {
	var since, figure string
	var limit int
	var asJSON bool
	command := &cobra.Command{
		Use:   "restated [--since 24h|2026-01-31|TIME] [--figure gold.MART[.COLUMN]|INDICATOR]",
		Short: "List figures of gold that a merge or split of persons changed, with old value, new value and cause",
		Long: `List figures of gold that a merge or split of persons changed: the same rows counted
with the links before it and after it, and what differs. What new data changed is not
here. The newest are first; the sink finds them, soon after each merge or split.

An empty value means that the mart had, or has, no such row. In a rush many merges and
splits are counted together; 'causes' says how many.`,
		Example: `  hopluu identity restated --since 24h
  hopluu identity restated --figure gold.insured_share_by_ward.share
  hopluu identity restated --figure citizens.insured_share --json | jq '.[] | .new_value'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := sinceTime(since, time.Now())
			if err != nil {
				return err
			}
			return a.withHouse(cmd.Context(), func(conn driver.Conn) error {
				found, err := readRestatements(cmd.Context(), conn, from, figure, limit)
				if err != nil {
					return err
				}
				waiting, skipped, err := uncounted(cmd.Context(), conn)
				if err != nil {
					return err
				}
				if waiting > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "hopluu: %d merges and splits are not counted yet\n", waiting)
				}
				if len(skipped) > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "hopluu: not all may be here: ClickHouse could not count %s for some merges and splits; the sink's log says why\n", strings.Join(skipped, ", "))
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), found)
				}
				return printRestatements(cmd.OutOrStdout(), found)
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&since, "since", "", "only those found from then on: a duration back, a day or a time in RFC 3339 (default all)")
	flags.StringVar(&figure, "figure", "", "only this mart, column of a mart, or code of an indicator")
	flags.IntVar(&limit, "limit", 1000, "how many at most")
	flags.BoolVar(&asJSON, "json", false, "print an array as JSON")
	return command
}

// withHouse hands over a connection to ClickHouse.
func (a *app) withHouse(ctx context.Context, do func(driver.Conn) error) error {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	return houseOf(ctx, c, do)
}

// houseOf is withHouse of a configuration that is read.
func houseOf(ctx context.Context, c config.Config, do func(driver.Conn) error) (err error) {
	options, err := clickhouseOptions(c)
	if err != nil {
		return err
	}
	conn, err := dialClickHouse(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return do(conn)
}

// sqlText writes a string literal of ClickHouse.
func sqlText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// whereFigure is the condition for a mart, a column of one, or an indicator.
func whereFigure(figure string) string {
	if figure == "" {
		return "1"
	}
	if mart, ok := strings.CutPrefix(figure, "gold."); ok {
		mart, column, ofColumn := strings.Cut(mart, ".")
		where := "figure = " + sqlText("gold."+mart)
		if ofColumn {
			where += " AND column = " + sqlText(column)
		}
		return where
	}
	return "figure = 'gold.indicators' AND dimensions['code'] = " + sqlText(figure)
}

func readRestatements(ctx context.Context, conn driver.Conn, from time.Time, figure string, limit int) (found []restatement, err error) {
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT restated_at, figure, column, dimensions, old_value, new_value, as_of, cause, caused_at, causes, persons_before, persons_after, records, model_version, event_partition, event_first, event_last
FROM gold.restatement
WHERE restated_at >= fromUnixTimestamp64Micro(%d) AND %s
ORDER BY event_last DESC, restated_at DESC, figure, toString(dimensions), column
LIMIT %d`, max(from.UnixMicro(), 0), whereFigure(figure), limit))
	if err != nil {
		return nil, noRestatements(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found = []restatement{}
	for rows.Next() {
		var r restatement
		if err := rows.Scan(&r.RestatedAt, &r.Figure, &r.Column, &r.Dimensions, &r.Old, &r.New, &r.AsOf, &r.Cause, &r.CausedAt, &r.Causes, &r.Before, &r.After, &r.Records, &r.Model, &r.Partition, &r.First, &r.Last); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, noRestatements(rows.Err())
}

// noRestatements says what a missing view means.
func noRestatements(err error) error {
	var e *clickhouse.Exception
	if errors.As(err, &e) && (e.Code == unknownTable || e.Code == unknownDatabase) {
		return fmt.Errorf("gold.restatement is not there: has 'hopluu sink run' of this version ever run with this ClickHouse? %w", err)
	}
	return err
}

// ClickHouse's codes of what is not there.
const (
	unknownTable    = 60
	unknownDatabase = 81
)

// uncounted gives how many merges and splits the sink has not counted yet, and
// the marts that it could not count.
func uncounted(ctx context.Context, conn driver.Conn) (waiting uint64, skipped []string, err error) {
	err = conn.QueryRow(ctx, `SELECT
    (SELECT count() FROM bronze.identity_event AS e
     LEFT ANY JOIN (SELECT event_partition AS p, max(event_last) AS last, 1 AS at FROM ops.restated WHERE figure = '' GROUP BY p) AS r ON r.p = e._partition
     WHERE r.at = 0 OR e._offset > r.last),
    (SELECT arraySort(groupUniqArrayArray(skipped)) FROM ops.restated WHERE figure = '')`).Scan(&waiting, &skipped)
	return waiting, skipped, noRestatements(err)
}

func printRestatements(w io.Writer, found []restatement) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"caused at", "cause", "figure", "of", "old", "new", "persons", "records"})
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "of", WidthMax: 40}, {Name: "persons", WidthMax: 56}, {Name: "records", WidthMax: 40}})
	for _, r := range found {
		var of []string
		for _, d := range slices.Sorted(maps.Keys(r.Dimensions)) {
			of = append(of, d+"="+r.Dimensions[d])
		}
		cause, at := r.Cause, ""
		if r.Causes > 1 {
			cause = fmt.Sprintf("%s (%d)", r.Cause, r.Causes)
		}
		if r.CausedAt != nil {
			at = r.CausedAt.Local().Format(time.DateTime)
		}
		t.AppendRow(table.Row{at, cause, r.Figure + "." + r.Column, strings.Join(of, ", "), number(r.Old), number(r.New), strings.Join(r.Before, ", ") + " → " + strings.Join(r.After, ", "), strings.Join(r.Records, ", ")})
	}
	if len(found) > 0 {
		fmt.Fprintln(w, t.Render())
	}
	_, err := fmt.Fprintf(w, "%d figures restated\n", len(found))
	return err
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}
