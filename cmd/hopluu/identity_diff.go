package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

func (a *app) identityDiffCommand() *cobra.Command {
	var inputs []string
	var samples int
	var asJSON bool
	command := &cobra.Command{
		Use:   "diff OLD NEW --input A.csv [--input B.csv ...]",
		Short: "Say what another model would change, and change nothing",
		Long: `Say what another model would change in the clusters of the same records: links gained
and lost, clusters merged and split, pairs to review, and samples of them, with the
strongest pair that one model links and the other does not. Nothing is written. OLD and
NEW are models with weights, by file or by name.

` + inputHelp,
		Example: `  hopluu identity link --model city --input records.csv --train --save-model new.yaml -o new.csv
  hopluu identity diff city new.yaml --input records.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("identity diff needs two models: see 'hopluu identity diff --help'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(inputs) == 0 {
				return errors.New("identity diff needs --input: see 'hopluu identity diff --help'")
			}
			if samples < 0 {
				return fmt.Errorf("--samples %d: give 0 or more", samples)
			}
			var models [2]*linkage.Model
			for i, name := range args {
				var err error
				if models[i], err = loadModel(name); err != nil {
					return err
				}
				if !models[i].Trained() {
					return fmt.Errorf("%s: %w", name, linkage.ErrUntrained)
				}
			}
			show := progressTo(os.Stderr, asJSON)
			d, err := uninterrupted(cmd.Context(), func() (*linkage.Difference, error) {
				return a.diffModels(cmd.Context(), models, inputs, samples, show)
			})
			show.end()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return printDifference(cmd.OutOrStdout(), d)
		},
	}
	command.Flags().StringArrayVarP(&inputs, "input", "i", nil, "CSV file with a header, or clickhouse:TABLE or clickhouse:QUERY; may be given several times")
	command.Flags().IntVar(&samples, "samples", 10, "how many changed groups of clusters to show")
	command.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return command
}

func (a *app) diffModels(ctx context.Context, models [2]*linkage.Model, inputs []string, samples int, show *progress) (*linkage.Difference, error) {
	var outcomes [2]linkage.Outcome
	for i, m := range models {
		t, err := a.readTable(ctx, m, inputs, show)
		if err != nil {
			return nil, err
		}
		if outcomes[i], err = t.Link(show.tell); err != nil {
			return nil, err
		}
	}
	return linkage.Diff(outcomes[0], outcomes[1], samples)
}

func printDifference(w io.Writer, d *linkage.Difference) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "old", "new", "gained", "lost"})
	t.AppendRow(table.Row{"links", d.OldLinks, d.NewLinks, d.LinksGained, d.LinksLost})
	t.AppendRow(table.Row{"clusters", d.OldClusters, d.NewClusters, "", ""})
	t.AppendRow(table.Row{"pairs to review", "", "", d.ReviewGained, d.ReviewLost})
	if _, err := fmt.Fprintf(w, "%s\n%d of %d records would move: %d times clusters merge, %d split, %d regroup\n",
		t.Render(), d.Moved, d.Records, d.Merged, d.Split, d.Regrouped); err != nil {
		return err
	}
	for _, s := range d.Samples {
		text := fmt.Sprintf("%s: %s -> %s", s.Kind, shortClusters(s.Old), shortClusters(s.New))
		if p := s.Deciding; p != nil {
			text += fmt.Sprintf("; %s with %s: %s -> %s", p.A, p.B, bits(p.Old), bits(p.New))
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}

func bits(weight *float32) string {
	if weight == nil {
		return "below review"
	}
	return fmt.Sprintf("%.1f bits", *weight)
}

// shortClusters writes clusters, of large ones the beginning.
func shortClusters(clusters [][]string) string {
	const most = 6
	var all []string
	for i, members := range clusters {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(clusters)-most))
			break
		}
		text := strings.Join(members[:min(most, len(members))], " ")
		if len(members) > most {
			text += fmt.Sprintf(" and %d more", len(members)-most)
		}
		all = append(all, "{"+text+"}")
	}
	return strings.Join(all, " ")
}
