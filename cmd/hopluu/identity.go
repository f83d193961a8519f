package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/identity/tablefile"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) identityCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "identity",
		Short: "Decide on pairs that the matcher leaves to people; link the records of any files or tables",
		Long: `Link the records of any CSV files or ClickHouse tables by a model that names columns,
levels of comparison and blocking; train it without labels; hold the result against a
truth; explain a pair; say what another model would change. Files need no configuration
and no server.

On the running platform, look at the pairs that the matcher leaves to people, and
decide (docs/identity-review.md).`,
		Example: `  hopluu identity model city > model.yaml
  hopluu identity link --model model.yaml --train --input a.csv --input b.csv --output links.csv
  hopluu identity evaluate --links links.csv --truth truth.csv
  hopluu identity review                      # pairs of the running platform that wait for a person`,
	}, a.identityReviewCommand(), a.identityDecideCommand(), a.identityDecisionsCommand(), a.identityRestatedCommand(), identityTokenCommand(), a.identityEraseCommand(), a.identityErasuresCommand(), a.identityLiftCommand(), a.identityRotateCommand(), a.identityLinkCommand(), identityEvaluateCommand(), a.identityExplainCommand(), a.identityDiffCommand(), a.identityModelCommand())
}

// linkResult is what 'identity link' prints.
type linkResult struct {
	Records    int         `json:"records"`
	References int         `json:"references,omitempty"`
	Clusters   int         `json:"clusters"`
	Links      int         `json:"links"`
	Review     int         `json:"review"`
	Seconds    linkSeconds `json:"seconds"`
	// Intake tells what became of the values when they were normalised.
	Intake   []linkage.ColumnIntake `json:"intake"`
	Training *linkage.Report        `json:"training,omitempty"`
	Prior    *linkage.Prior         `json:"prior,omitempty"`
}

// linkSeconds is how long each part took.
type linkSeconds struct {
	Read  float64 `json:"read"`
	Train float64 `json:"train"`
	Link  float64 `json:"link"`
	Write float64 `json:"write"`
}

func (a *app) identityLinkCommand() *cobra.Command {
	var model, output, clusters, saveModel string
	var inputs []string
	var train, asJSON bool
	var threshold, review float64
	command := &cobra.Command{
		Use:   "link --model MODEL --input A.csv [--input B.csv ...] --output links.csv",
		Short: "Link records of CSV files or ClickHouse tables, within and across them",
		Long: `Link records of CSV files or ClickHouse tables, within and across them. MODEL is a file,
or the name of a model that comes with the program (see 'hopluu identity model'). The
files have a header; a model says by which columns a record is named, compared and
brought together.

` + inputHelp + `

With --train the weights are found from the files themselves, without labels, and
--save-model keeps them with a report of the training, under a version of their own
(city-3+1f0c9a2b); the same files and seed give the same weights, in whatever order the
rows stand. Beside a model with a section live, which the matcher can take
(identity.model), it writes how common the values are. 'hopluu identity diff' says what
it would change.

The links say the match weight in bits (log2 of the odds): link at the model's link
threshold or above, review between that and its review threshold.`,
		Example: `  hopluu identity link --model city --input records.csv --output links.csv --clusters persons.csv
  hopluu identity link --model febrl --input a.csv --input b.csv --train \
      --save-model trained.yaml --output links.csv
  hopluu identity link --model mine.yaml --input clickhouse:silver.tax_taxpayer -o links.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if model == "" || len(inputs) == 0 || output == "" {
				return errors.New("identity link needs --model, --input and --output: see 'hopluu identity link --help'")
			}
			m, err := loadModel(model)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("threshold") {
				m.Thresholds.Link = threshold
				m.Thresholds.Review = min(m.Thresholds.Review, threshold)
			}
			if cmd.Flags().Changed("review") {
				m.Thresholds.Review = review
			}
			if m.Thresholds.Review > m.Thresholds.Link {
				return fmt.Errorf("--review %g is above the link threshold %g", m.Thresholds.Review, m.Thresholds.Link)
			}
			if !train && !m.Trained() {
				return linkage.ErrUntrained
			}
			if saveModel != "" && !train {
				return errors.New("--save-model keeps what --train finds: give both")
			}
			if train {
				m.Prior = nil
			}
			// A model may be trained into its own file.
			if err := cmp.Or(distinctFiles([]string{model}, output, clusters), distinctFiles(inputs, output, clusters, saveModel)); err != nil {
				return err
			}
			show := progressTo(os.Stderr, asJSON)
			result, err := uninterrupted(cmd.Context(), func() (linkResult, error) {
				return a.linkFiles(cmd.Context(), m, inputs, output, clusters, saveModel, train, show)
			})
			show.end()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), result)
			}
			return printLinks(cmd.OutOrStdout(), result)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&model, "model", "m", "", "model file, or the name of a model that comes with the program")
	flags.StringArrayVarP(&inputs, "input", "i", nil, "CSV file with a header, or clickhouse:TABLE or clickhouse:QUERY; may be given several times")
	flags.StringVarP(&output, "output", "o", "", "file for the links")
	flags.StringVar(&clusters, "clusters", "", "file for the clusters: source, id, cluster")
	flags.StringVar(&saveModel, "save-model", "", "file for the trained model")
	flags.BoolVar(&train, "train", false, "find the weights from the files, without labels")
	flags.Float64Var(&threshold, "threshold", 0, "link at this weight and above, in bits, instead of the model's")
	flags.Float64Var(&review, "review", 0, "list pairs of this weight and above for review, instead of the model's")
	flags.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return command
}

// distinctFiles refuses outputs that would be written over what is read, or over
// one another, and such as cannot be written where they are asked for: before
// the work, not after it.
func distinctFiles(read []string, outputs ...string) error {
	var known []named
	for _, path := range read {
		if info, err := os.Stat(path); err == nil {
			known = append(known, named{path, info})
		}
	}
	for i, path := range outputs {
		if path == "" {
			continue
		}
		for _, other := range outputs[:i] {
			if other != "" && filepath.Clean(other) == filepath.Clean(path) {
				return fmt.Errorf("%s is named for two outputs: name another file for one of them", path)
			}
		}
		folder := filepath.Dir(path)
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("%s cannot be written: there is no folder %s", path, folder)
		}
		info, err := os.Stat(path)
		if err != nil {
			continue // it is not there yet
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file that can be written whole: name one", path)
		}
		for _, k := range known {
			if os.SameFile(info, k.info) {
				return fmt.Errorf("%s is read as %s, and would be lost: name another file for the output", path, k.path)
			}
		}
		known = append(known, named{path, info})
	}
	return nil
}

// named is a file by the name that it was given.
type named struct {
	path string
	info os.FileInfo
}

func (a *app) linkFiles(ctx context.Context, m *linkage.Model, inputs []string, output, clusters, saveModel string, train bool, show *progress) (linkResult, error) {
	var result linkResult
	last := time.Now()
	took := func(into *float64) {
		now := time.Now()
		*into, last = now.Sub(last).Seconds(), now
	}
	t, err := a.readTable(ctx, m, inputs, show)
	if err != nil {
		return result, err
	}
	result.Records, result.References, result.Intake = t.Len(), t.References(), t.Intake()
	took(&result.Seconds.Read)
	if train {
		if err := t.Train(show.tell); err != nil {
			return result, err
		}
		result.Training = m.Report
		took(&result.Seconds.Train)
		if saveModel != "" {
			if err := saveTrained(saveModel, m, t); err != nil {
				return result, err
			}
		}
	}
	result.Prior = m.Prior
	outcome, err := t.Link(show.tell)
	if err != nil {
		return result, err
	}
	links := outcome.Links
	took(&result.Seconds.Link)
	for _, l := range links.Edges {
		if l.Review {
			result.Review++
		} else {
			result.Links++
		}
	}
	for i, c := range links.Cluster {
		if int32(i) == c {
			result.Clusters++
		}
	}
	if err := writeWhole(output, func(w io.Writer) error { return tablefile.WriteLinks(w, t, links) }); err != nil {
		return result, err
	}
	if clusters != "" {
		if err := writeWhole(clusters, func(w io.Writer) error { return tablefile.WriteClusters(w, t, links) }); err != nil {
			return result, err
		}
	}
	took(&result.Seconds.Write)
	return result, nil
}

func printLinks(w io.Writer, r linkResult) error {
	s := r.Seconds
	_, err := fmt.Fprintf(w, "%d records (%d of the reference) are %d clusters: %d links, %d pairs to review\nread %.1f s, trained %.1f s, linked %.1f s, written %.1f s\n",
		r.Records, r.References, r.Clusters, r.Links, r.Review, s.Read, s.Train, s.Link, s.Write)
	if err != nil {
		return err
	}
	if r.Training != nil {
		for _, advice := range r.Training.Advice {
			if _, err := fmt.Fprintln(w, "advice: "+advice); err != nil {
				return err
			}
		}
	}
	return printIntake(w, r.Intake)
}

// printIntake tells of the columns whose values were not all as they should be.
func printIntake(w io.Writer, intake []linkage.ColumnIntake) error {
	for _, c := range intake {
		var found []string
		for _, n := range []struct {
			count int64
			what  string
		}{
			{c.Fillers, "fillers (000000000, 123456789)"}, {c.Refused, "not of the column's role"}, {c.Restored, "with leading zeros put back"},
			{c.Moved, "taken for another column's kind of number"}, {c.Renumbered, "telephone numbers of before 2018"},
			{c.Swapped, "with day and month exchanged"}, {c.Impossible, "dates that are none, of which the year was kept"},
			{c.YearOnly, "years only"}, {c.Converted, "converted from TCVN3, VNI or other bytes"},
		} {
			if n.count > 0 {
				found = append(found, fmt.Sprintf("%d %s", n.count, n.what))
			}
		}
		if len(found) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %d values, %d empty; %s\n", c.Column, c.Values, c.Empty, strings.Join(found, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// loadModel reads a model's file, or gives one that comes with the program.
func loadModel(name string) (*linkage.Model, error) {
	text, err := os.ReadFile(name)
	// A folder that has the name of a model is none.
	if (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR)) && !strings.ContainsAny(name, "./\\") {
		return linkage.Default(name)
	}
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	m, err := linkage.ParseModel(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), f.Close(), os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return f.Close()
}

// uninterrupted runs work that knows no context, and leaves it when the context
// ends: the program ends then.
func uninterrupted[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := work()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// progress shows on a terminal what is being done.
type progress struct {
	w    *os.File
	last time.Time
}

// progressTo shows progress on a file that is a terminal, else nowhere.
func progressTo(w *os.File, quiet bool) *progress {
	if quiet || !term.IsTerminal(int(w.Fd())) {
		w = nil
	}
	return &progress{w: w}
}

// progressEvery is how often a line of progress is drawn anew.
const progressEvery = 100 * time.Millisecond

func (p *progress) tell(stage string, done, total int64) {
	if p.w == nil || done > 0 && done < total && time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	switch {
	case total > 0:
		fmt.Fprintf(p.w, "\r\x1b[K%s %d%%", stage, 100*done/total)
	case done > 0:
		fmt.Fprintf(p.w, "\r\x1b[K%s %d", stage, done)
	default:
		fmt.Fprintf(p.w, "\r\x1b[K%s", stage)
	}
}

func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func identityEvaluateCommand() *cobra.Command {
	var links, truth string
	var asJSON bool
	command := &cobra.Command{
		Use:   "evaluate --links links.csv --truth truth.csv",
		Short: "Hold links against the truth: precision, recall, F1, and their curve",
		Long: `Hold links against the truth. The truth is a CSV with the columns id and entity, and
source where ids are unique in their source only. Pairs are all pairs of one cluster,
compared or not; a cluster is right when it is an entity whole and nothing else.
'with review' is what would be if every pair to be looked at were decided rightly.`,
		Example: "  hopluu identity evaluate --links links.csv --truth truth.csv",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if links == "" || truth == "" {
				return errors.New("identity evaluate needs --links and --truth: see 'hopluu identity evaluate --help'")
			}
			e, err := evaluateFiles(links, truth)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return printEvaluation(cmd.OutOrStdout(), e)
		},
	}
	command.Flags().StringVar(&links, "links", "", "links, as 'identity link' writes them")
	command.Flags().StringVar(&truth, "truth", "", "CSV with the columns id, entity, and source if need be")
	command.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return command
}

func evaluateFiles(links, truth string) (_ linkage.Evaluation, err error) {
	var none linkage.Evaluation
	tf, err := os.Open(truth)
	if err != nil {
		return none, err
	}
	defer func() { err = errors.Join(err, tf.Close()) }()
	t, err := tablefile.ReadTruth(truth, tf)
	if err != nil {
		return none, err
	}
	lf, err := os.Open(links)
	if err != nil {
		return none, err
	}
	defer func() { err = errors.Join(err, lf.Close()) }()
	found, err := t.ReadLinks(links, lf)
	if err != nil {
		return none, err
	}
	return linkage.Evaluate(t.Entities, found), nil
}

func printEvaluation(w io.Writer, e linkage.Evaluation) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "right", "found", "true", "precision", "recall", "F1"})
	add := func(name string, s linkage.Score) {
		t.AppendRow(table.Row{name, s.Right, s.Found, s.True, fmt.Sprintf("%.5f", s.Precision), fmt.Sprintf("%.5f", s.Recall), fmt.Sprintf("%.5f", s.F1)})
	}
	add("pairs", e.Pairs)
	add("clusters", e.Clusters)
	add("pairs with review", e.Review)
	t.AppendSeparator()
	for _, c := range e.Curve {
		add(fmt.Sprintf("pairs, from %g bits", c.Threshold), c.Score)
	}
	_, err := fmt.Fprintf(w, "%s\n%d records; %d pairs to review, of which %d are right\n", t.Render(), e.Records, e.ReviewPairs, e.ReviewRight)
	return err
}

func (a *app) identityExplainCommand() *cobra.Command {
	var model string
	var inputs []string
	var asJSON bool
	var desk deskFlag
	command := &cobra.Command{
		Use:   "explain [--model MODEL --input A.csv] RECORD RECORD",
		Short: "Draw the waterfall of weights of two records",
		Long: `Draw the waterfall of weights of two records: what is believed of any pair, what each
comparison adds in bits, and the sum. A record is named by its id, or by source/id.
All of the files are read, as how rare a value is depends on the others.

Without --model and --input they are records of the platform, named as identity.link
names them, and the running matcher explains them (see 'hopluu identity review --help'
for how it is found). It tells kinds and levels, never an identifier.`,
		Example: `  hopluu identity explain --model city --input records.csv 1000017 20000311
  hopluu identity explain population.citizen:17 health.patient:311`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("identity explain needs two records: see 'hopluu identity explain --help'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if model == "" && len(inputs) == 0 {
				return a.explainLive(cmd, &desk, args, asJSON)
			}
			if model == "" || len(inputs) == 0 {
				return errors.New("identity explain needs both --model and --input, or neither: see 'hopluu identity explain --help'")
			}
			m, err := loadModel(model)
			if err != nil {
				return err
			}
			if !m.Trained() {
				return linkage.ErrUntrained
			}
			show := progressTo(os.Stderr, asJSON)
			e, err := uninterrupted(cmd.Context(), func() (linkage.Explanation, error) { return a.explainFiles(cmd.Context(), m, inputs, args, show) })
			show.end()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return printExplanation(cmd.OutOrStdout(), m.Thresholds, e)
		},
	}
	command.Flags().StringVarP(&model, "model", "m", "", "model file with weights, or the name of a model that comes with the program")
	command.Flags().StringArrayVarP(&inputs, "input", "i", nil, "CSV file with a header, or clickhouse:TABLE or clickhouse:QUERY; may be given several times")
	command.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	desk.on(command)
	return command
}

func (a *app) explainFiles(ctx context.Context, m *linkage.Model, inputs, records []string, show *progress) (linkage.Explanation, error) {
	var none linkage.Explanation
	t, err := a.readTable(ctx, m, inputs, show)
	if err != nil {
		return none, err
	}
	x, err := t.Find(records[0])
	if err != nil {
		return none, err
	}
	y, err := t.Find(records[1])
	if err != nil {
		return none, err
	}
	if x == y {
		return none, fmt.Errorf("%s and %s are the same record", records[0], records[1])
	}
	return t.Explain(x, y)
}

func printExplanation(w io.Writer, t linkage.Thresholds, e linkage.Explanation) error {
	const bitsPerMark = 1.5
	bar := func(bits float64) string {
		n := int(bits / bitsPerMark)
		if n < 0 {
			return strings.Repeat("-", -n)
		}
		return strings.Repeat("+", n)
	}
	rows := table.NewWriter()
	rows.SetStyle(table.StyleLight)
	rows.AppendHeader(table.Row{"", "", "bits", "sum", ""})
	sum := e.Prior
	rows.AppendRow(table.Row{"prior", "any two records", fmt.Sprintf("%+.1f", e.Prior), fmt.Sprintf("%.1f", sum), bar(e.Prior)})
	for _, s := range e.Steps {
		sum += s.Bits
		level := s.Level
		if s.Rarity != 0 {
			level += fmt.Sprintf(" (of which rarity %+.1f)", s.Rarity)
		}
		rows.AppendRow(table.Row{s.Name, level, fmt.Sprintf("%+.1f", s.Bits), fmt.Sprintf("%.1f", sum), bar(s.Bits)})
	}
	decision := "apart"
	switch {
	case e.Weight >= t.Link:
		decision = "link"
	case e.Weight >= t.Review:
		decision = "review"
	}
	blocks := "no blocking rule brings them together, so they are never compared"
	if len(e.Blocks) > 0 {
		blocks = "brought together by " + strings.Join(e.Blocks, ", ")
	}
	_, err := fmt.Fprintf(w, "%s\n%s: %.1f bits, probability %.6f, before other candidates are considered (link from %g, review from %g)\n%s\n",
		rows.Render(), decision, e.Weight, e.Probability, t.Link, t.Review, blocks)
	return err
}
