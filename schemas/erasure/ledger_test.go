package erasure

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func said(t *testing.T, e Erasure) [2][]byte {
	key, value, err := e.Message()
	require.NoError(t, err)
	return [2][]byte{key, value}
}

func found(t *testing.T, f Found, by string) [2][]byte {
	key, value, err := f.Message("a1", by)
	require.NoError(t, err)
	return [2][]byte{key, value}
}

func take(t *testing.T, l *Ledger, messages ...[2][]byte) {
	for _, m := range messages {
		require.NoError(t, l.Take(m[0], m[1]))
	}
}

func first() Erasure {
	return Erasure{ID: "a1", Version: 1, Person: "p1", Records: []string{"health.patient:7", "population.citizen:1"}, Reason: "asked for it", By: "an", At: 1000}
}

// P12: a row is covered by its own name, by the record through which it speaks
// of its person, and by its person's numbers; nothing else is.
func TestP12Covers(t *testing.T) {
	l := New()
	require.True(t, l.Empty())
	take(t, l, said(t, first()), found(t, Found{Tokens: []string{"t1_x"}}, FoundVault))
	require.False(t, l.Empty())
	for _, covered := range []Row{
		{Record: []byte("health.patient:7")},
		{Record: []byte("health.encounter:3"), Through: []byte("health.patient:7")},
		{Record: []byte("health.patient:8"), Tokens: [][]byte{nil, []byte("t1_x")}},
	} {
		require.True(t, l.Covers(covered), "%+v", covered)
	}
	for _, other := range []Row{
		{}, {Record: []byte("health.patient:70")}, {Record: []byte("health_bv115.patient:7")},
		{Record: []byte("health.encounter:7"), Through: []byte("health.patient:71"), Tokens: [][]byte{[]byte("t1_y"), nil}},
	} {
		require.False(t, l.Covers(other), "%+v", other)
	}
	require.Equal(t, []string{"health.patient:7", "population.citizen:1"}, l.Records())
	require.Equal(t, []string{"t1"}, l.TokenVersions())
}

// P12: other people's rows are known by the tokens of every key at hand, of which
// only those that rows are kept out by keep a key from being retired; a lift takes
// them all away.
func TestP12Marks(t *testing.T) {
	l := New()
	take(t, l, said(t, first()), found(t, Found{Tokens: []string{"k1_x"}, Marks: []string{"t1_x", "t2_x"}}, FoundVault))
	for _, token := range []string{"k1_x", "t1_x", "t2_x"} {
		require.True(t, l.Marked([]byte(token)))
	}
	require.False(t, l.Marked([]byte("t1_y")))
	require.False(t, l.Covers(Row{Tokens: [][]byte{[]byte("t1_x")}}), "the row is another's")
	require.Equal(t, []string{"k1_x", "t1_x", "t2_x"}, l.Marks())
	require.Equal(t, []string{"k1"}, l.TokenVersions())
	all, err := l.Messages()
	require.NoError(t, err)
	again := New()
	take(t, again, all...)
	require.Equal(t, l.Marks(), again.Marks())
	f, changed := l.More("a1", FoundVault, 2, nil, nil, "t3_x")
	require.True(t, changed)
	require.Equal(t, []string{"t1_x", "t2_x", "t3_x"}, f.Marks, "compaction keeps the last message alone")

	lifted := first()
	lifted.Version, lifted.Lift = 2, &Lift{By: "an", At: 3}
	take(t, l, said(t, lifted))
	require.Empty(t, l.Marks())
	require.False(t, l.Marked([]byte("t1_x")))
}

// What waits for a second person erases nothing, what is lifted no more, and one
// of two erasures of a record is enough.
func TestInForce(t *testing.T) {
	l := New()
	take(t, l, found(t, Found{Tokens: []string{"t1_x"}}, FoundVault))
	e := first()
	e.Pending = true
	require.True(t, l.Put(&e))
	require.True(t, l.Empty())
	e.Version, e.Pending, e.ApprovedBy = 2, false, "binh"
	require.True(t, l.Put(&e))
	require.True(t, l.Record([]byte("health.patient:7")))
	other := Erasure{ID: "b2", Version: 1, Records: []string{"health.patient:7"}, By: "an", At: 2000}
	require.True(t, l.Put(&other))

	e.Version, e.Lift = 3, &Lift{By: "an", Reason: "came back", Pending: true}
	require.True(t, l.Put(&e))
	require.Equal(t, "lift proposed", e.State())
	require.True(t, l.Record([]byte("population.citizen:1")), "a lift waits for a second person too")
	e.Version, e.Lift = 4, &Lift{By: "an", Reason: "came back", ApprovedBy: "binh"}
	require.True(t, l.Put(&e))
	require.False(t, l.Record([]byte("population.citizen:1")))
	require.False(t, l.Token([]byte("t1_x")))
	require.True(t, l.Record([]byte("health.patient:7")), "the other erasure holds")
	require.Equal(t, "b2", l.Erasures()[0].ID)
	require.Equal(t, "lifted", l.Erasures()[1].State())
	require.False(t, l.Put(&e), "the same again")
}

// The ledger is the same whatever the order and repetition of its messages.
func TestOrderDoesNotCount(t *testing.T) {
	var messages [][2][]byte
	e := first()
	for v := range uint64(4) {
		e.Version, e.Pending = v+1, v == 0
		e.Lift = nil
		if v == 2 {
			e.Lift = &Lift{By: "an", Reason: "x"}
		}
		messages = append(messages, said(t, e))
		key, value, err := Step{At: int64(v), Count: 3, Names: int(v)}.Message(e.ID, StepCapture+"health")
		require.NoError(t, err)
		messages = append(messages, [2][]byte{key, value})
	}
	messages = append(messages, found(t, Found{Tokens: []string{"t1_x"}}, FoundVault))
	for seed := range uint64(20) {
		l, r := New(), rand.New(rand.NewPCG(seed, 1))
		for range 2 {
			r.Shuffle(len(messages), func(i, k int) { messages[i], messages[k] = messages[k], messages[i] })
			for _, m := range messages {
				require.NoError(t, l.Take(m[0], m[1]))
			}
		}
		got, ok := l.Of("a1")
		require.True(t, ok)
		require.Equal(t, e, got)
		require.Equal(t, map[string]Step{"capture/health": {At: 3, Count: 3, Names: 3}}, l.Done("a1"))
		require.Equal(t, e.Records, l.Records())
	}
}

// A step that was done before more was found is to be done again.
func TestStepBeforeMoreWasFound(t *testing.T) {
	l := New()
	e := first()
	l.Put(&e)
	step := func(s Step) {
		key, value, err := s.Message(e.ID, StepVault)
		require.NoError(t, err)
		take(t, l, [2][]byte{key, value})
	}
	require.Equal(t, Step{At: 1, Count: 5, Names: 2}, l.Step(e.ID, 1, 5))
	step(l.Step(e.ID, 1, 5))
	require.Contains(t, l.Done(e.ID), StepVault)
	_, changed := l.More(e.ID, FoundClickHouse, 2, nil, nil)
	require.True(t, changed, "it is to be said that somebody looked")
	take(t, l, found(t, Found{Records: []string{"health.encounter:3"}}, FoundClickHouse))
	_, changed = l.More(e.ID, FoundClickHouse, 2, []string{"health.encounter:3"}, nil)
	require.False(t, changed)
	more, changed := l.More(e.ID, FoundClickHouse, 2, []string{"health.encounter:2"}, nil)
	require.True(t, changed)
	require.Equal(t, Found{At: 2, Records: []string{"health.encounter:2", "health.encounter:3"}}, more, "compaction keeps the last message alone")
	require.True(t, l.Record([]byte("health.encounter:3")))
	require.NotContains(t, l.Done(e.ID), StepVault)
	step(l.Step(e.ID, 2, 1))
	require.Contains(t, l.Done(e.ID), StepVault)
	records, tokens := l.Names(e.ID)
	require.Equal(t, []string{"health.encounter:3", "health.patient:7", "population.citizen:1"}, records)
	require.Empty(t, tokens)
}

// P12: a ledger that cannot be read is an error, never a ledger with less in it.
func TestP12WhatCannotBeReadIsAnError(t *testing.T) {
	good := said(t, first())
	for name, m := range map[string][2][]byte{
		"tombstone":       {good[0], nil},
		"key":             {[]byte("other"), good[1]},
		"another erasure": {[]byte("erasure/zz"), good[1]},
		"no json":         {good[0], []byte("{")},
		"no step":         {[]byte("step/a1/vault"), []byte("x")},
		"no found":        {[]byte("found/a1/vault"), []byte("x")},
		"no records":      {good[0], []byte(`{"id":"a1","version":1,"by":"an"}`)},
		"no version":      {good[0], []byte(`{"id":"a1","records":["x"],"by":"an"}`)},
		"nobody":          {good[0], []byte(`{"id":"a1","records":["x"],"version":1}`)},
	} {
		require.Error(t, New().Take(m[0], m[1]), name)
	}
	bad := first()
	bad.ID = "a/b"
	_, _, err := bad.Message()
	require.Error(t, err)
}
