package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) auditCommand() *cobra.Command {
	var since string
	var asJSON bool
	command := &cobra.Command{
		Use:   "audit [--since 24h|2026-01-31|TIME]",
		Short: "Show what operators did: who, when, what, and how it ended",
		Long: `Show every action of operators, oldest first: enabling and disabling capture, new
snapshots, rewinding, replays, pauses, dead letters, decisions on people, backups,
repairs, configurations that were taken while a stage ran. Each has who gave it
(--by or HOPLUU_BY, else the account), what it touched and how it ended; one that
is still 'begun' is under way, or was killed.

The record is the topic hopluu.audit, which the sink lands in ops.audit. An action
while Kafka is away goes to ops.audit; this command reads both, and says which of
them is away. Passwords and people's numbers are in neither.`,
		Example: `  hopluu audit --since 24h
  hopluu audit --since 2026-01-31 --json | jq '.[] | select(.outcome == "failed")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := sinceTime(since, time.Now())
			if err != nil {
				return err
			}
			c, _, err := a.load()
			if err != nil {
				return err
			}
			all, away, err := readAudit(cmd.Context(), c, from)
			if err != nil {
				return err
			}
			for _, err := range away {
				fmt.Fprintln(cmd.ErrOrStderr(), "hopluu: not all may be here:", oneLine(err))
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			return printAudit(cmd.OutOrStdout(), all)
		},
	}
	command.Flags().StringVar(&since, "since", "", "only actions from then on: a duration back, a day or a time in RFC 3339 (default all)")
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of actions as JSON")
	return command
}

// sinceTime reads a duration before now, a day (here), or a time. None is the
// beginning.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--since %s is neither a duration such as 24h, nor a day such as 2026-01-31, nor a time such as 2026-01-31T08:00:00+07:00", text)
}

// readAudit gives what the topic and ops.audit know of the actions since from, in
// the order in which they began, and why one of the two could not be asked. It is
// an error when neither could.
func readAudit(ctx context.Context, c config.Config, from time.Time) (all []audit.Entry, away []error, err error) {
	known := map[string]audit.Entry{}
	for _, read := range []func(context.Context, config.Config, time.Time) ([]audit.Entry, error){auditFromClickHouse, auditFromKafka} {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		entries, err := read(ctx, c, from)
		cancel()
		if err != nil {
			away = append(away, err)
		}
		for _, e := range entries {
			// The later one of an action wins; both are of the same when one place
			// has it from the other.
			if old, ok := known[e.ID]; !ok || !e.Ended.Before(old.Ended) {
				known[e.ID] = e
			}
		}
	}
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if len(away) == 2 {
		return nil, nil, errors.Join(away...)
	}
	all = []audit.Entry{}
	for _, e := range known {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b audit.Entry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, away, nil
}

func auditFromKafka(ctx context.Context, c config.Config, from time.Time) (all []audit.Entry, err error) {
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	return audit.Read(ctx, kafka, from)
}

func auditFromClickHouse(ctx context.Context, c config.Config, from time.Time) ([]audit.Entry, error) {
	options, err := clickhouseOptions(c)
	if err != nil {
		return nil, err
	}
	return clickhouse.ReadAudit(ctx, options, from)
}

func printAudit(w io.Writer, all []audit.Entry) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no action is recorded")
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"when", "who", "account", "action", "touched", "outcome"})
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "action", WidthMax: 60}, {Name: "touched", WidthMax: 40}, {Name: "outcome", WidthMax: 50}})
	for _, e := range all {
		outcome := e.Outcome
		if e.Error != "" {
			outcome += ": " + e.Error
		}
		t.AppendRow(table.Row{e.At.Local().Format(time.DateTime), e.Who, e.User, strings.TrimSpace(e.Command + " " + strings.Join(e.Args, " ")), strings.Join(e.Touched, ", "), outcome})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
