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

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// sinkStanding is where the sink stands in one partition, as JSON has it.
type sinkStanding struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1: nothing yet
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Pending   bool   `json:"pending"`
	// To is where a rewind sets the partition.
	To *int64 `json:"to,omitempty"`
}

func (a *app) sinkStatus() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Say where the sink stands in every topic",
		Long: `Say, for each partition of the sink's topics, the offset at which it goes on, the
offsets that the topic holds, and how many are still to be written. Pending is a
range that was noted and of which the sink does not know yet whether it arrived.`,
		Example: `  hopluu sink status
  hopluu sink status --json | jq 'map(.lag) | add'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSinkGroup(cmd.Context(), "", -1, func(kafka *topic.Client, c config.Config, standings []sinks.Standing) error {
				pauses, err := pause.Read(cmd.Context(), kafka)
				if err != nil {
					return err
				}
				for _, target := range slices.Sorted(maps.Keys(pauses)) {
					if target == pause.Sink(c.Sink.Group) || strings.HasPrefix(target, pause.Sink(c.Sink.Group)+"/") {
						fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", target, pauses[target])
					}
				}
				return printStandings(cmd.OutOrStdout(), standings, nil, asJSON)
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of partitions as JSON")
	return command
}

func (a *app) sinkRewind() *cobra.Command {
	var name, to string
	var partition int32
	var dryRun, asJSON bool
	command := &cobra.Command{
		Use:   "rewind --topic TOPIC --to earliest|OFFSET|TIME",
		Short: "Read a topic again from an offset or a time",
		Long: `Set the sink back in a topic, so that it writes the records from there on again.
Stop every sink first; start them afterwards.

What bronze has is not written to it twice: of those records only silver is written
again, where an older version of a row changes nothing. What bronze lacks from the
end of what it has is written to both. --to is 'earliest', an offset (of every
partition, or the one of --partition), or a time in RFC 3339: the first record at
or after it. An offset that the topic does not hold any more is refused, as is one
ahead of the sink: what lies between would be lost.

Kafka's own kafka-consumer-groups can set the offsets as well; this command also
keeps apart what a sink that only sleeps may still be about to write.`,
		Example: `  hopluu sink rewind --topic health.public.patient --to earliest --dry-run
  hopluu sink rewind --topic health.public.patient --to 2026-01-31T08:00:00+07:00
  hopluu sink rewind --topic health.public.patient --partition 2 --to 120000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" || to == "" {
				return errors.New("sink rewind needs --topic and --to: see 'hopluu sink rewind --help'")
			}
			if !cmd.Flags().Changed("partition") {
				partition = -1
			}
			return a.withSinkGroup(cmd.Context(), name, partition, func(kafka *topic.Client, c config.Config, standings []sinks.Standing) error {
				targets, err := rewindTargets(cmd.Context(), kafka, standings, to)
				if err != nil {
					return err
				}
				if !dryRun {
					err := a.audited(cmd, args, c, []string{"group " + c.Sink.Group, "topic " + name}, func(func(...string)) error {
						return sinks.Rewind(cmd.Context(), kafka, c.Sink.Group, targets)
					})
					if err != nil {
						return err
					}
				}
				return printStandings(cmd.OutOrStdout(), standings, targets, asJSON)
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&name, "topic", "", "the topic to read again")
	flags.Int32Var(&partition, "partition", 0, "only this partition (default all)")
	flags.StringVar(&to, "to", "", "earliest, an offset, or a time such as 2026-01-31T08:00:00+07:00")
	flags.BoolVar(&dryRun, "dry-run", false, "say what would be read again, and change nothing")
	flags.BoolVar(&asJSON, "json", false, "print the partitions as JSON, with to")
	return command
}

// rewindTargets gives the offset that each partition is set to. A partition that
// stands further back already stays where it is.
func rewindTargets(ctx context.Context, kafka *topic.Client, standings []sinks.Standing, to string) (map[topic.Partition]int64, error) {
	targets := map[topic.Partition]int64{}
	offset, notNumber := strconv.ParseInt(to, 10, 64)
	at, notTime := time.Parse(time.RFC3339, to)
	var parts []topic.Partition
	for _, s := range standings {
		if s.Committed >= 0 {
			parts = append(parts, s.Partition)
		}
	}
	if len(parts) == 0 {
		return nil, errors.New("the sink has read nothing of this topic yet: there is nothing to go back to")
	}
	switch {
	case to == "earliest":
		for _, s := range standings {
			if s.Committed >= 0 {
				targets[s.Partition] = s.Start
			}
		}
	case notNumber == nil:
		for _, p := range parts {
			targets[p] = offset
		}
	case notTime == nil:
		offsets, err := kafka.OffsetsAt(ctx, at.UnixMilli(), parts...)
		if err != nil {
			return nil, err
		}
		for _, s := range standings {
			if o, ok := offsets[s.Partition]; ok && o >= 0 && o < s.Committed {
				targets[s.Partition] = o
			}
		}
		if len(targets) == 0 {
			return nil, fmt.Errorf("the sink has written no record of %s or later: there is nothing to go back to", to)
		}
	default:
		return nil, fmt.Errorf("--to %s is neither earliest, nor an offset, nor a time such as 2026-01-31T08:00:00+07:00", to)
	}
	return targets, nil
}

func printStandings(w io.Writer, standings []sinks.Standing, targets map[topic.Partition]int64, asJSON bool) error {
	rows := []sinkStanding{}
	for _, s := range standings {
		row := sinkStanding{
			Topic: s.Topic, Partition: s.ID, Committed: s.Committed, Start: s.Start, End: s.End,
			Lag: max(0, s.End-max(s.Committed, s.Start)), Pending: s.Pending > 0,
		}
		if to, ok := targets[s.Partition]; ok {
			row.To = &to
		}
		rows = append(rows, row)
	}
	if asJSON {
		return printJSON(w, rows)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	head := table.Row{"topic", "partition", "goes on at", "holds", "behind"}
	if targets != nil {
		head = append(head, "set to")
	}
	t.AppendHeader(head)
	for _, r := range rows {
		committed := any(r.Committed)
		if r.Committed < 0 {
			committed = "nothing read"
		}
		line := table.Row{r.Topic, r.Partition, committed, fmt.Sprintf("%d to %d", r.Start, r.End), r.Lag}
		if targets != nil {
			if r.To == nil {
				line = append(line, "")
			} else {
				line = append(line, *r.To)
			}
		}
		t.AppendRow(line)
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// withSinkGroup gives do where the sink's group stands in the partitions of its
// topics, of one topic, or in one partition of it.
func (a *app) withSinkGroup(ctx context.Context, name string, partition int32, do func(*topic.Client, config.Config, []sinks.Standing) error) (err error) {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	names, err := sinkTopics(c)
	if err != nil {
		return err
	}
	if name != "" {
		if !slices.Contains(names, name) {
			return fmt.Errorf("topic %s is none of the sink's: it reads %s", name, strings.Join(names, ", "))
		}
		names = []string{name}
	}
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	counts, err := kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return err
	}
	if len(counts) == 0 {
		return fmt.Errorf("none of the topics is there yet: the connectors make them, or 'hopluu topics create' (%s)", strings.Join(names, ", "))
	}
	if name != "" && partition >= counts[name] {
		return fmt.Errorf("topic %s has no partition %d: it has 0 to %d", name, partition, counts[name]-1)
	}
	var parts []topic.Partition
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		for id := range counts[n] {
			if partition < 0 || id == partition {
				parts = append(parts, topic.Partition{Topic: n, ID: id})
			}
		}
	}
	standings, err := sinks.Standings(ctx, kafka, c.Sink.Group, parts)
	if err != nil {
		return err
	}
	return do(kafka, c, standings)
}

// feeds are what the sink reads.
func feeds(c config.Config) ([]clickhouse.Feed, error) {
	settings, err := describedConfig(c)
	if err != nil {
		return nil, err
	}
	return clickhouse.Feeds(settings)
}

// sinkTopics are the topics that the sink reads.
func sinkTopics(c config.Config) ([]string, error) {
	read, err := feeds(c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range read {
		names = append(names, f.Topic)
	}
	return names, nil
}
