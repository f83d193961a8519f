package review

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

func said(by string, v linkage.Verdict, at int64) Statement {
	return Statement{A: "tax.taxpayer:2", B: "health.patient:1", Verdict: v, By: by, At: at, Reason: "seen in the file", Model: "city-1"}
}

func TestOnePersonDecides(t *testing.T) {
	var none Entry
	e, outcome, err := Say(none, said("an", linkage.Different, 10), false)
	require.NoError(t, err)
	require.Equal(t, Decided, outcome)
	require.Equal(t, Entry{A: "health.patient:1", B: "tax.taxpayer:2", Version: 1, Verdict: linkage.Different, By: "an", At: 10, Reason: "seen in the file", Model: "city-1"}, e)
	require.NoError(t, e.Check())

	again, outcome, err := Say(e, said("binh", linkage.Different, 11), false)
	require.NoError(t, err)
	require.Equal(t, Unchanged, outcome)
	require.Equal(t, e, again, "whoever asks twice changes nothing")

	e, outcome, err = Say(e, said("binh", linkage.Unsaid, 12), false)
	require.NoError(t, err)
	require.Equal(t, Decided, outcome)
	require.Equal(t, linkage.Decision{A: "health.patient:1", B: "tax.taxpayer:2", Version: 2}, e.Decision())
	_, _, err = Say(e, said("binh", linkage.Unsaid, 13), false)
	require.ErrorIs(t, err, ErrNothingSaid)
}

func TestTwoPersonsDecide(t *testing.T) {
	e, outcome, err := Say(Entry{}, said("an", linkage.Same, 10), true)
	require.NoError(t, err)
	require.Equal(t, Proposed, outcome)
	require.Equal(t, linkage.Unsaid, e.Decision().Verdict, "it is not in force")
	require.NoError(t, e.Check())

	_, _, err = Say(e, said(" AN ", linkage.Same, 11), true)
	require.ErrorIs(t, err, ErrSecondPerson)

	other, outcome, err := Say(e, said("binh", linkage.Different, 11), true)
	require.NoError(t, err)
	require.Equal(t, Proposed, outcome, "another opinion replaces the proposal")
	require.Equal(t, "binh", other.Proposed.By)

	withdrawn, outcome, err := Say(e, said("an", linkage.Unsaid, 11), true)
	require.NoError(t, err)
	require.Equal(t, Withdrawn, outcome)
	require.Nil(t, withdrawn.Proposed)

	e, outcome, err = Say(e, said("binh", linkage.Same, 12), true)
	require.NoError(t, err)
	require.Equal(t, Approved, outcome)
	require.NoError(t, e.Check())
	require.Equal(t, Entry{A: "health.patient:1", B: "tax.taxpayer:2", Version: 2, Verdict: linkage.Same, By: "an", At: 10, Reason: "seen in the file", ApprovedBy: "binh", ApprovedAt: 12, Model: "city-1"}, e)

	undo, outcome, err := Say(e, said("an", linkage.Unsaid, 13), true)
	require.NoError(t, err)
	require.Equal(t, Proposed, outcome, "to take back needs two as well")
	require.Equal(t, linkage.Same, undo.Decision().Verdict, "until then it stays in force")
	undo, outcome, err = Say(undo, said("binh", linkage.Unsaid, 14), true)
	require.NoError(t, err)
	require.Equal(t, Approved, outcome)
	require.Equal(t, linkage.Unsaid, undo.Decision().Verdict)
}

func TestSayRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Statement)
		want   error
	}{
		"one record": {func(s *Statement) { s.A = s.B }, ErrOneRecord},
		"no reason":  {func(s *Statement) { s.Reason = " \n" }, ErrNoReason},
		"a novel":    {func(s *Statement) { s.Reason = strings.Repeat("ơ", 501) }, ErrLongReason},
		// P11: free text is where identifiers leak.
		"a CCCD":  {func(s *Statement) { s.Reason = "CCCD is 079085000013" }, ErrNumbers},
		"a CMND":  {func(s *Statement) { s.Reason = "CMND 024-123-456" }, ErrNumbers},
		"a phone": {func(s *Statement) { s.Reason = "called 0912 345 678" }, ErrNumbers},
	} {
		t.Run(name, func(t *testing.T) {
			s := said("an", linkage.Same, 1)
			c.change(&s)
			_, _, err := Say(Entry{}, s, false)
			require.ErrorIs(t, err, c.want)
		})
	}
	s := said("an", linkage.Same, 1)
	s.Reason = "born 1985-03-20, house 12/3"
	_, _, err := Say(Entry{}, s, false)
	require.NoError(t, err)
}

func TestCheckRefusesWhatSayNeverMakes(t *testing.T) {
	good, _, err := Say(Entry{}, said("an", linkage.Same, 1), false)
	require.NoError(t, err)
	for name, spoil := range map[string]func(*Entry){
		"order":          func(e *Entry) { e.A, e.B = e.B, e.A },
		"version":        func(e *Entry) { e.Version = 0 },
		"nobody":         func(e *Entry) { e.By = "" },
		"verdict":        func(e *Entry) { e.Verdict = 9 },
		"approves alone": func(e *Entry) { e.ApprovedBy = "An" },
		"proposal":       func(e *Entry) { e.Proposed = &Proposal{Verdict: linkage.Same, By: "an"} },
	} {
		e := good
		spoil(&e)
		require.Error(t, e.Check(), name)
	}
}

// P9: a book knows no order and no repetition.
func TestCase32BookKnowsNoOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		var log []Entry
		for range 12 {
			e := Entry{A: "a:1", B: string(rune('b' + r.IntN(2))), Version: uint64(1 + r.IntN(4)), Verdict: linkage.Verdict(r.IntN(3)), By: string(rune('x' + r.IntN(3))), At: int64(r.IntN(3))}
			if r.IntN(2) == 0 {
				e.Proposed = &Proposal{Verdict: linkage.Same, By: string(rune('x' + r.IntN(3)))}
			}
			log = append(log, e)
		}
		want := NewBook()
		for _, e := range log {
			want.Take(e)
		}
		log = append(log, log[:r.IntN(len(log))]...)
		r.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		got := NewBook()
		for _, e := range log {
			took := got.Take(e)
			known := got.Of(e.A, e.B)
			require.Equal(t, took, known.text() == e.text(), "what is not taken is to be written again")
		}
		require.Equal(t, want.All(), got.All(), "seed %d", seed)
	}
}

func TestForgottenEntryIsUnsaid(t *testing.T) {
	b := NewBook()
	_, ok := b.Forget(Pair("b:1", "a:1"))
	require.False(t, ok)
	require.True(t, b.Take(Entry{A: "a:1", B: "b:1", Version: 3, Verdict: linkage.Same, By: "an"}))
	e, ok := b.Forget(Pair("b:1", "a:1"))
	require.True(t, ok)
	require.Equal(t, linkage.Decision{A: "a:1", B: "b:1", Version: 4}, e.Decision())
	require.Empty(t, b.All())
}

func TestRank(t *testing.T) {
	of := func(change func(*linkage.Review)) Ranked {
		r := linkage.Review{Rule: linkage.RuleWeights, Weight: 2, Effect: linkage.Effect{Records: [2]int{1, 3}, Sectors: [2][]string{{"tax"}, {"construction", "population"}}}}
		change(&r)
		return Rank(&r)
	}
	base := of(func(*linkage.Review) {})
	require.Empty(t, base.Figures)
	for name, more := range map[string]func(*linkage.Review){
		"more records":      func(r *linkage.Review) { r.Effect.Records[0] = 3 },
		"nearer to a link":  func(r *linkage.Review) { r.Weight = 4 },
		"a citizen":         func(r *linkage.Review) { r.Effect.Register = true },
		"a death":           func(r *linkage.Review) { r.Effect.Died = true },
		"welfare":           func(r *linkage.Review) { r.Effect.Sectors[0] = []string{"welfare"} },
		"health":            func(r *linkage.Review) { r.Effect.Sectors[0] = []string{"health"} },
		"another sector":    func(r *linkage.Review) { r.Effect.Sectors[0] = []string{"tax", "x"} },
		"counted twice":     func(r *linkage.Review) { r.Effect.Sectors[0] = []string{"population"} },
		"a broken decision": func(r *linkage.Review) { r.Rule = linkage.RuleConflict },
	} {
		require.Greater(t, of(more).Rank, base.Rank, name)
	}
	require.Less(t, of(func(r *linkage.Review) { r.Rule = linkage.RuleShared }).Rank, base.Rank)
	require.Equal(t, []string{FigureDeaths, FigureInsured, FigureWelfare}, of(func(r *linkage.Review) {
		r.Effect.Died, r.Effect.Sectors = true, [2][]string{{"health"}, {"welfare"}}
	}).Figures)
	// Either side first, it is the same pair.
	require.Equal(t, base, of(func(r *linkage.Review) {
		e := &r.Effect
		e.Records[0], e.Records[1], e.Sectors[0], e.Sectors[1] = e.Records[1], e.Records[0], e.Sectors[1], e.Sectors[0]
	}))
}
