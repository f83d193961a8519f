package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/rotate"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

func (a *app) identityRotateCommand() *cobra.Command {
	var run, asJSON bool
	command := &cobra.Command{
		Use:   "rotate",
		Short: "Move ClickHouse to a new key of tokens, linking nobody anew; say which keys are still needed",
		Long: `Say, for each table with tokens, of which keys its rows have them, and which earlier keys
something still needs. With --run the tables that have tokens of an earlier key are read anew
(as 'hopluu connector resnapshot' does), so that their rows have those of the key in force; of
a source of files, the files that are still where they were dropped.

To rotate: make a key; name it in tokens.key_file, raise tokens.version, and name the old file
and version under tokens.old; restart the connectors; run this with --run, and again until it
ends with 0. The matcher has no tokens, and what names records (keys that are identifiers, and
columns that refer to them) has tokens of tokens.record_key_file, which stays: no record, no
person_id and no link changes. Until a table is read anew its unchanged rows have old tokens:
join people by person_id, not by tokens (docs/setup.md). An old key that erased people are known
by stays under tokens.old for good.

It needs kafka.brokers, clickhouse.dsn and tokens. Ends with 1 while rows have earlier tokens.`,
		Example: `  hopluu identity rotate
  hopluu identity rotate --run
  hopluu identity rotate --json | jq .needed`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			sources, err := loadSources(c)
			if err != nil {
				return err
			}
			var all []rotate.Source
			for _, s := range sources {
				all = append(all, rotate.Source{Name: s.Name, Sector: s.Described, Files: s.files()})
			}
			options, err := clickhouseOptions(c)
			if err != nil {
				return err
			}
			conn, err := dialClickHouse(cmd.Context(), options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close()) }()
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			ledger, _, err := feed.Read(cmd.Context(), kafka)
			if err != nil {
				return err
			}
			report, err := rotate.Look(cmd.Context(), conn, c.Tokens.Version, all, ledger)
			if err != nil {
				return err
			}
			behind := slices.DeleteFunc(slices.Clone(report.Tables), func(t rotate.Table) bool { return !t.Behind })
			if run && len(behind) > 0 {
				var touched []string
				for _, t := range behind {
					touched = append(touched, "table "+t.Source+"."+t.Table)
				}
				err := a.audited(cmd, args, c, touched, func(func(...string)) error {
					return readBehind(cmd.Context(), c, kafka, sources, behind)
				})
				if err != nil {
					return err
				}
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = printRotation(cmd.OutOrStdout(), report, run)
			}
			if err == nil && len(behind) > 0 {
				err = errFound
			}
			return err
		},
	}
	command.Flags().BoolVar(&run, "run", false, "have the tables read anew that have tokens of earlier keys")
	command.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return command
}

// readBehind has tables read anew.
func readBehind(ctx context.Context, c config.Config, kafka *topic.Client, sources []source, behind []rotate.Table) error {
	for _, s := range sources {
		var names []string
		for _, t := range behind {
			if t.Source == s.Name {
				names = append(names, t.Table)
			}
		}
		if len(names) == 0 {
			continue
		}
		if !s.files() {
			if err := connectors.Resnapshot(ctx, kafka, s.Name, names...); err != nil {
				return err
			}
			continue
		}
		settings := fileConfig(c, s)
		settings.Kafka = kafka
		if _, err := file.Reread(ctx, settings, names...); err != nil {
			return err
		}
	}
	return nil
}

func printRotation(out io.Writer, r rotate.Report, run bool) error {
	var b strings.Builder
	history := false
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "%s.%s:", t.Source, t.Table)
		for _, v := range slices.Sorted(maps.Keys(t.Rows)) {
			fmt.Fprintf(&b, " %d rows with key %s", t.Rows[v], v)
		}
		switch {
		case len(t.Rows) == 0:
			b.WriteString(" no rows with tokens that move")
		case t.Behind && t.Files && run:
			b.WriteString("; the files that are still where they were dropped are taken in again; drop those that are gone once more")
		case t.Behind && t.Files:
			b.WriteString("; --run has its files taken in again")
		case t.Behind && run:
			b.WriteString("; it is read anew")
		case t.Behind:
			b.WriteString("; --run has it read anew")
		}
		history = history || t.Behind || r.Version > 1
		b.WriteByte('\n')
	}
	for _, v := range slices.Sorted(maps.Keys(r.Needed)) {
		fmt.Fprintf(&b, "key %s is needed, keep it under tokens.old: %s\n", v, strings.Join(r.Needed[v], ", "))
	}
	if len(r.Needed) == 0 {
		fmt.Fprintf(&b, "key %d alone is needed\n", r.Version)
	}
	if history {
		b.WriteString("topics and bronze keep the tokens that their events had: no key is needed to read them; join history with now by person_id\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}
