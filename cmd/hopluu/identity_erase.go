package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/spf13/cobra"
)

const eraseHelp = `An erased person leaves the vault, the topics' future, the matcher and ClickHouse, and stays
away through replays, restores and new snapshots: the ledger (the topic identity.erasure, and
its copy ops.erasure) keeps out the person's records, what speaks of them (the encounters of a
patient), and new rows with their CCCD, CMND or insurance number. The sector's own database
is not touched. See docs/erasure.md.

`

func (a *app) identityEraseCommand() *cobra.Command {
	var desk deskFlag
	var record, reason string
	var yes, asJSON bool
	var wait time.Duration
	command := &cobra.Command{
		Use:   "erase PERSON_ID | --record SOURCE.TABLE:KEY",
		Short: "Erase a person from the vault, the topics' future, the matcher and ClickHouse",
		Long: `Erase a person, by the person_id or by one of their records. What would go is shown first.

` + eraseHelp + `With identity.two_person the first reviewer proposes it, and a second one who gives the
same command approves it. Killed in its middle, or given again, it goes on where it was. Ends
with 1 while something still stands, which 'hopluu identity erasures' names.

` + deskHelp,
		Example: `  hopluu identity erase --record health.patient:311 --reason "asked in writing, file 12/2026"
  hopluu identity erase p3a5b585c7580e14c0289ac23 --reason "asked in writing" --yes --json`,
		Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			who := record
			if len(args) == 1 {
				who = args[0]
			}
			switch {
			case who == "" || len(args) == 1 && record != "":
				return errors.New("identity erase needs a person_id or --record: see 'hopluu identity erase --help'")
			case reason == "":
				return errors.New("identity erase needs --reason: say in a few words why")
			}
			d, err := a.desk(&desk)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				out = cmd.ErrOrStderr()
			}
			var shown matcher.ErasureJSON
			if err := d.ask(cmd.Context(), http.MethodPost, "/identity/erasures", nil, matcher.EraseJSON{Who: who, Show: true}, &shown); err != nil {
				return err
			}
			if shown.State != "in force" && shown.State != "lift proposed" {
				if err := a.showErasure(cmd.Context(), out, &shown); err != nil {
					return err
				}
				if !yes {
					if asked, err := confirmed(cmd.InOrStdin(), out); err != nil || !asked {
						return err
					}
				}
			}
			var said matcher.ErasureJSON
			if err := d.ask(cmd.Context(), http.MethodPost, "/identity/erasures", nil, matcher.EraseJSON{Who: who, Reason: reason}, &said); err != nil {
				return err
			}
			if said.State == "in force" {
				said, err = d.waitErasure(cmd.Context(), out, said, wait)
				if err != nil {
					return err
				}
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), said)
			} else {
				err = printErasure(out, &said)
			}
			if err == nil && len(said.Open) > 0 {
				err = errFound
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&record, "record", "", "one of the person's records, as identity.link names it")
	flags.StringVar(&reason, "reason", "", "why, in a few words, without numbers of people")
	flags.BoolVar(&yes, "yes", false, "do not ask")
	flags.BoolVar(&asJSON, "json", false, "print the erasure as JSON; what would go, and progress, on standard error")
	flags.DurationVar(&wait, "wait", 2*time.Minute, "how long to wait for all steps")
	desk.on(command)
	return command
}

func confirmed(in io.Reader, out io.Writer) (bool, error) {
	if _, err := fmt.Fprint(out, "Nothing brings this back but the sector itself. Erase? Type yes: "); err != nil {
		return false, err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if strings.TrimSpace(line) == "yes" {
		return true, nil
	}
	if errors.Is(err, io.EOF) && line == "" {
		// Nobody is there to answer: a script must not take silence for done.
		return false, errors.New("nothing is erased, for nobody answered: type yes, or give --yes")
	}
	_, err = fmt.Fprintln(out, "nothing is erased")
	return false, err
}

// showErasure tells what would go: the records, and, where a configuration tells
// of ClickHouse, its rows.
func (a *app) showErasure(ctx context.Context, out io.Writer, shown *matcher.ErasureJSON) error {
	if _, err := fmt.Fprintf(out, "person %s, %s: %d records, and all that speaks of them\n", shown.Person, shown.State, len(shown.Records)); err != nil {
		return err
	}
	for _, r := range shown.Records {
		if _, err := fmt.Fprintln(out, "  "+r); err != nil {
			return err
		}
	}
	if a.configPath == "" {
		return nil
	}
	c, _, err := a.load()
	if err != nil {
		return err
	}
	sources, err := loadSources(c)
	if err != nil {
		return err
	}
	for _, place := range naming(sources) {
		if _, err := fmt.Fprintf(out, "  %s: rows that name the person stay, and lose the number (not where it is their key, see docs/erasure.md)\n", place); err != nil {
			return err
		}
	}
	if c.ClickHouse.DSN == "" {
		return nil
	}
	settings, err := storeConfig(c)
	if err != nil {
		return err
	}
	rows, err := clickhouse.Count(ctx, &settings, shown.Records)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if _, err := fmt.Fprintf(out, "  %6d rows of %s\n", rows[name], name); err != nil {
			return err
		}
	}
	return nil
}

// naming are the columns with people's numbers of which the sector files do not
// say that they are the row's own person's: erasing takes the number out of them,
// and leaves the row, which is somebody else's.
func naming(sources []source) (places []string) {
	for _, s := range sources {
		for i := range s.Described.Tables {
			t := &s.Described.Tables[i]
			own := t.Person != nil && t.Person.Direct
			for k := range t.Columns {
				c := &t.Columns[k]
				if slices.Contains(connectors.Personal, c.Identifier) && (!own || c.Match == "") {
					places = append(places, s.Name+"."+t.Schema+"."+t.Name+" ("+c.Name+")")
				}
			}
		}
	}
	return places
}

// waitErasure waits until no step is open, and tells of each that is done.
func (d *deskClient) waitErasure(ctx context.Context, out io.Writer, e matcher.ErasureJSON, wait time.Duration) (matcher.ErasureJSON, error) {
	deadline, told := time.Now().Add(wait), map[string]bool{}
	for {
		var all []matcher.ErasureJSON
		if err := d.ask(ctx, http.MethodGet, "/identity/erasures", nil, nil, &all); err != nil {
			return e, err
		}
		for _, now := range all {
			if now.ID == e.ID {
				now.Outcome = e.Outcome
				e = now
			}
		}
		for _, s := range e.Done {
			if !told[s.Step] {
				told[s.Step] = true
				if _, err := fmt.Fprintf(out, "done  %s (%d)\n", s.Step, s.Count); err != nil {
					return e, err
				}
			}
		}
		if len(e.Open) == 0 || time.Now().After(deadline) {
			return e, nil
		}
		select {
		case <-ctx.Done():
			return e, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func printErasure(out io.Writer, e *matcher.ErasureJSON) error {
	numbers := fmt.Sprintf("%d numbers", e.Numbers)
	if e.State == "proposed" {
		// Finding them takes a look at the whole vault, which nobody approved yet.
		numbers = "numbers are counted when it is approved"
	}
	text := fmt.Sprintf("%s  %s: %d records, %s, by %s", e.ID, e.State, len(e.Records), numbers, e.By)
	if e.ApprovedBy != "" {
		text += " and " + e.ApprovedBy
	}
	text += ": " + e.Reason
	if e.Lift != nil {
		text += fmt.Sprintf("; lift by %s: %s", e.Lift.By, e.Lift.Reason)
	}
	if len(e.Open) > 0 {
		text += "\n  still stands: " + strings.Join(e.Open, ", ")
	}
	switch e.State {
	case "proposed", "lift proposed":
		text += "\n  waits for a second person who gives the same command"
	case "lifted":
		text += "\n  rows come again with their next change, or with: hopluu connector resnapshot SOURCE TABLE"
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

func (a *app) identityErasuresCommand() *cobra.Command {
	var desk deskFlag
	var asJSON, restore bool
	command := &cobra.Command{
		Use:   "erasures",
		Short: "List who is erased, what is done of it and what still stands",
		Long: `List the erasure ledger, the latest first, with the steps that are done and those that still
stand: matcher, vault, capture/<source> (the connector knows), clickhouse/<sink group> (a
sink has deleted the rows). A step stands while its process does not run. Ends with 1 while
one stands.

--restore writes the topic identity.erasure again from ops.erasure, after the topic was lost.
Stop all stages first; it needs the configuration of Kafka and ClickHouse, and no matcher.

` + deskHelp,
		Example: `  hopluu identity erasures
  hopluu identity erasures --json | jq -r '.[] | select(.open != []) | .id'
  hopluu identity erasures --restore`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if restore {
				return a.restoreLedger(cmd, args)
			}
			d, err := a.desk(&desk)
			if err != nil {
				return err
			}
			var all []matcher.ErasureJSON
			if err := d.ask(cmd.Context(), http.MethodGet, "/identity/erasures", nil, nil, &all); err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), all)
			}
			open := false
			for i := range all {
				open = open || len(all[i].Open) > 0
				if !asJSON && err == nil {
					err = printErasure(cmd.OutOrStdout(), &all[i])
				}
			}
			if !asJSON && err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d erasures\n", len(all))
			}
			if err == nil && open {
				err = errFound
			}
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the erasures as JSON")
	command.Flags().BoolVar(&restore, "restore", false, "write the topic again from ClickHouse's copy")
	desk.on(command)
	return command
}

// restoreLedger writes into the topic what ClickHouse's copy has and it lacks.
func (a *app) restoreLedger(cmd *cobra.Command, args []string) error {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	return a.audited(cmd, args, c, []string{"topic " + topic.IdentityErasure}, func(func(...string)) (err error) {
		settings, err := storeConfig(c)
		if err != nil {
			return err
		}
		ledger := erasure.New()
		if err := clickhouse.ReadLedger(cmd.Context(), &settings, ledger); err != nil {
			return err
		}
		kafka, err := dialKafka(cmd.Context(), c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, kafka.Close()) }()
		if _, err := kafka.Ensure(cmd.Context(), topicSettings(c).ErasureSpec()); err != nil {
			return err
		}
		n, err := feed.Restore(cmd.Context(), kafka, ledger)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d erasures are in ops.erasure; %d messages were written to %s\n", len(ledger.Erasures()), n, topic.IdentityErasure)
		return err
	})
}

func (a *app) identityLiftCommand() *cobra.Command {
	var desk deskFlag
	var reason string
	var asJSON bool
	command := &cobra.Command{
		Use:   "lift ERASURE",
		Short: "Lift an erasure: the person's records may come again from their sources",
		Long: `Lift an erasure, or withdraw one that is only proposed. What was erased does not come back
by itself: rows come again when they change at their source, or when their tables are read
anew ('hopluu connector resnapshot'). It is for a person whom the sector registers anew, and
for a mistake. The ledger keeps that it was erased, and lifted. With identity.two_person a
second reviewer approves by giving the same command.

` + deskHelp,
		Example: `  hopluu identity lift 5k3qz7m2c4xw9abc --reason "registered anew at her own wish"`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return errors.New("identity lift needs --reason: say in a few words why")
			}
			d, err := a.desk(&desk)
			if err != nil {
				return err
			}
			var said matcher.ErasureJSON
			if err := d.ask(cmd.Context(), http.MethodPost, "/identity/erasures/lift", nil, matcher.LiftJSON{ID: args[0], Reason: reason}, &said); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), said)
			}
			return printErasure(cmd.OutOrStdout(), &said)
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "why, in a few words, without numbers of people")
	command.Flags().BoolVar(&asJSON, "json", false, "print the erasure as JSON")
	desk.on(command)
	return command
}
