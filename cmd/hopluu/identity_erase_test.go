package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// fakeLedger answers as a matcher does of one person's erasure, whose steps are
// done one at a look.
type fakeLedger struct {
	t     *testing.T
	asked []matcher.EraseJSON
	two   bool
	state string
	open  []string
	done  []matcher.StepJSON
}

func (f *fakeLedger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := func() matcher.ErasureJSON {
		return matcher.ErasureJSON{ID: "e1", State: f.state, Person: "p1", Records: []string{"health.patient:7"}, Reason: "asked", By: "an", Done: f.done, Open: f.open}
	}
	out := any(nil)
	switch r.Method + " " + r.URL.Path {
	case "POST /identity/erasures":
		var said matcher.EraseJSON
		require.NoError(f.t, json.NewDecoder(r.Body).Decode(&said))
		f.asked = append(f.asked, said)
		if !said.Show && f.state == "not erased" {
			if f.state = "in force"; f.two {
				f.state = "proposed"
			}
		}
		out = e()
	case "GET /identity/erasures":
		if len(f.open) > 1 {
			f.done, f.open = append(f.done, matcher.StepJSON{Step: f.open[0], Count: 3}), f.open[1:]
		}
		out = []matcher.ErasureJSON{e()}
	case "POST /identity/erasures/lift":
		f.state = "lifted"
		out = e()
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	require.NoError(f.t, json.NewEncoder(w).Encode(out))
}

func erasing(t *testing.T, f *fakeLedger, typed string, args ...string) (string, error) {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("HOPLUU_CONFIG", "")
	t.Setenv("HOPLUU_IDENTITY_URL", server.URL)
	t.Setenv("HOPLUU_IDENTITY_TOKEN", "secret")
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader(typed))
	root.SetArgs(append([]string{"identity"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// What would go is shown, and nothing is erased before somebody types yes.
func TestEraseAsks(t *testing.T) {
	f := &fakeLedger{t: t, state: "not erased"}
	out, err := erasing(t, f, "no\n", "erase", "p1", "--reason", "asked")
	require.NoError(t, err)
	require.Contains(t, out, "health.patient:7")
	require.Contains(t, out, "nothing is erased")
	require.Equal(t, []matcher.EraseJSON{{Who: "p1", Show: true}}, f.asked)

	// A script that says nothing must not take silence for done.
	f = &fakeLedger{t: t, state: "not erased"}
	_, err = erasing(t, f, "", "erase", "p1", "--reason", "asked")
	require.ErrorContains(t, err, "nothing is erased, for nobody answered: type yes, or give --yes")
	require.Equal(t, []matcher.EraseJSON{{Who: "p1", Show: true}}, f.asked)

	f = &fakeLedger{t: t, state: "not erased", two: true}
	out, err = erasing(t, f, "yes\n", "erase", "--record", "health.patient:7", "--reason", "asked")
	require.NoError(t, err)
	require.Contains(t, out, "waits for a second person")
	require.Contains(t, out, "1 records, numbers are counted when it is approved, by an")
	require.NotContains(t, out, "0 numbers")

	for _, args := range [][]string{{"erase", "--reason", "x"}, {"erase", "p1"}, {"erase", "p1", "--record", "x", "--reason", "x"}, {"lift", "e1"}} {
		_, err := erasing(t, &fakeLedger{t: t}, "", args...)
		require.Error(t, err, args)
	}
}

// Steps are told as they are done; one that still stands ends it with 1.
func TestEraseWaitsForItsSteps(t *testing.T) {
	f := &fakeLedger{t: t, state: "not erased", open: []string{"matcher", "vault", "clickhouse/hopluu-sink"}}
	out, err := erasing(t, f, "", "erase", "p1", "--reason", "asked", "--yes", "--wait", "2s")
	require.ErrorIs(t, err, errFound)
	for _, want := range []string{"done  matcher (3)", "done  vault (3)", "still stands: clickhouse/hopluu-sink"} {
		require.Contains(t, out, want)
	}
	// Given again it goes on, and asks nobody.
	f.open = nil
	out, err = erasing(t, f, "", "erase", "p1", "--reason", "asked")
	require.NoError(t, err)
	require.Contains(t, out, "in force: 1 records, 0 numbers, by an")
	out, err = erasing(t, f, "", "erasures")
	require.NoError(t, err)
	require.Contains(t, out, "1 erasures")
	out, err = erasing(t, f, "", "lift", "e1", "--reason", "back")
	require.NoError(t, err)
	require.Contains(t, out, "resnapshot")
}

// P12: where rows stay and lose a number, it is told.
func TestEraseTellsWhatLosesANumber(t *testing.T) {
	number := func(name, match string) sectors.Column {
		return sectors.Column{Name: name, Identifier: sectors.CCCD, Match: match}
	}
	s := source{}
	s.Name = "justice"
	s.Described = sectors.Sector{Tables: []sectors.Table{
		{Schema: "public", Name: "birth", Person: &sectors.Person{Direct: true}, Columns: []sectors.Column{number("cccd", "cccd"), number("mother_cccd", ""), {Name: "name"}}},
		{Schema: "public", Name: "witness", Columns: []sectors.Column{number("cccd", "cccd"), {Name: "phone", Identifier: sectors.Phone}}},
	}}
	require.Equal(t, []string{"justice.public.birth (mother_cccd)", "justice.public.witness (cccd)"}, naming([]source{s}))
}
