package file

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatus(t *testing.T) {
	tables := []string{"public.household", "public.member"}
	s := statusOf("labour", checkpoint{}, nil, tables, noon)
	require.Equal(t, StateNever, s.State)
	require.False(t, s.Attention())
	require.Len(t, s.Tables, 2)
	require.Nil(t, s.Tables[0].Last)

	c := checkpoint{BeatMillis: noon.UnixMilli(), Stopped: map[string]string{"public.old": "another key"}}
	contents := map[string]taken{
		"public.household/a": {Name: "household_1.csv", Sequence: 1, Counts: counts{Created: 5, Refused: 1}},
		"public.household/b": {Name: "household_1.csv", Sequence: 3, ModifiedMicros: noon.UnixMicro(), SeenMillis: noon.UnixMilli() + 1000, Counts: counts{Created: 1, Same: 5}},
		"public.member/c":    {Name: "member_1.csv", Sequence: 2, Counts: counts{Refused: 2}},
		"public.member/d":    {Name: "member_2.csv", Sequence: 4, Reason: "no heading"},
	}
	s = statusOf("labour", c, contents, tables, noon.Add(time.Minute))
	require.Equal(t, StateWaiting, s.State)
	require.Equal(t, 3, s.Files)
	require.Equal(t, 1, s.Refused)
	require.Empty(t, s.Quarantined, "a table that is no longer configured waits for nobody")
	require.Equal(t, &FileStatus{Name: "household_1.csv", Modified: noon, Taken: noon.Add(time.Second), Rows: Rows{Created: 1, Same: 5}}, s.Tables[0].Last)
	require.Equal(t, "no heading", s.Tables[1].Last.Reason)
	require.True(t, s.Attention(), "the last file of a table was refused")
	delete(contents, "public.member/d")
	require.True(t, statusOf("labour", c, contents, tables, noon).Attention(), "rows of the last file of a table were refused")
	delete(contents, "public.member/c")
	require.False(t, statusOf("labour", c, contents, tables, noon).Attention(), "a later file without refused rows follows those of an earlier one")

	c.Stopped["public.member"] = "its key is changed"
	c.Current = &current{Name: "household_2.csv", Table: "public.household", Line: 7}
	s = statusOf("labour", c, contents, tables, noon)
	require.Equal(t, StateTaking, s.State)
	require.Equal(t, &Progress{File: "household_2.csv", Table: "public.household", Line: 7}, s.Current)
	require.Equal(t, []string{"public.member"}, s.Quarantined)
	require.Equal(t, map[string]string{"public.member": "its key is changed"}, s.Reasons)
	require.True(t, s.Attention())
	require.Equal(t, StateStopped, statusOf("labour", c, contents, tables, noon.Add(10*time.Minute)).State)
}
