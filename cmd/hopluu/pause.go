package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

const pauseLong = `
  connector SOURCE         nothing is read from the source. Its slot keeps the WAL on
                           the database's disk meanwhile: the command says how much it
                           keeps, how fast that grows and when the server gives the
                           slot up; wal.warn_bytes and wal.policy hold as ever. Of a
                           source of files: files stay where they are dropped.
  connector SOURCE TABLE…  the tables are set aside: their raw events go to their
                           dead-letter topics and the slot goes on, so that one table
                           never keeps the WAL of all. Resuming reads them anew: every
                           row is right then, but bronze has no history of the time
                           between (the raw events do).
  sink                     no sink of sink.group writes anything
  sink DATASET…            the sinks do not read the topics of a data set (health_patient,
                           as in silver.health_patient): its events wait in Kafka in
                           their order, for topics.retention at the most
  processor                the matcher links nobody; reviewers are answered with 503`

func (a *app) pauseCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "pause",
		Short: "Hold a connector, a table, the sink or the matcher still",
		Long: `Hold a part still until 'hopluu resume'. The running processes follow within
seconds, those that start later too; the processes stay up, and /readyz, the
metrics, the log, the status commands and 'hopluu top' say who paused what, and
why. Nothing is lost:
` + pauseLong,
		Example: `  hopluu pause connector health --why "the hospital changes its disk"
  hopluu pause connector health public.patient --why "a wrong import is being undone"
  hopluu pause sink --why "ClickHouse is upgraded"
  hopluu pause list`,
	},
		a.pauseConnector(true), a.pauseSink(true), a.pauseProcessor(true), a.pauseList())
}

func (a *app) resumeCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "resume",
		Short: "Let go on what 'hopluu pause' holds still",
		Long: `Let a part go on where it stood. A table of a connector is read anew, beside the
stream of the others.`,
		Example: `  hopluu resume connector health
  hopluu resume connector health public.patient
  hopluu resume sink health_patient`,
	},
		a.pauseConnector(false), a.pauseSink(false), a.pauseProcessor(false))
}

// held is a pause as the commands show it.
type held struct {
	Target string    `json:"target"`
	By     string    `json:"by"`
	Why    string    `json:"why"`
	Since  time.Time `json:"since"`
}

// whyFlag is --why of a pause.
func whyFlag(command *cobra.Command, pausing bool) *string {
	var why string
	if pausing {
		command.Flags().StringVar(&why, "why", "", "why it is paused; it is shown wherever the pause is")
	}
	return &why
}

// newPause is a pause that begins now.
func (a *app) newPause(why string) (pause.Pause, error) {
	if strings.TrimSpace(why) == "" {
		return pause.Pause{}, errors.New("--why is needed: whoever finds the pause must know what it is for")
	}
	who, _ := a.operator()
	return pause.Pause{By: who, Why: strings.Join(strings.Fields(why), " "), At: time.Now().UTC().Truncate(time.Second)}, nil
}

func verb(pausing bool) string {
	if pausing {
		return "pause"
	}
	return "resume"
}

func (a *app) pauseConnector(pausing bool) *cobra.Command {
	command := &cobra.Command{
		Use:   "connector SOURCE [SCHEMA.TABLE...]",
		Short: "A source, or tables of it",
		Args: func(cmd *cobra.Command, args []string) error {
			return oneSource(cmd, args[:min(1, len(args))])
		},
		ValidArgsFunction: a.completeTables,
	}
	if pausing {
		command.Use += " --why TEXT"
		command.Long = `Hold a source's connector, or tables of it, still until 'hopluu resume connector'.

A source: nothing is read, and the slot keeps the WAL on the database's disk; the
command says how much that is, how fast it grows, and when the server or the budget
(wal) ends it. Tables: their raw events go to their dead-letter topics and the slot
goes on; resuming reads the tables anew.`
		command.Example = "  hopluu pause connector health --why \"the hospital changes its disk\""
	} else {
		command.Long = `Let a source's connector go on where it stood, or have paused tables read anew: what
changed meanwhile is in the rows then, and what is gone is let go.`
		command.Example = "  hopluu resume connector health public.patient"
	}
	why := whyFlag(command, pausing)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.holding(cmd, pausing, *why, func(ctx context.Context, kafka *topic.Client, c config.Config, p *pause.Pause) error {
			sources, err := reachable(c, args[:1])
			if err != nil {
				return err
			}
			s, tables := sources[0], args[1:]
			if len(tables) == 0 {
				if err := a.set(cmd, args, c, kafka, []string{pause.Connector(s.Name)}, p); err != nil {
					return err
				}
				return printHeldSource(cmd, c, s, pausing)
			}
			if s.files() {
				return fmt.Errorf("source %s is of files: pause all of it, or leave the files of a table away", s.Name)
			}
			if tables, err = tablesOf(s, tables); err != nil {
				return err
			}
			err = a.audited(cmd, args, c, touchedTables(s.Name, tables), func(func(...string)) error {
				if pausing {
					return connectors.PauseTable(ctx, kafka, s.Name, *p, tables...)
				}
				return connectors.ResumeTable(ctx, kafka, s.Name, tables...)
			})
			if err != nil {
				return err
			}
			text := "%s: %s paused; raw events go to the dead letters, the slot goes on\n"
			if !pausing {
				text = "%s: %s read anew; see 'hopluu connector status'\n"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), text, s.Name, strings.Join(tables, ", "))
			return err
		})
	}
	return command
}

// tablesOf refuses names that are none of the source's.
func tablesOf(s source, names []string) ([]string, error) {
	var known []string
	for _, t := range s.Described.Tables {
		known = append(known, t.Schema+"."+t.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("source %s has no table %s: it has %s", s.Name, name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

// printHeldSource says what a pause of a source means for the database's disk
// (P7).
func printHeldSource(cmd *cobra.Command, c config.Config, s source, pausing bool) error {
	w := cmd.OutOrStdout()
	if !pausing {
		_, err := fmt.Fprintf(w, "source %s goes on; see 'hopluu connector status %s'\n", s.Name, s.Name)
		return err
	}
	if s.files() {
		_, err := fmt.Fprintf(w, "source %s is paused: files stay in %s\n", s.Name, s.Location)
		return err
	}
	seen := look(cmd.Context(), s, c.Budget(), time.Second)
	if seen.err != nil {
		_, err := fmt.Fprintf(w, "source %s is paused. What its slot keeps is not known: %s\n", s.Name, oneLine(seen.err))
		return err
	}
	if !seen.Slot.Exists {
		_, err := fmt.Fprintf(w, "source %s is paused; it has no slot, and keeps no WAL\n", s.Name)
		return err
	}
	rate := "its growth is not known"
	if perSecond, ok := seen.Rate.PerSecond(); ok {
		rate = fmt.Sprintf("it grows by %s/s, %s a day at this rate", connectors.Bytes(int64(perSecond)), connectors.Bytes(int64(perSecond*86400)))
	}
	limit := "the server sets no limit (max_slot_wal_keep_size)"
	if seen.Slot.SafeBytes != nil {
		limit = "the server gives the slot up after " + connectors.Bytes(*seen.Slot.SafeBytes) + " more"
		if left, ok := seen.Rate.Left(*seen.Slot.SafeBytes); ok {
			limit += ", in " + connectors.Seconds(left.Seconds())
		}
	}
	b := seen.Budget
	budget := fmt.Sprintf("a warning comes at %s", connectors.Bytes(b.Warn))
	if b.Warn == 0 {
		budget = "no warning is configured (wal.warn_bytes)"
	}
	if b.Limit > 0 {
		budget += fmt.Sprintf(", at %s the policy '%s' acts", connectors.Bytes(b.Limit), b.Policy)
	}
	_, err := fmt.Fprintf(w, "source %s is paused. Its slot keeps %s of WAL now; %s; %s; %s\n", s.Name, connectors.Bytes(seen.Slot.RetainedBytes), rate, limit, budget)
	return err
}

func (a *app) pauseSink(pausing bool) *cobra.Command {
	command := &cobra.Command{Use: "sink [DATASET...]", Short: "All sinks of sink.group, or data sets in them", Args: cobra.ArbitraryArgs}
	if pausing {
		command.Use += " --why TEXT"
		command.Long = `Hold all sinks of sink.group still, or data sets in them (health_patient is the one
of silver.health_patient). Events wait in Kafka in their order, for topics.retention at
the most: a sink that finds them gone ends with an error, and jumps over nothing.`
		command.Example = "  hopluu pause sink health_patient --why \"a column is being repaired\""
	} else {
		command.Long = "Let the sinks, or data sets in them, go on where they stood."
		command.Example = "  hopluu resume sink health_patient"
	}
	why := whyFlag(command, pausing)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.holding(cmd, pausing, *why, func(ctx context.Context, kafka *topic.Client, c config.Config, p *pause.Pause) error {
			known, err := datasets(c)
			if err != nil {
				return err
			}
			targets := []string{pause.Sink(c.Sink.Group)}
			if len(args) > 0 {
				targets = nil
			}
			for _, name := range args {
				if !slices.Contains(known, name) {
					return fmt.Errorf("there is no data set %s: the sink has %s", name, strings.Join(known, ", "))
				}
				targets = append(targets, pause.Dataset(c.Sink.Group, name))
			}
			if err := a.set(cmd, args, c, kafka, targets, p); err != nil {
				return err
			}
			what := cmp.Or(strings.Join(args, ", "), "the sink")
			if !pausing {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: goes on; see 'hopluu sink status'\n", what)
				return err
			}
			kept := "for ever"
			if c.Topics.Retention > 0 {
				kept = fmt.Sprintf("for %s: resume before %s", c.Topics.Retention, time.Now().Add(c.Topics.Retention).Format(time.DateOnly))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: paused; events wait in Kafka, which keeps them %s\n", what, kept)
			return err
		})
	}
	return command
}

// datasets are those that the sink writes.
func datasets(c config.Config) ([]string, error) {
	read, err := feeds(c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range read {
		names = append(names, f.Dataset)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (a *app) pauseProcessor(pausing bool) *cobra.Command {
	command := &cobra.Command{Use: "processor", Short: "The matcher", Args: noArgs, Example: "  hopluu " + verb(pausing) + " processor"}
	if pausing {
		command.Use += " --why TEXT"
		command.Long = `Hold the matcher still: nobody is linked anew, and reviewers are answered with 503.
Its topics are compacted, so nothing is lost for it; what was decided stays.`
		command.Example += " --why \"the model is being judged\""
	}
	if !pausing {
		command.Long = "Let the matcher go on: it reads its topics, and publishes what changed."
	}
	why := whyFlag(command, pausing)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.holding(cmd, pausing, *why, func(ctx context.Context, kafka *topic.Client, c config.Config, p *pause.Pause) error {
			if err := a.set(cmd, args, c, kafka, []string{pause.Processor}, p); err != nil {
				return err
			}
			text := "the matcher goes on: it reads its topics and publishes what changed\n"
			if pausing {
				text = "the matcher is paused; its topics are compacted and lose nothing\n"
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		})
	}
	return command
}

// holding gives do Kafka, the configuration and, for a pause, what it is.
func (a *app) holding(cmd *cobra.Command, pausing bool, why string, do func(context.Context, *topic.Client, config.Config, *pause.Pause) error) (err error) {
	var p *pause.Pause
	if pausing {
		begins, err := a.newPause(why)
		if err != nil {
			return err
		}
		p = &begins
	}
	c, _, err := a.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	return do(ctx, kafka, c, p)
}

// set writes pauses, or ends them, and records it. What is not paused cannot go
// on, and what is paused keeps its reason.
func (a *app) set(cmd *cobra.Command, args []string, c config.Config, kafka *topic.Client, targets []string, p *pause.Pause) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	if _, err := kafka.Ensure(ctx, topicSettings(c).PauseSpec()); err != nil {
		return err
	}
	now, err := pause.Read(ctx, kafka)
	if err != nil {
		return err
	}
	for _, target := range targets {
		old, paused := now[target]
		if p != nil && paused {
			return fmt.Errorf("%s is %s; 'hopluu resume' it first", target, old)
		}
		if p == nil && !paused {
			return fmt.Errorf("%s is not paused: see 'hopluu pause list'", target)
		}
	}
	return a.audited(cmd, args, c, targets, func(func(...string)) error {
		for _, target := range targets {
			if err := pause.Set(ctx, kafka, target, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) pauseList() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "list",
		Short:   "List what is paused, by whom and why",
		Long:    "List what is paused: parts, and the tables that connectors have set aside for it.",
		Example: "  hopluu pause list --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.holding(cmd, false, "", func(ctx context.Context, kafka *topic.Client, c config.Config, _ *pause.Pause) error {
				all, err := allHeld(ctx, kafka, c)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), all)
				}
				return printHeld(cmd.OutOrStdout(), all)
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of pauses as JSON")
	return command
}

// allHeld are the pauses of parts, and those of the tables that connectors have
// set aside.
func allHeld(ctx context.Context, kafka *topic.Client, c config.Config) ([]held, error) {
	pauses, err := pause.Read(ctx, kafka)
	if err != nil {
		return nil, err
	}
	all := []held{}
	for _, target := range slices.Sorted(maps.Keys(pauses)) {
		p := pauses[target]
		all = append(all, held{target, p.By, p.Why, p.At})
	}
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.files() {
			continue
		}
		known, err := connectors.Checkpoint(ctx, kafka, s.Name)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(known.Tables)) {
			if p, ok := connectors.PausedTable(known.Tables[name].Quarantined); ok {
				all = append(all, held{pause.Connector(s.Name) + "/" + name, p.By, p.Why, p.At})
			}
		}
	}
	return all, nil
}

func printHeld(w io.Writer, all []held) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "nothing is paused")
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"paused", "by", "since", "why"})
	for _, h := range all {
		t.AppendRow(table.Row{h.Target, h.By, h.Since.Local().Format(time.DateTime), h.Why})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
