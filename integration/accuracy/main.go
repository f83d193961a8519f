package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// options are the flags.
type options struct {
	train, test  cityParams
	ablate       bool
	save, export string
	show         int
}

func main() {
	var o options
	persons := flag.Int("persons", 1_000_000, "people of the city that is linked; it has about 2.45 records each")
	trainPersons := flag.Int("train-persons", 100_000, "people of the city that the model is trained on")
	flag.Uint64Var(&o.train.seed, "train-seed", 1, "seed of the city that the model is trained on")
	flag.Uint64Var(&o.test.seed, "seed", 2, "seed of the city that is linked")
	flag.Float64Var(&o.train.rate, "train-rate", 1, "its rates of faults, in multiples of the fixed ones")
	flag.Float64Var(&o.test.rate, "rate", 1, "rates of faults of the city that is linked")
	flag.BoolVar(&o.ablate, "ablate", false, "link cities of half and double the faults and one as the matcher decides, and again without each column and each level, with at most 50,000 people")
	flag.StringVar(&o.save, "save", "", "write the trained model to this file, and how common values are beside it")
	flag.StringVar(&o.export, "export", "", "only write records.csv and truth.csv of the city that is linked to this folder")
	flag.BoolVar(&o.test.live, "live", false, "decide as the matcher does, with the sizes and rarities of the model that comes with the program")
	flag.IntVar(&o.show, "show", 0, "print so many wrong links, and right pairs left to review, of generated people")
	flag.Parse()
	o.test.persons, o.train.persons = *persons, *trainPersons
	if err := run(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, o options) error {
	if o.export != "" {
		return export(o.export, o.test)
	}
	m, err := linkage.Described("city")
	if err != nil {
		return err
	}
	start := time.Now()
	training, err := load(m, o.train)
	if err != nil {
		return err
	}
	read := time.Since(start)
	if err := training.table.Train(nil); err != nil {
		return err
	}
	fmt.Fprintf(w, "trained on %d records (seed %d, %g times the faults) in %.1f s, after %.1f s of generating them\n",
		training.table.Len(), o.train.seed, o.train.rate, (time.Since(start) - read).Seconds(), read.Seconds())
	fmt.Fprintf(w, "a record has %.3f others of its person outside the register, which knows %.2f%% of the people\n", m.Prior.Matches, 100*m.Prior.Coverage)
	if o.save != "" {
		text, err := m.Marshal()
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.save, text, 0o644); err != nil {
			return err
		}
		if text, err = training.table.Frequencies(linkage.Common); err != nil {
			return err
		}
		if err := os.WriteFile(strings.TrimSuffix(o.save, ".yaml")+".frequencies.tsv", text, 0o644); err != nil {
			return err
		}
	}
	test, err := load(m, o.test)
	if err != nil {
		return err
	}
	result, err := test.link()
	if err != nil {
		return err
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	fmt.Fprintf(w, "linked %d records of %d people (seed %d, %g times the faults) in %.1f s: %.0f records/s, from the normalised table to the clusters; %.1f GB\n",
		test.table.Len(), o.test.persons, o.test.seed, o.test.rate, result.took.Seconds(), float64(test.table.Len())/result.took.Seconds(), float64(memory.Sys)/1e9)
	printEvaluation(w, result.evaluation)
	if o.show > 0 {
		test.show(w, result.links, o.show)
	}
	summary := []linkedCity{{o.test, result}}
	if o.ablate {
		if summary, err = others(w, o, m, summary); err != nil {
			return err
		}
		if err := ablate(w, o); err != nil {
			return err
		}
	}
	summarise(w, summary)
	return nil
}

// linkedCity is a city with what linking it gave.
type linkedCity struct {
	city   cityParams
	linked linked
}

// others links cities with half and with double the faults, and one as the
// matcher decides, with at most 100,000 people.
func others(w io.Writer, o options, m *linkage.Model, all []linkedCity) ([]linkedCity, error) {
	for _, p := range []cityParams{{rate: 0.5}, {rate: 2}, {rate: 1, live: true}} {
		p.seed, p.persons = o.test.seed, min(100_000, o.test.persons)
		test, err := load(m, p)
		if err != nil {
			return nil, err
		}
		result, err := test.link()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(w, "%d people%s, %g times the faults:\n", p.persons, as(p), p.rate)
		printEvaluation(w, result.evaluation)
		all = append(all, linkedCity{p, result})
	}
	return all, nil
}

func as(p cityParams) string {
	if p.live {
		return " as the matcher decides"
	}
	return ""
}

// What is asked of a million people at the fixed rates.
const (
	wantPrecision = 0.999
	wantRecall    = 0.98
	wantReview    = 0.99
)

// summarise says in a line a city how right the links are.
func summarise(w io.Writer, all []linkedCity) {
	fmt.Fprintf(w, "summary (asked at the fixed rates: precision %g at recall %g, with review recall %g):\n", wantPrecision, wantRecall, wantReview)
	for _, c := range all {
		e := c.linked.evaluation
		verdict := ""
		if c.city.rate == 1 && c.city.persons >= 100_000 { // one error weighs too much in fewer
			verdict = "  kept"
			if e.Pairs.Precision < wantPrecision || e.Pairs.Recall < wantRecall || e.Review.Recall < wantReview {
				verdict = "  NOT KEPT"
			}
		}
		fmt.Fprintf(w, "  %7d people, %g times the faults%s: pairs precision %.5f recall %.5f F1 %.5f, with review recall %.5f (%d pairs), clusters F1 %.5f%s\n",
			c.city.persons, c.city.rate, as(c.city), e.Pairs.Precision, e.Pairs.Recall, e.Pairs.F1, e.Review.Recall, e.ReviewPairs, e.Clusters.F1, verdict)
	}
}

func printEvaluation(w io.Writer, e linkage.Evaluation) {
	line := func(name string, s linkage.Score) {
		fmt.Fprintf(w, "%-22s precision %.5f  recall %.5f  F1 %.5f\n", name, s.Precision, s.Recall, s.F1)
	}
	line("pairs", e.Pairs)
	line("clusters", e.Clusters)
	line("pairs with review", e.Review)
	fmt.Fprintf(w, "%d pairs to review (%.2f%% of the records), of which %d are right\n", e.ReviewPairs, 100*float64(e.ReviewPairs)/float64(e.Records), e.ReviewRight)
	for _, c := range e.Curve {
		if c.Threshold <= 40 {
			line(fmt.Sprintf("  from %g bits", c.Threshold), c.Score)
		}
	}
}

// ablate links without each column.
func ablate(w io.Writer, o options) error {
	const most = 50_000
	o.train.persons, o.test.persons = min(most, o.train.persons), min(most, o.test.persons)
	whole, err := linkage.Described("city")
	if err != nil {
		return err
	}
	whole.Live = nil
	var base linkage.Evaluation
	link := func(name string, m *linkage.Model) error {
		e, err := trainAndLink(m, o.train, o.test)
		if err != nil {
			return fmt.Errorf("without %s: %w", name, err)
		}
		if m == whole {
			base = e
		}
		fmt.Fprintf(w, "  %-24s precision %.5f  recall %.5f  F1 %.5f (%+.5f)  with review recall %.5f (%+.5f), %d pairs to review\n", name,
			e.Pairs.Precision, e.Pairs.Recall, e.Pairs.F1, e.Pairs.F1-base.Pairs.F1, e.Review.Recall, e.Review.Recall-base.Review.Recall, e.ReviewPairs)
		return nil
	}
	fmt.Fprintf(w, "without a column, trained and linked anew, %d people:\n", o.test.persons)
	if err := link("(nothing)", whole); err != nil {
		return err
	}
	for _, column := range whole.ColumnNames() {
		if !slices.Contains(header, column) && !slices.ContainsFunc(whole.FileColumns(column), func(name string) bool { return slices.Contains(header, name) }) {
			continue // no generated system has it
		}
		if err := link(column, whole.Without(column)); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "without a level, so that its pairs are at the next that holds:\n")
	levels, names := whole.EachLevel()
	for i, at := range levels {
		if err := link(names[i], whole.WithoutLevel(at)); err != nil {
			return err
		}
	}
	return nil
}

// export writes a city as CSV, and who each record is of.
func export(dir string, p cityParams) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	write := func(name string) (*csv.Writer, func() error, error) {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, err
		}
		w := csv.NewWriter(f)
		return w, func() error {
			w.Flush()
			return errors.Join(w.Error(), f.Close())
		}, nil
	}
	rows, closeRows, err := write("records.csv")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRows()) }()
	truth, closeTruth, err := write("truth.csv")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTruth()) }()
	c, err := p.build()
	if err != nil {
		return err
	}
	if err := errors.Join(rows.Write(header), truth.Write([]string{"id", "entity"})); err != nil {
		return err
	}
	for r := range records(c) {
		if err := errors.Join(rows.Write(r.row), truth.Write([]string{r.row[0], strconv.FormatInt(r.person, 10)})); err != nil {
			return err
		}
	}
	return nil
}
