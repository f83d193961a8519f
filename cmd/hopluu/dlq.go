package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) dlqCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "dlq",
		Short: "Deal with records that the sink could not apply",
		Long: `Deal with the sink's dead letters: records that could not be decoded, or that
ClickHouse cannot hold. Each is kept with its reason, its bytes and its position in
ops.dead_letter, and in the topic <topic>.dlq. Later records of the same key wait
behind it as dead letters of their own, so that nothing passes over it; other keys
go on.

Mend the reason first (register the schema, correct the row at its source), then
retry: the letters of a key are applied in their order. The running sink does it.`,
		Example: `  hopluu dlq list
  hopluu dlq show health.public.patient 2 1234
  hopluu dlq retry --topic health.public.patient
  hopluu dlq discard --topic health.public.patient --partition 2 --offset 1234 --why "test row"`,
	}, a.dlqList(), a.dlqShow(), a.dlqRetry(), a.dlqDiscard())
}

// deadLetter is a dead letter as JSON has it; bytes are in base64.
type deadLetter struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	State     string    `json:"state"`
	Since     time.Time `json:"since"`
	Written   time.Time `json:"written"`
	Dataset   string    `json:"dataset"`
	Record    string    `json:"record"`
	Reason    string    `json:"reason"`
	SchemaID  uint32    `json:"schema_id"`
	Key       []byte    `json:"key,omitempty"`
	Value     []byte    `json:"value,omitempty"`
}

func letterOf(l clickhouse.Letter) deadLetter {
	return deadLetter{l.Topic, l.ID, l.Offset, l.State, l.At, l.Written, l.Dataset, l.Record, l.Reason, l.SchemaID, l.Key, l.Value}
}

// selection is the flags that name dead letters.
type selection struct {
	topic     string
	partition int32
	offset    int64
}

func (s *selection) on(command *cobra.Command) {
	command.Flags().StringVar(&s.topic, "topic", "", "only letters of this topic")
	command.Flags().Int32Var(&s.partition, "partition", 0, "only letters of this partition")
	command.Flags().Int64Var(&s.offset, "offset", 0, "only the letter at this offset")
}

func (s *selection) read(command *cobra.Command) (clickhouse.Selection, error) {
	sel := clickhouse.Selection{Topic: s.topic, Partition: -1, Offset: -1}
	if command.Flags().Changed("partition") {
		sel.Partition = s.partition
	}
	if command.Flags().Changed("offset") {
		sel.Offset = s.offset
	}
	if sel.Offset >= 0 && (sel.Partition < 0 || sel.Topic == "") {
		return sel, errors.New("--offset needs --topic and --partition: an offset is one of a partition")
	}
	return sel, nil
}

func (a *app) dlqList() *cobra.Command {
	var sel selection
	var all, asJSON bool
	var limit int
	command := &cobra.Command{
		Use:   "list",
		Short: "List dead letters with their reasons",
		Long: `List dead letters in the order of topic, partition and offset. Exits with 1 when
there are some that wait to be dealt with, so that a script notices.`,
		Example: `  hopluu dlq list
  hopluu dlq list --topic health.public.patient --json | jq -r '.[].reason' | sort | uniq -c`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := sel.read(cmd)
			if err != nil {
				return err
			}
			return a.withDeadLetters(func(letters *clickhouse.DeadLetters) error {
				found, err := letters.List(cmd.Context(), chosen, all, limit)
				if err != nil {
					return err
				}
				return printLetters(cmd.OutOrStdout(), found, asJSON)
			})
		},
	}
	sel.on(command)
	command.Flags().BoolVar(&all, "all", false, "also those that were retried or discarded")
	command.Flags().IntVar(&limit, "limit", 1000, "how many at most")
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of letters as JSON, without their bytes")
	return command
}

func printLetters(w io.Writer, found []clickhouse.Letter, asJSON bool) error {
	open := false
	rows := []deadLetter{}
	for _, l := range found {
		rows = append(rows, letterOf(l))
		open = open || l.State == clickhouse.LetterOpen
	}
	if asJSON {
		if err := printJSON(w, rows); err != nil {
			return err
		}
	} else {
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.SetColumnConfigs([]table.ColumnConfig{{Name: "reason", WidthMax: 70}, {Name: "record", WidthMax: 40}})
		t.AppendHeader(table.Row{"topic", "partition", "offset", "state", "since", "record", "reason"})
		for _, r := range rows {
			t.AppendRow(table.Row{r.Topic, r.Partition, r.Offset, r.State, r.Since.Local().Format(time.DateTime), r.Record, r.Reason})
		}
		if len(rows) > 0 {
			fmt.Fprintln(w, t.Render())
		}
		if _, err := fmt.Fprintf(w, "%d dead letters\n", len(rows)); err != nil {
			return err
		}
	}
	if open {
		return errFound
	}
	return nil
}

func (a *app) dlqShow() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "show TOPIC PARTITION OFFSET",
		Short: "Show one dead letter with its bytes",
		Long: `Show one dead letter: its reason, its position, and its key and value as they came,
in hexadecimal (base64 in JSON). They may hold personal data.`,
		Example: `  hopluu dlq show health.public.patient 2 1234
  hopluu dlq show health.public.patient 2 1234 --json | jq -r .value | base64 -d | xxd`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return fmt.Errorf("%s needs a topic, a partition and an offset: %s", cmd.CommandPath(), cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			partition, err1 := strconv.ParseInt(args[1], 10, 32)
			offset, err2 := strconv.ParseInt(args[2], 10, 64)
			if err1 != nil || err2 != nil || partition < 0 || offset < 0 {
				return fmt.Errorf("%s %s is no partition and offset: give two numbers", args[1], args[2])
			}
			return a.withDeadLetters(func(letters *clickhouse.DeadLetters) error {
				l, ok, err := letters.Show(cmd.Context(), topic.Partition{Topic: args[0], ID: int32(partition)}, offset)
				switch {
				case err != nil:
					return err
				case !ok:
					return fmt.Errorf("there is no dead letter of %s, partition %d, at offset %d: see 'hopluu dlq list --all'", args[0], partition, offset)
				case asJSON:
					return printJSON(cmd.OutOrStdout(), letterOf(l))
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s, partition %d, offset %d: %s since %s\nrecord  %s\nreason  %s\nschema  %d\nkey\n%svalue\n%s",
					l.Topic, l.ID, l.Offset, l.State, l.At.Local().Format(time.DateTime), l.Record, l.Reason, l.SchemaID, hex.Dump(l.Key), hex.Dump(l.Value))
				return err
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the letter as JSON")
	return command
}

// dlqResult is what became of a request.
type dlqResult struct {
	Letters int64 `json:"letters"`
	Waiting int64 `json:"waiting"` // no sink has dealt with them
	Open    int64 `json:"open"`    // they cannot be applied still
}

func (a *app) dlqRetry() *cobra.Command {
	return a.dlqRequest(&cobra.Command{
		Use:   "retry --topic TOPIC [--partition P [--offset O]] | --all",
		Short: "Apply dead letters again, in their order",
		Long: `Have the running sink apply dead letters again, with all that wait behind them, the
letters of a key in their order. What still cannot be applied stays a dead letter,
with its new reason, and the command exits with 1. A letter that is not there, or is
settled already, and a topic that never had one, are refused with 2.`,
		Example: `  hopluu dlq retry --topic health.public.patient
  hopluu dlq retry --topic health.public.patient --partition 2 --offset 1234
  hopluu dlq retry --all --wait 10m --json`,
	}, func(ctx context.Context, letters *clickhouse.DeadLetters, sel clickhouse.Selection) (*clickhouse.Request, error) {
		return letters.Retry(ctx, sel)
	})
}

func (a *app) dlqDiscard() *cobra.Command {
	var why string
	command := a.dlqRequest(&cobra.Command{
		Use:   "discard --topic TOPIC [--partition P [--offset O]] --why TEXT",
		Short: "Give dead letters up, and apply what waits behind them",
		Long: `Have the running sink give up dead letters for good: neither bronze nor silver gets
them. Why is kept with them, and their bytes stay in ops.dead_letter and in the
dead-letter topic. Records that waited behind one are applied in their order. A letter
that is not there, or is settled already, and a topic that never had one, are refused
with 2.`,
		Example: `  hopluu dlq discard --topic health.public.patient --partition 2 --offset 1234 --why "test row"
  hopluu dlq discard --all --why "agreed with the owner on 2026-01-31"`,
	}, func(ctx context.Context, letters *clickhouse.DeadLetters, sel clickhouse.Selection) (*clickhouse.Request, error) {
		if why == "" {
			return nil, errors.New("dlq discard needs --why: it is kept with what is given up")
		}
		return letters.Discard(ctx, sel, why)
	})
	command.Flags().StringVar(&why, "why", "", "why they are given up")
	return command
}

func (a *app) dlqRequest(command *cobra.Command, request func(context.Context, *clickhouse.DeadLetters, clickhouse.Selection) (*clickhouse.Request, error)) *cobra.Command {
	var sel selection
	var all, asJSON bool
	var wait time.Duration
	command.Args = noArgs
	command.RunE = func(cmd *cobra.Command, args []string) error {
		chosen, err := sel.read(cmd)
		if err != nil {
			return err
		}
		if chosen.Topic == "" && !all {
			return fmt.Errorf("%s needs --topic, or --all: see '%s --help'", cmd.CommandPath(), cmd.CommandPath())
		}
		c, _, err := a.load()
		if err != nil {
			return err
		}
		return a.withDeadLetters(func(letters *clickhouse.DeadLetters) error {
			return a.audited(cmd, args, c, []string{chosen.String()}, func(touch func(...string)) error {
				asked, err := request(cmd.Context(), letters, chosen)
				if err != nil {
					return err
				}
				result, err := awaitLetters(cmd.Context(), asked, wait, asJSON)
				if err != nil {
					return err
				}
				if result.Letters == 0 {
					if err := nothingMeant(cmd.Context(), letters, chosen); err != nil {
						return err
					}
				}
				touch(fmt.Sprintf("%d dead letters", result.Letters))
				return printAsked(cmd.OutOrStdout(), result, wait, asJSON)
			})
		})
	}
	sel.on(command)
	command.Flags().BoolVar(&all, "all", false, "letters of every topic")
	command.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for the sink")
	command.Flags().BoolVar(&asJSON, "json", false, "print letters, waiting and open as JSON")
	return command
}

// nothingMeant is why a selection that no letter waits in is an error: the letter
// that it names is not there, or is settled. All letters, or those of a topic that
// had some, may well be none.
func nothingMeant(ctx context.Context, letters *clickhouse.DeadLetters, sel clickhouse.Selection) error {
	if sel.Topic == "" {
		return nil
	}
	ever, err := letters.List(ctx, sel, true, 1)
	if err != nil {
		return err
	}
	if len(ever) == 0 {
		return fmt.Errorf("%s: there is none, see 'hopluu dlq list --all'", sel)
	}
	if sel.Offset >= 0 && ever[0].Settled() {
		return fmt.Errorf("%s: it is %s since %s, and waits no more", sel, ever[0].State, ever[0].At.Local().Format(time.DateTime))
	}
	return nil
}

// awaitLetters waits until sinks have dealt with a request.
func awaitLetters(ctx context.Context, asked *clickhouse.Request, wait time.Duration, quiet bool) (dlqResult, error) {
	const interval = 200 * time.Millisecond
	bound, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	show := !quiet && term.IsTerminal(int(os.Stderr.Fd()))
	if show {
		defer fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	for {
		state, err := asked.Progress(ctx)
		if err != nil {
			return dlqResult{}, err
		}
		if state.Waiting == 0 || bound.Err() != nil {
			return dlqResult{state.Letters, state.Waiting, state.Open}, nil
		}
		if show {
			fmt.Fprintf(os.Stderr, "\r\x1b[K%d of %d dead letters", state.Letters-state.Waiting, state.Letters)
		}
		select {
		case <-tick.C:
		case <-bound.Done():
			if ctx.Err() != nil {
				return dlqResult{}, ctx.Err()
			}
		}
	}
}

func printAsked(w io.Writer, r dlqResult, wait time.Duration, asJSON bool) error {
	var err error
	switch {
	case asJSON:
		err = printJSON(w, r)
	case r.Letters == 0:
		_, err = fmt.Fprintln(w, "no dead letter waits to be dealt with")
	case r.Waiting > 0:
		_, err = fmt.Fprintf(w, "%d of %d dead letters are asked for, but no sink dealt with them within %s: does 'hopluu sink run' run? It does it when it is started\n", r.Waiting, r.Letters, wait)
	case r.Open > 0:
		_, err = fmt.Fprintf(w, "%d of %d dead letters cannot be applied still: see 'hopluu dlq list'\n", r.Open, r.Letters)
	default:
		_, err = fmt.Fprintf(w, "%d dead letters are settled\n", r.Letters)
	}
	if err == nil && r.Waiting+r.Open > 0 {
		return errFound
	}
	return err
}

func (a *app) withDeadLetters(do func(*clickhouse.DeadLetters) error) (err error) {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	options, err := clickhouseOptions(c)
	if err != nil {
		return err
	}
	letters, err := clickhouse.OpenDeadLetters(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, letters.Close()) }()
	return do(letters)
}
