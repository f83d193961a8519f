package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

// rawLetter is a change as 'connector letters' prints it.
type rawLetter struct {
	Offset   int64     `json:"offset"`
	At       time.Time `json:"commit_time"`
	Position string    `json:"position"`
	Format   string    `json:"format"`
	Reason   string    `json:"reason"`
	Redacted []string  `json:"redacted"`
	Part     string    `json:"part,omitempty"`
	Value    []byte    `json:"value"`
}

func (a *app) connectorLetters() *cobra.Command {
	var asJSON bool
	var from int64
	var limit int
	command := &cobra.Command{
		Use:   "letters SOURCE SCHEMA.TABLE",
		Short: "Show the changes of a quarantined table, as its source sent them",
		Long: `Show the dead letters of a table: the changes that came while it was quarantined,
as its source sent them, with the reason. They are in the vault, for they may have
people's numbers: this takes the right to read vault topics and, where the vault is
sealed, its key, and is recorded (see 'hopluu audit'). What mends the table is not
here: 'hopluu connector resnapshot SOURCE SCHEMA.TABLE' reads it anew.

Values are changes of PostgreSQL's protocol pgoutput, quoted; with --json, base64.`,
		Example: `  hopluu connector letters health public.patient --limit 10
  hopluu connector letters health public.patient --json | jq -r '.[].reason' | sort | uniq -c`,
		Args:              exactly(2),
		ValidArgsFunction: a.completeTables,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			if _, err := database(c, args[0], "letters"); err != nil {
				return err
			}
			ring, err := vaultRing(c)
			if err != nil {
				return err
			}
			schema, table, ok := strings.Cut(args[1], ".")
			if !ok {
				return fmt.Errorf("%s is no table: write it as schema.table, such as public.patient", args[1])
			}
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			name := topic.DeadLetter(topic.Vault(args[0], schema, table))
			letters := []rawLetter{}
			err = a.audited(cmd, args, c, touchedTables(args[0], args[1:]), func(func(...string)) error {
				letters, err = readLetters(cmd.Context(), kafka, name, from, limit, func(r *topic.Record) (connectors.Letter, error) {
					return connectors.ReadLetter(r, ring)
				})
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), letters)
			}
			for _, l := range letters {
				part := ""
				if l.Part != "" {
					part = " part " + l.Part
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d  %s  %s  %s%s\n  %s\n  %q\n", l.Offset, l.At.Format(time.RFC3339), l.Position, l.Format, part, l.Reason, l.Value); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d dead letters of %s.%s\n", len(letters), args[0], args[1])
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	command.Flags().Int64Var(&from, "from", 0, "begin at this offset")
	command.Flags().IntVar(&limit, "limit", 100, "show so many")
	return command
}

// errFull ends the reading of a topic.
var errFull = errors.New("as many as were asked for")

func readLetters(ctx context.Context, kafka *topic.Client, name string, from int64, limit int, read func(*topic.Record) (connectors.Letter, error)) ([]rawLetter, error) {
	counts, err := kafka.PartitionCounts(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, ok := counts[name]; !ok {
		return nil, fmt.Errorf("there is no topic %s: was the table ever captured? 'hopluu topics create' makes it", name)
	}
	letters := []rawLetter{}
	err = kafka.ReadAll(ctx, name, func(r topic.Record) error {
		if r.Offset < from {
			return nil
		}
		if len(letters) >= limit {
			return errFull
		}
		l, err := read(&r)
		if err != nil {
			return fmt.Errorf("%s at offset %d: %w", name, r.Offset, err)
		}
		redacted := []string{}
		if l.Redacted != "" {
			redacted = strings.Split(l.Redacted, ",")
		}
		letters = append(letters, rawLetter{l.Offset, time.UnixMilli(l.TimestampMs).UTC(), l.Position, l.Format, l.Reason, redacted, l.Part, append([]byte{}, l.Value...)})
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return letters, err
}
