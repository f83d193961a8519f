package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// cityParams say which city is made.
type cityParams struct {
	seed    uint64
	persons int
	rate    float64 // of faults, in multiples of the fixed rates
	live    bool    // decided as the matcher decides: with the model's own sizes and rarities
}

func (p cityParams) build() (*city.City, error) {
	return city.Build(city.Params{Seed: p.seed, Persons: p.persons, Base: base, Rates: city.FixedRates().Times(p.rate)})
}

// population is a city as a table, with its truth.
type population struct {
	table  *linkage.Table
	people map[string]int32 // of each record
	rows   map[string]string
}

// load makes a city and its table.
func load(m *linkage.Model, params cityParams) (*population, error) {
	c, err := params.build()
	if err != nil {
		return nil, err
	}
	p := &population{people: map[string]int32{}, rows: map[string]string{}}
	if p.table, err = linkage.NewTable(m); err != nil {
		return nil, err
	}
	if params.live {
		known, err := linkage.DefaultFrequencies("city")
		if err != nil {
			return nil, err
		}
		if err := p.table.Live(known); err != nil {
			return nil, err
		}
	}
	f, err := p.table.File("city", header)
	if err != nil {
		return nil, err
	}
	for r := range records(c) {
		p.people[r.row[0]] = int32(r.person)
		p.rows[r.row[0]] = strings.Join(r.row[1:], " | ")
		if err := f.Add(r.row); err != nil {
			return nil, err
		}
	}
	return p, p.table.Close()
}

// linked is what linking gave.
type linked struct {
	links      *linkage.Links
	took       time.Duration
	evaluation linkage.Evaluation
}

func (p *population) link() (linked, error) {
	start := time.Now()
	edges, err := p.table.Candidates(nil)
	if err != nil {
		return linked{}, err
	}
	links, err := p.table.Resolve(edges)
	if err != nil {
		return linked{}, err
	}
	took := time.Since(start)
	entities := make([]int32, p.table.Len())
	for i := range entities {
		entities[i] = p.people[p.table.ID(int32(i))]
	}
	return linked{links, took, linkage.Evaluate(entities, links.Edges)}, nil
}

// trainAndLink trains a model on one city and links another.
func trainAndLink(m *linkage.Model, train, test cityParams) (linkage.Evaluation, error) {
	training, err := load(m, train)
	if err != nil {
		return linkage.Evaluation{}, err
	}
	if err := training.table.Train(nil); err != nil {
		return linkage.Evaluation{}, err
	}
	p, err := load(m, test)
	if err != nil {
		return linkage.Evaluation{}, err
	}
	result, err := p.link()
	return result.evaluation, err
}

// show prints some links that are wrong, and pairs to review.
func (p *population) show(w io.Writer, links *linkage.Links, most int) {
	shown := map[string]int{}
	for _, l := range links.Edges {
		a, b := p.table.ID(l.A), p.table.ID(l.B)
		same := p.people[a] == p.people[b]
		var kind string
		switch {
		case !l.Review && !same:
			kind = "wrong link"
		case l.Review && same:
			kind = "to review, right"
		case l.Review:
			kind = "to review, wrong"
		default:
			continue
		}
		if shown[kind]++; shown[kind] <= most {
			fmt.Fprintf(w, "%s, %.1f bits\n  %s\n  %s\n", kind, l.Weight, p.rows[a], p.rows[b])
		}
	}
}
