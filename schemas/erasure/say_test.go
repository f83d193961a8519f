package erasure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One person is enough, or two are needed, and they are two.
func TestSay(t *testing.T) {
	asked := Erasure{ID: "a", Person: "p", Records: []string{"x:1"}}
	e, outcome, err := Say(nil, asked, Statement{Reason: "r", By: "an", At: 5}, false)
	require.NoError(t, err)
	require.Equal(t, Erased, outcome)
	require.True(t, e.Holds())
	require.NoError(t, e.Check())

	e, outcome, err = Say(nil, asked, Statement{Reason: "r", By: "an", At: 5}, true)
	require.NoError(t, err)
	require.Equal(t, Proposed, outcome)
	require.Equal(t, "proposed", e.State())
	_, _, err = Say(&e, asked, Statement{By: " AN "}, true)
	require.ErrorIs(t, err, ErrSecondPerson)
	asked.Records = []string{"x:2", "x:1"}
	e, outcome, err = Say(&e, asked, Statement{By: "binh", At: 6}, true)
	require.NoError(t, err)
	require.Equal(t, Approved, outcome)
	require.Equal(t, []string{"x:1", "x:2"}, e.Records)
	require.True(t, e.Holds())
	_, outcome, err = Say(&e, asked, Statement{By: "mai"}, true)
	require.NoError(t, err)
	require.Equal(t, Unchanged, outcome)

	lift, outcome, err := SayLift(e, Statement{Reason: "back", By: "an", At: 7}, true)
	require.NoError(t, err)
	require.Equal(t, Proposed, outcome)
	require.True(t, lift.Holds())
	_, _, err = SayLift(lift, Statement{By: "An"}, true)
	require.ErrorIs(t, err, ErrSecondPerson)
	lift, outcome, err = SayLift(lift, Statement{By: "mai", At: 8}, true)
	require.NoError(t, err)
	require.Equal(t, Approved, outcome)
	require.False(t, lift.Holds())
	require.Equal(t, "mai", lift.Lift.ApprovedBy)
	_, outcome, err = SayLift(lift, Statement{By: "mai"}, true)
	require.NoError(t, err)
	require.Equal(t, Unchanged, outcome)
}

// What is only proposed is withdrawn by one person, and can be proposed anew.
func TestWithdraw(t *testing.T) {
	e, _, err := Say(nil, Erasure{ID: "a", Records: []string{"x:1"}}, Statement{By: "an"}, true)
	require.NoError(t, err)
	e, outcome, err := SayLift(e, Statement{By: "an", Reason: "wrong person"}, true)
	require.NoError(t, err)
	require.Equal(t, Lifted, outcome)
	require.Equal(t, "withdrawn", e.State())
	require.False(t, e.Holds())
}
