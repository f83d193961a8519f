package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/rotate"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/spf13/cobra"
)

func (a *app) identityRotateCommand() *cobra.Command {
	var run, asJSON bool
	command := &cobra.Command{
		Use:   "rotate",
		Short: "Move ClickHouse to a new key of tokens, linking nobody anew; say which keys are still needed",
		Long: `Say, for each table with tokens, of which keys its rows have them, and which earlier keys
something still needs. With --run the tables that have tokens of an earlier key are read anew
(as 'hopluu connector resnapshot' does), so that their rows have those of the key in force.

To rotate: run this first, for it names the tables that cannot be moved; make a key; name it in
tokens.key_file, raise tokens.version, and name the old file and version under tokens.old;
restart the connectors; run this with --run, and again until it ends with 0.
The matcher has no tokens: no person_id and no link changes. Until a table
is read anew its unchanged rows have old tokens: join people by person_id, not by tokens
(docs/setup.md). An old key that erased people are known by stays under tokens.old for good.

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
			sources, _, err := inDatabases(c, nil)
			if err != nil {
				return err
			}
			var all []rotate.Source
			for _, s := range sources {
				all = append(all, rotate.Source{Name: s.Name, Sector: s.Described})
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
			if err := rotate.Check(cmd.Context(), conn, all); err != nil {
				return err
			}
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
			behind := map[string][]string{}
			for _, t := range report.Tables {
				if t.Behind {
					behind[t.Source] = append(behind[t.Source], t.Table)
				}
			}
			if run && len(behind) > 0 {
				var touched []string
				for source, names := range behind {
					for _, name := range names {
						touched = append(touched, "table "+source+"."+name)
					}
				}
				slices.Sort(touched)
				err := a.audited(cmd, args, c, touched, func(func(...string)) error {
					for _, source := range slices.Sorted(maps.Keys(behind)) {
						if err := connectors.Resnapshot(cmd.Context(), kafka, source, behind[source]...); err != nil {
							return err
						}
					}
					return nil
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

func printRotation(out io.Writer, r rotate.Report, run bool) error {
	var b strings.Builder
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "%s.%s:", t.Source, t.Table)
		for _, v := range slices.Sorted(maps.Keys(t.Rows)) {
			fmt.Fprintf(&b, " %d rows with key %s", t.Rows[v], v)
		}
		switch {
		case len(t.Rows) == 0:
			b.WriteString(" no rows with tokens")
		case t.Behind && run:
			b.WriteString("; it is read anew")
		case t.Behind:
			b.WriteString("; --run has it read anew")
		}
		b.WriteByte('\n')
	}
	for _, v := range slices.Sorted(maps.Keys(r.Needed)) {
		fmt.Fprintf(&b, "key %s is needed, keep it under tokens.old: %s\n", v, strings.Join(r.Needed[v], ", "))
	}
	if len(r.Needed) == 0 {
		fmt.Fprintf(&b, "key %d alone is needed\n", r.Version)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
