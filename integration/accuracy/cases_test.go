package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// hardCase is a case of linkage/testdata/cases.yaml.
type hardCase struct {
	Case    string              `yaml:"case"`
	About   string              `yaml:"about"`
	Records []map[string]string `yaml:"records"`
	Want    []string            `yaml:"want"`
	Later   *struct {
		Remove []string            `yaml:"remove"`
		Add    []map[string]string `yaml:"add"`
		No     []string            `yaml:"no"`
		Want   []string            `yaml:"want"`
	} `yaml:"later"`
}

func hardCases(t *testing.T) []hardCase {
	t.Helper()
	text, err := os.ReadFile("../../processors/identity/linkage/testdata/cases.yaml")
	require.NoError(t, err)
	var cases []hardCase
	require.NoError(t, yaml.UnmarshalWithOptions(text, &cases, yaml.Strict()))
	return cases
}

// later makes of the cases what they are after their second step.
func later(cases []hardCase) (after []hardCase) {
	for _, c := range cases {
		if c.Later != nil {
			c.Records = slices.DeleteFunc(slices.Clone(c.Records), func(r map[string]string) bool { return slices.Contains(c.Later.Remove, r["id"]) })
			c.Records = append(c.Records, c.Later.Add...)
			c.Want = c.Later.Want
		}
		after = append(after, c)
	}
	return after
}

var caseHeader = []string{"id", "source", "cccd", "cmnd", "insurance_no", "full_name", "birth_date", "sex", "phone", "ward_code", "address", "updated_at"}

// linkCases links the cases among the people of a city, as how rare a name is
// counts. It gives what came out of each pair of a case, "case a b" -> outcome,
// and what explains a pair.
func linkCases(t *testing.T, m *linkage.Model, rows [][]string, cases []hardCase, order *rand.Rand) (out map[string]string, explain func(c hardCase, pair string) string) {
	t.Helper()
	type row struct {
		header []string
		values []string
	}
	all := make([]row, 0, len(rows)+100)
	for _, r := range rows {
		all = append(all, row{header, r})
	}
	for _, c := range cases {
		for _, r := range c.Records {
			values := make([]string, len(caseHeader))
			for name, value := range r {
				at := slices.Index(caseHeader, name)
				require.GreaterOrEqual(t, at, 0, "%s: there is no column %s", c.Case, name)
				values[at] = value
			}
			values[0] = c.Case + "/" + values[0]
			all = append(all, row{caseHeader, values})
		}
	}
	if order != nil {
		order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	table, err := linkage.NewTable(m)
	require.NoError(t, err)
	city, err := table.File("city", header)
	require.NoError(t, err)
	file, err := table.File("cases", append([]string{"record_id"}, caseHeader[1:]...))
	require.NoError(t, err)
	for _, r := range all {
		if len(r.header) == len(header) {
			require.NoError(t, city.Add(r.values))
		} else {
			require.NoError(t, file.Add(r.values))
		}
	}
	require.NoError(t, table.Close())
	find := func(c hardCase, id string) int32 {
		i, err := table.Find(c.Case + "/" + id)
		require.NoError(t, err)
		return i
	}
	var decisions []linkage.Decision
	for _, c := range cases {
		if c.Later == nil {
			continue
		}
		for _, no := range c.Later.No {
			a, b, ok := strings.Cut(no, " ")
			require.True(t, ok)
			decisions = append(decisions, linkage.Decision{A: c.Case + "/" + a, B: c.Case + "/" + b, Verdict: linkage.Different, Version: 1})
		}
	}
	edges, err := table.Candidates(nil)
	require.NoError(t, err)
	links, err := table.Resolve(edges, decisions...)
	require.NoError(t, err)
	review := map[[2]int32]bool{}
	for _, l := range links.Edges {
		review[[2]int32{l.A, l.B}] = l.Review
	}
	out = map[string]string{}
	for _, c := range cases {
		for _, x := range c.Records {
			for _, y := range c.Records {
				a, b := find(c, x["id"]), find(c, y["id"])
				if a == b {
					continue
				}
				outcome := "apart"
				switch {
				case links.Cluster[a] == links.Cluster[b]:
					outcome = "link"
				case review[[2]int32{min(a, b), max(a, b)}]:
					outcome = "review"
				}
				out[c.Case+" "+x["id"]+" "+y["id"]] = outcome
			}
		}
	}
	return out, func(c hardCase, pair string) string {
		x, y, _ := strings.Cut(pair, " ")
		a, b := find(c, x), find(c, y)
		e, err := table.Explain(min(a, b), max(a, b))
		require.NoError(t, err)
		return fmt.Sprintf("%.1f bits before competition: %+v", e.Weight, e.Steps)
	}
}

// The hard cases of which each is data, at both of their steps; and case32, the
// same log permuted, over all of them (P9).
func TestHardCases(t *testing.T) {
	m, err := linkage.Default("city")
	require.NoError(t, err)
	c, err := cityParams{seed: 21, persons: 4000, rate: 1}.build()
	require.NoError(t, err)
	var rows [][]string
	for r := range records(c) {
		rows = append(rows, r.row)
	}
	before := hardCases(t)
	var seen []string
	for _, c := range before {
		seen = append(seen, c.Case)
	}
	for n := 1; n <= 31; n++ {
		require.Contains(t, seen, fmt.Sprintf("case%02d", n))
	}
	for step, cases := range [][]hardCase{before, later(hardCases(t))} {
		if step == 0 {
			for i := range cases {
				cases[i].Later = nil // its decisions come later
			}
		}
		out, explain := linkCases(t, m, rows, cases, nil)
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s %s, step %d", c.Case, c.About, step+1), func(t *testing.T) {
				for _, want := range c.Want {
					pair, outcome, ok := strings.Cut(want, ": ")
					require.True(t, ok, want)
					got, ok := out[c.Case+" "+pair]
					require.True(t, ok, "%s names other records", want)
					if got != outcome {
						t.Errorf("%s is %s, not %s: %s", pair, got, outcome, explain(c, pair))
					}
				}
			})
		}
		t.Run(fmt.Sprintf("case32 permuted, step %d", step+1), func(t *testing.T) {
			for seed := range uint64(2) {
				permuted, _ := linkCases(t, m, rows, cases, rand.New(rand.NewPCG(seed, 32)))
				require.Equal(t, out, permuted)
			}
		})
	}
}
