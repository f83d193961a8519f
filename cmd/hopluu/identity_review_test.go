package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/matcher"
)

// fakeDesk answers as a matcher does, of pairs that are as they are.
type fakeDesk struct {
	t     *testing.T
	pairs []matcher.ReviewJSON
	said  []matcher.SayJSON
	// answer is what became of each statement.
	answer func(matcher.SayJSON) (int, any)
}

func (f *fakeDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	require.Equal(f.t, "Bearer secret", r.Header.Get("Authorization"))
	status, out := http.StatusOK, any(nil)
	switch r.Method + " " + r.URL.Path {
	case "GET /identity/reviews":
		var left []matcher.ReviewJSON
		for _, p := range f.pairs {
			if rule := r.URL.Query().Get("rule"); rule == "" || rule == p.Rule {
				left = append(left, p)
			}
		}
		out = matcher.ListJSON{You: "an", Total: len(left), Rules: map[string]int{"weights": len(left)}, Reviews: left}
	case "GET /identity/pair":
		a, b := r.URL.Query().Get("a"), r.URL.Query().Get("b")
		out = matcher.PairJSON{
			A:           matcher.RecordJSON{Record: a, Known: true, Sector: "health", Columns: []matcher.ColumnJSON{{Name: "cccd", Identifier: true}, {Name: "full_name", Text: "nguyễn văn an"}}},
			B:           matcher.RecordJSON{Record: b, Known: true, Sector: "tax", Columns: []matcher.ColumnJSON{{Name: "full_name"}}},
			Review:      &matcher.ReviewJSON{Rule: "weights", Records: [2]int{1, 3}, Figures: []string{"deaths"}},
			Explanation: &linkage.Explanation{Prior: -20, Weight: 3, Steps: []linkage.Step{{Name: "name", Level: "same", Bits: 23}}},
			Thresholds:  linkage.Thresholds{Link: 5, Review: -2},
			Decision:    &matcher.DecisionJSON{Version: 7, Verdict: "unsaid"},
		}
	case "GET /identity/decisions":
		out = []matcher.DecisionJSON{{A: "a:1", B: "b:1", Verdict: "same", By: "an", Reason: "why", ApprovedBy: "binh", Conflict: true}}
	case "POST /identity/decisions":
		var said matcher.SayJSON
		require.NoError(f.t, json.NewDecoder(r.Body).Decode(&said))
		f.said = append(f.said, said)
		status, out = f.answer(said)
	default:
		status, out = http.StatusNotFound, "nothing"
	}
	w.WriteHeader(status)
	require.NoError(f.t, json.NewEncoder(w).Encode(out))
}

// desk runs the commands against a fake matcher.
func desk(t *testing.T, pairs ...matcher.ReviewJSON) *fakeDesk {
	f := &fakeDesk{t: t, pairs: pairs, answer: func(s matcher.SayJSON) (int, any) {
		return http.StatusOK, matcher.SaidJSON{Outcome: "decided", Persons: [2]string{"p1", "p2"}, Decision: matcher.DecisionJSON{Verdict: s.Verdict}}
	}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("HOPLUU_CONFIG", "")
	t.Setenv("HOPLUU_IDENTITY_URL", server.URL)
	t.Setenv("HOPLUU_IDENTITY_TOKEN", "secret")
	return f
}

// reviewing runs 'identity review' with what somebody types.
func reviewing(t *testing.T, typed string) (string, error) {
	t.Helper()
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetIn(strings.NewReader(typed))
	root.SetArgs([]string{"identity", "review"})
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

var threePairs = []matcher.ReviewJSON{
	{A: "a:1", B: "b:1", Rule: "weights", Rank: 3},
	{A: "a:2", B: "b:2", Rule: "weights", Rank: 2, Proposed: &matcher.ProposalJSON{By: "An", Verdict: "same"}},
	{A: "a:3", B: "b:3", Rule: "weights", Rank: 1, Proposed: &matcher.ProposalJSON{By: "binh", Verdict: "same"}},
}

func TestReviewInTheTerminal(t *testing.T) {
	f := desk(t, threePairs...)
	out, err := reviewing(t, "what?\ny\nsame mother\nn\n\n")
	require.NoError(t, err)
	seven := uint64(7)
	require.Equal(t, []matcher.SayJSON{
		{A: "a:1", B: "b:1", Verdict: "same", Reason: "same mother", Version: &seven},
		{A: "a:3", B: "b:3", Verdict: "different", Reason: "same mother", Version: &seven},
	}, f.said, "what one proposed waits for somebody else; an empty line gives the reason again")
	for _, want := range []string{"write y, n, s or q", "nguyễn văn an", "(has one)", "(not shown)", "+23.0", "may change deaths", "two persons now: p1 and p2", "nothing else waits for you", "2 decided"} {
		require.Contains(t, out, want)
	}
}

func TestReviewEnds(t *testing.T) {
	for name, typed := range map[string]string{"quit": "s\nq\n", "end of input": "s\n", "end in the reason": "y\n"} {
		f := desk(t, threePairs...)
		out, err := reviewing(t, typed)
		require.NoError(t, err, name)
		require.Empty(t, f.said, name)
		require.Contains(t, out, "0 decided", name)
	}
}

// What the matcher refuses is told, and the pair is shown as it is now.
func TestReviewThatIsRefused(t *testing.T) {
	f := desk(t, threePairs[0])
	f.answer = func(matcher.SayJSON) (int, any) {
		return http.StatusConflict, map[string]string{"error": "somebody spoke of this pair: look again"}
	}
	out, err := reviewing(t, "y\nwhy\nq\n")
	require.NoError(t, err)
	require.Contains(t, out, "not taken: somebody spoke of this pair")
	require.Equal(t, 2, strings.Count(out, "One person?"))
}

// Ctrl-C ends the waiting for a key.
func TestReviewIsInterrupted(t *testing.T) {
	desk(t, threePairs[0])
	ctx, cancel := context.WithCancel(t.Context())
	in, typing := io.Pipe()
	t.Cleanup(func() { require.NoError(t, typing.Close()) })
	root := rootCommand()
	shown := &cancelAt{text: "One person?", cancel: cancel}
	root.SetOut(shown)
	root.SetIn(in)
	root.SetArgs([]string{"identity", "review"})
	require.ErrorIs(t, root.ExecuteContext(ctx), context.Canceled)
}

// cancelAt cancels as soon as a text is written.
type cancelAt struct {
	bytes.Buffer
	text   string
	cancel func()
}

func (c *cancelAt) Write(p []byte) (int, error) {
	n, err := c.Buffer.Write(p)
	if strings.Contains(c.String(), c.text) {
		c.cancel()
	}
	return n, err
}

func TestReviewList(t *testing.T) {
	desk(t, threePairs...)
	out, err := hopluuIdentity(t, "review", "--list")
	require.NoError(t, err)
	require.Contains(t, out, "3 of 3 pairs")
	require.Contains(t, out, "a second person: same, says binh")
	out, err = hopluuIdentity(t, "review", "--list", "--json")
	require.NoError(t, err)
	var list matcher.ListJSON
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Equal(t, 3, list.Total)
	out, err = hopluuIdentity(t, "review", "--list", "--rule", "conflict")
	require.NoError(t, err)
	require.NotContains(t, out, "a:1")
	_, err = hopluuIdentity(t, "review", "--json")
	require.ErrorContains(t, err, "give both")
}

func TestDecideAndExplainLive(t *testing.T) {
	f := desk(t)
	out, err := hopluuIdentity(t, "decide", "a:1", "b:1", "same", "--reason", "why")
	require.NoError(t, err)
	require.Equal(t, []matcher.SayJSON{{A: "a:1", B: "b:1", Verdict: "same", Reason: "why"}}, f.said)
	require.Contains(t, out, "decided")
	out, err = hopluuIdentity(t, "explain", "a:1", "b:1")
	require.NoError(t, err)
	require.Contains(t, out, "review: 3.0 bits")
	require.Contains(t, out, "a:1") // as they are typed, not in capitals
	require.Contains(t, out, "b:1")
	out, err = hopluuIdentity(t, "explain", "a:1", "b:1", "--json")
	require.NoError(t, err)
	var pair matcher.PairJSON
	require.NoError(t, json.Unmarshal([]byte(out), &pair))
	require.InDelta(t, 3, pair.Explanation.Weight, 0)

	out, err = hopluuIdentity(t, "decisions")
	require.NoError(t, err)
	require.Contains(t, out, "said: same, by an, approved by binh: why\nsomething forbids it")
	require.Contains(t, out, "1 decisions")
	out, err = hopluuIdentity(t, "decisions", "--json")
	require.NoError(t, err)
	var decisions []matcher.DecisionJSON
	require.NoError(t, json.Unmarshal([]byte(out), &decisions))
	require.True(t, decisions[0].Conflict)

	for want, args := range map[string][]string{
		"--reason":       {"decide", "a:1", "b:1", "same"},
		"two records":    {"decide", "a:1", "b:1"},
		"cannot be read": {"decide", "a:1", "b:1", "same", "--reason", "x", "--url", "localhost"},
		"neither":        {"explain", "--model", "city", "a:1", "b:1"},
	} {
		_, err := hopluuIdentity(t, args...)
		require.ErrorContains(t, err, want)
	}
	t.Setenv("HOPLUU_IDENTITY_TOKEN", "")
	_, err = hopluuIdentity(t, "review")
	require.ErrorContains(t, err, "hopluu identity token")
	t.Setenv("HOPLUU_IDENTITY_TOKEN", "secret")
	_, err = hopluuIdentity(t, "review", "--url", "http://127.0.0.1:1")
	require.ErrorContains(t, err, "hopluu processor run")
}

// What 'identity token' prints is a configuration that knows the token.
func TestTokenIsAConfiguration(t *testing.T) {
	out, err := hopluuIdentity(t, "token", "Nguyễn An")
	require.NoError(t, err)
	token := regexp.MustCompile(`HOPLUU_IDENTITY_TOKEN=(\S+)`).FindStringSubmatch(out)
	require.Len(t, token, 2)
	_, entry, ok := strings.Cut(out, "# For the matcher's configuration:\n")
	require.True(t, ok)
	path := filepath.Join(t.TempDir(), "hopluu.yaml")
	require.NoError(t, os.WriteFile(path, []byte("kafka: {brokers: [k:1]}\n"+entry), 0o600))
	c, err := config.Load(path)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(token[1]))
	require.Equal(t, hex.EncodeToString(sum[:]), c.Identity.Reviewers[0].TokenSHA256)
	require.Equal(t, "Nguyễn An", reviewers(c.Identity)[0].Name)
	require.Equal(t, sum, reviewers(c.Identity)[0].Token)
	again, err := hopluuIdentity(t, "token", "Nguyễn An")
	require.NoError(t, err)
	require.NotEqual(t, out, again)
}
