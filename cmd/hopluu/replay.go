package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/replay"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) replayCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "replay",
		Short: "Write rows of silver again from their events, and exchange the table",
		Long: `Write rows of silver again from the events that made them, into a table beside it,
while the sinks go on; compare the two; exchange them in one step, with a way back.
Rows keep the versions of their events, and bronze is not written.

  plan   what would be read, how long it takes, which figures it touches
  run    fill the table beside silver (or mend silver in place)
  diff   rows and figures before and after
  swap   exchange the two; --back exchanges them again
  drop   take the table beside silver away`,
		Example: `  hopluu replay plan --topic health.public.patient --from 2026-01-31T08:00:00+07:00
  hopluu replay run --topic health.public.patient --from 2026-01-31T08:00:00+07:00
  hopluu replay diff health_patient
  hopluu replay swap health_patient
  hopluu replay swap health_patient --back
  hopluu replay drop health_patient`,
	}, a.replayPlan(), a.replayRun(), a.replayDiff(), a.replaySwap(), a.replayList(), a.replayDrop())
}

// replayRequest are the flags that say what to replay.
func replayRequest(command *cobra.Command) *replay.Request {
	r := &replay.Request{}
	flags := command.Flags()
	flags.StringSliceVar(&r.Topics, "topic", nil, "the topic to read again; several of one table may be given")
	flags.StringVar(&r.Table, "table", "", "the table of silver: all topics that feed it")
	flags.StringVar(&r.From, "from", "", "earliest, an offset, a time such as 2026-01-31T08:00:00+07:00, or an LSN such as 16/B374D848")
	flags.StringVar(&r.To, "to", "", "the first event that is not read again, as --from (default where the sink stands)")
	flags.BoolVar(&r.Bronze, "from-bronze", false, "read the events from bronze, when the topic's retention took them")
	flags.BoolVar(&r.Empty, "empty", false, "begin with none of the topics' rows instead of a copy of silver (with --from earliest)")
	return r
}

func (a *app) replayPlan() *cobra.Command {
	var asJSON bool
	var r *replay.Request
	command := &cobra.Command{
		Use:   "plan --topic TOPIC --from earliest|OFFSET|TIME|LSN",
		Short: "Say what a replay would read, how long it takes and what it touches",
		Long: `Say what a replay would read, partition by partition, and about how long it takes: by the
rate of an earlier replay, or of a sample that is read and decoded; whether the topic
still holds it, else whether bronze does; which views and indicators read the table, with
their figures now; what bronze costs, and what its TTL makes impossible. Nothing is
changed.

Exits with 1 when the events are not all where they would be read from, and says what
can be done.`,
		Example: `  hopluu replay plan --topic health.public.patient --from 2026-01-31T08:00:00+07:00
  hopluu replay plan --table health_encounter --from earliest --json | jq .indicators`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReplays(cmd.Context(), asJSON, func(ctx context.Context, _ config.Config, o *replay.Operator) error {
				p, err := o.Plan(ctx, *r)
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(cmd.OutOrStdout(), p)
				} else {
					err = printPlan(cmd.OutOrStdout(), p)
				}
				if err == nil && !p.Available {
					err = errFound
				}
				return err
			})
		},
	}
	r = replayRequest(command)
	command.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	return command
}

func printPlan(w io.Writer, p *replay.Plan) error {
	var b strings.Builder
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"topic", "partition", "from", "to", "events", "topic holds", "bronze from", "read from"})
	for _, s := range p.Partitions {
		bronze := any(s.BronzeStart)
		if s.BronzeStart < 0 {
			bronze = "nothing"
		}
		t.AppendRow(table.Row{s.Topic, s.Partition, s.First, s.End, s.Events, fmt.Sprintf("%d to %d", s.TopicStart, s.TopicEnd), bronze, s.Held})
	}
	b.WriteString(t.Render() + "\n")
	fmt.Fprintf(&b, "%d events, about %s", p.Events, bytesText(p.Bytes))
	if p.Rate > 0 {
		fmt.Fprintf(&b, ": %s at %.0f events/s (%s)", seconds(p.Seconds), p.Rate, p.RateOf)
	}
	fmt.Fprintf(&b, "\nsilver.%s: %d rows, read by %s\n", p.Dataset, p.SilverRows, cmp.Or(strings.Join(p.Views, ", "), "no view"))
	if len(p.Indicators) > 0 {
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.AppendHeader(table.Row{"indicator", "tên", "name", "now"})
		for _, i := range p.Indicators {
			t.AppendRow(table.Row{i.Code, i.NameVi, i.NameEn, figure(i.Now)})
		}
		b.WriteString(t.Render() + "\n")
	}
	fmt.Fprintf(&b, "bronze.%s: %d events on %s of disk", p.Dataset, p.Bronze.Rows, bytesText(p.Bronze.Bytes))
	if p.Bronze.Oldest != nil {
		fmt.Fprintf(&b, ", the oldest of %s", p.Bronze.Oldest.Local().Format(time.DateTime))
	}
	if p.Bronze.WholeSince != nil {
		fmt.Fprintf(&b, ", every event of those that landed since %s", p.Bronze.WholeSince.Local().Format(time.DateTime))
	}
	fmt.Fprintf(&b, "; TTL: %s\n", cmp.Or(p.Bronze.TTL, "none, it is kept for good"))
	for _, advice := range p.Advice {
		b.WriteString(advice + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	units, size := []string{"B", "KiB", "MiB", "GiB", "TiB"}, float64(n)
	i := 0
	for ; size >= 1024 && i < len(units)-1; i++ {
		size /= 1024
	}
	return strconv.FormatFloat(size, 'f', min(i, 1), 64) + " " + units[i]
}

func (a *app) replayRun() *cobra.Command {
	var asJSON bool
	var r *replay.Request
	command := &cobra.Command{
		Use:   "run --topic TOPIC --from earliest|OFFSET|TIME|LSN",
		Short: "Fill a table beside silver from the events",
		Long: `Make the table replay.TABLE: a copy of silver's without the rows whose last event lies
in the range, and then those rows anew from their events. A row that somebody changed
or put in by hand, with an offset in the range, is as its source has it again. Sinks go
on meanwhile; what arrives is brought over when the tables are compared or exchanged.

A command that was killed goes on when it is given again. Events that cannot be applied
go to the dead letters. An offset that the topic does not hold any more is refused:
--from-bronze reads what bronze has instead.

With --in-place silver itself is written, without a table beside it and without a way
back: a row that is wrong is mended, one that should not be there stays.`,
		Example: `  hopluu replay run --topic health.public.patient --from 2026-01-31T08:00:00+07:00
  hopluu replay run --table health_encounter --from earliest --empty
  hopluu replay run --topic health.public.patient --from 0 --from-bronze
  hopluu replay run --topic health.public.patient        # goes on after a kill`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withReplays(cmd.Context(), asJSON, func(ctx context.Context, c config.Config, o *replay.Operator) error {
				var n *replay.Note
				err := a.audited(cmd, args, c, slices.Clone(r.Topics), func(touch func(...string)) (err error) {
					n, err = o.Run(ctx, *r)
					return touched(touch, n, err)
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), n)
				}
				out := cmd.OutOrStdout()
				fmt.Fprintf(out, "%s: %d events written again in %s, %d dead letters\n", n.Dataset, n.Events, seconds(n.Seconds), n.Dead)
				if n.State == replay.Ready {
					fmt.Fprintf(out, "compare with 'hopluu replay diff %s', then 'hopluu replay swap %s'\n", n.Dataset, n.Dataset)
				}
				return nil
			})
		},
	}
	r = replayRequest(command)
	command.Flags().BoolVar(&r.InPlace, "in-place", false, "write silver itself")
	command.Flags().BoolVar(&asJSON, "json", false, "print the replay as JSON")
	return command
}

func (a *app) replayDiff() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "diff [TABLE]",
		Short: "Compare silver with the table beside it, rows and figures",
		Long: `Bring the table beside silver up to date, and say what an exchange would change: the
rows that only one of the two has or that are not the same, where in the order of the
key they lie, and samples; then each indicator and table of gold that reads it, as it
is and as it becomes. Both are compared as of one moment. Values of columns that
are of people, by the sector file, are not shown.

Exits with 0 when nothing differs, with 1 when something does.`,
		Example: `  hopluu replay diff health_patient
  hopluu replay diff health_patient --json | jq '.indicators[] | select(.now != .then)'`,
		Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withReplays(cmd.Context(), asJSON, func(ctx context.Context, _ config.Config, o *replay.Operator) error {
				d, err := o.Diff(ctx, first(args))
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(cmd.OutOrStdout(), d)
				} else {
					err = printReplayDifference(cmd.OutOrStdout(), d)
				}
				if err == nil && d.Rows() > 0 {
					err = errFound
				}
				return err
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the difference as JSON")
	return command
}

func printReplayDifference(w io.Writer, d *replay.Difference) error {
	var b strings.Builder
	fmt.Fprintf(&b, "silver.%s and replay.%s: %d rows only in silver, %d only in the replay, %d changed\n", d.Dataset, d.Dataset, d.OnlySilver, d.OnlyReplay, d.Changed)
	if d.Moving > 0 {
		fmt.Fprintf(&b, "%d rows came meanwhile, and are taken as silver has them on both sides\n", d.Moving)
	}
	render := func(head table.Row, rows []table.Row) {
		if len(rows) == 0 {
			return
		}
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.AppendHeader(head)
		t.AppendRows(rows)
		b.WriteString(t.Render() + "\n")
	}
	var rows []table.Row
	for _, r := range d.Ranges {
		rows = append(rows, table.Row{r.From, r.To, r.OnlySilver, r.OnlyReplay, r.Changed})
	}
	render(table.Row{"from key", "to key", "only silver", "only replay", "changed"}, rows)
	rows = nil
	for _, s := range d.Samples {
		var what []string
		for _, c := range s.Columns {
			if c.Personal {
				what = append(what, c.Column+": (personal)")
				continue
			}
			what = append(what, fmt.Sprintf("%s: %s -> %s", c.Column, orNull(c.Silver), orNull(c.Replay)))
		}
		rows = append(rows, table.Row{s.Kind, s.Key, strings.Join(what, "\n")})
	}
	render(table.Row{"sample", "key", "silver -> replay"}, rows)
	rows = nil
	for _, i := range d.Indicators {
		mark := ""
		if i.Changed() {
			mark = "CHANGES"
		}
		rows = append(rows, table.Row{i.Code, i.NameVi, i.NameEn, figure(i.Now), figure(i.Then), mark})
	}
	render(table.Row{"indicator", "tên", "name", "now", "then", ""}, rows)
	rows = nil
	for _, m := range d.Marts {
		rows = append(rows, table.Row{m.Name, m.Gone, m.New})
	}
	render(table.Row{"gold", "rows that go", "rows that come"}, rows)
	_, err := io.WriteString(w, b.String())
	return err
}

func orNull(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}

func figure(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func (a *app) replaySwap() *cobra.Command {
	var asJSON, back bool
	var wait time.Duration
	command := &cobra.Command{
		Use:   "swap [TABLE]",
		Short: "Exchange silver's table and the replayed one",
		Long: `Bring the table beside silver up to date, exchange the two in one step, and write what
the sink had under way meanwhile: readers see one or the other, and nothing that arrived
is missing. The former table stays as replay.TABLE, until 'hopluu replay drop'.

--back brings the former table up to date and exchanges them again. A command that was
killed is given again and ends what it began.`,
		Example: `  hopluu replay swap health_patient
  hopluu replay swap health_patient --back`,
		Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withReplays(cmd.Context(), asJSON, func(ctx context.Context, c config.Config, o *replay.Operator) error {
				var n *replay.Note
				o.Wait = wait
				err := a.audited(cmd, args, c, nil, func(touch func(...string)) (err error) {
					n, err = o.Swap(ctx, first(args), back)
					return touched(touch, n, err)
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), n)
				}
				how := "holds the replayed rows; back with 'hopluu replay swap " + n.Dataset + " --back'"
				if n.State == replay.Returned {
					how = "holds the former rows again"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "silver.%s %s; when nothing is to be kept: 'hopluu replay drop %s'\n", n.Dataset, how, n.Dataset)
				return err
			})
		},
	}
	command.Flags().DurationVar(&wait, "wait", replay.DefaultWait, "how long the sink may take to commit what it has under way")
	command.Flags().BoolVar(&back, "back", false, "exchange them again: the former table returns")
	command.Flags().BoolVar(&asJSON, "json", false, "print the replay as JSON")
	return command
}

func (a *app) replayList() *cobra.Command {
	var asJSON, all bool
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the replays",
		Long:    `List the replays of which a table is left beside silver, and how far they are.`,
		Example: "  hopluu replay list --all",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReplays(cmd.Context(), asJSON, func(ctx context.Context, _ config.Config, o *replay.Operator) error {
				notes, err := o.List(ctx, all)
				if err != nil {
					return err
				}
				return printReplays(cmd.OutOrStdout(), notes, asJSON)
			})
		},
	}
	command.Flags().BoolVar(&all, "all", false, "also those that were dropped, or done in place")
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of replays as JSON")
	return command
}

func printReplays(w io.Writer, notes []*replay.Note, asJSON bool) error {
	if asJSON {
		if notes == nil {
			notes = []*replay.Note{}
		}
		return printJSON(w, notes)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"id", "table", "state", "from", "events", "dead letters", "took", "last step"})
	for _, n := range notes {
		t.AppendRow(table.Row{n.ID, n.Dataset, n.State, n.From, n.Events, n.Dead, seconds(n.Seconds), n.At.Local().Format(time.DateTime)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func (a *app) replayDrop() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "drop [TABLE]",
		Short:   "Take the table beside silver away",
		Long:    `Take the table beside silver away: one that is not wanted, or after a swap the way back.`,
		Example: "  hopluu replay drop health_patient",
		Args:    atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withReplays(cmd.Context(), asJSON, func(ctx context.Context, c config.Config, o *replay.Operator) error {
				var n *replay.Note
				err := a.audited(cmd, args, c, nil, func(touch func(...string)) (err error) {
					n, err = o.Drop(ctx, first(args))
					return touched(touch, n, err)
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), n)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the replay %s is dropped\n", n.ID)
				return err
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the replay as JSON")
	return command
}

// touched names the replay that an action was of.
func touched(touch func(...string), n *replay.Note, err error) error {
	if n != nil {
		touch("silver."+n.Dataset, "replay "+n.ID)
	}
	return err
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond)
}

// withReplays gives do an operator of replays, with its connections.
func (a *app) withReplays(ctx context.Context, asJSON bool, do func(context.Context, config.Config, *replay.Operator) error) (err error) {
	c, log, err := a.load()
	if err != nil {
		return err
	}
	settings, done, err := sinkConfig(ctx, c, log, brief)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	conn, err := dialClickHouse(ctx, settings.ClickHouse)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	show := replay.Config{Sink: settings, ClickHouse: conn, Log: log}
	if !asJSON && term.IsTerminal(int(os.Stderr.Fd())) {
		show.Progress = func(p replay.Progress) { fmt.Fprint(os.Stderr, "\r\x1b[K"+replayLine(p)) }
		defer fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	o, err := replay.New(show)
	if err != nil {
		return err
	}
	return do(ctx, c, o)
}

// replayLine shows how far a replay is.
func replayLine(p replay.Progress) string {
	var parts []string
	if p.Total > 0 {
		parts = append(parts, bar(float64(p.Done)/float64(p.Total)))
	}
	parts = append(parts, p.Dataset, p.Step)
	if p.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%d events, %.0f/s", p.Events, p.Rate))
	}
	return strings.Join(parts, " ")
}

// sinkConfig is the sink's configuration with its connections, which done closes.
func sinkConfig(ctx context.Context, c config.Config, log *slog.Logger, asked patience) (settings clickhouse.Config, done func() error, err error) {
	if settings, err = storeConfig(c); err != nil {
		return settings, nil, err
	}
	if err := awaitClickHouse(ctx, settings.ClickHouse, asked); err != nil {
		return settings, nil, err
	}
	for i, shard := range settings.Shards {
		if err := awaitClickHouse(ctx, shard, asked); err != nil {
			return settings, nil, fmt.Errorf("shard %d of cluster %s: %w", i+1, c.ClickHouse.Cluster, err)
		}
	}
	kafka, err := reachKafka(ctx, c, asked)
	if err != nil {
		return settings, nil, err
	}
	schemas, err := reachRegistry(ctx, c, asked)
	if err != nil {
		return settings, nil, errors.Join(err, kafka.Close())
	}
	settings.Kafka, settings.Registry, settings.Log, settings.Metrics = kafka, schemas, log, prometheus.NewRegistry()
	settings.Group, settings.BatchRows, settings.BatchBytes, settings.BatchWait = c.Sink.Group, c.Sink.BatchRows, c.Sink.BatchBytes, c.Sink.BatchWait
	settings.BronzeRetention = c.Sink.BronzeRetention
	return settings, kafka.Close, nil
}

// describedConfig is the sink's configuration as far as the sector files tell it.
func describedConfig(c config.Config) (settings clickhouse.Config, err error) {
	if settings.Sectors, err = loadSectors(c); err != nil {
		return settings, err
	}
	sources, err := loadSources(c)
	for _, s := range sources {
		settings.Sources = append(settings.Sources, clickhouse.SourceRef{Name: s.Name, Sector: s.Sector})
	}
	return settings, err
}

// storeConfig is describedConfig with where ClickHouse is.
func storeConfig(c config.Config) (settings clickhouse.Config, err error) {
	if settings, err = describedConfig(c); err != nil {
		return settings, err
	}
	settings.Cluster = c.ClickHouse.Cluster
	if settings.ClickHouse, err = clickhouseOptions(c); err != nil {
		return settings, err
	}
	settings.Shards, err = clickhouseShards(c)
	return settings, err
}
