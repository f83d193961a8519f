package erasure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// P12: an event of many people has no word of the erased ones left, and the rest
// is what it would have been without them.
func TestP12EventWithoutTheErased(t *testing.T) {
	erased := func(r string) bool { return r == "e" || r == "f" }
	for name, c := range map[string]struct {
		event, want LogEvent
		changed     bool
		stays       bool
	}{
		"nobody's": {
			event: LogEvent{"merge", `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b"]}]`, `[{"person_id":"a","records":["a","b"]}]`, `[]`},
			stays: true,
		},
		"theirs alone": {
			event:   LogEvent{"merge", `[{"person_id":"e","records":["e"]},{"person_id":"f","records":["f"]}]`, `[{"person_id":"e","records":["e","f"]}]`, `["f"]`},
			changed: true,
		},
		"theirs with one other": {
			event:   LogEvent{"split", `[{"person_id":"a","records":["a","e"]}]`, `[{"person_id":"a","records":["a"]},{"person_id":"e","records":["e","new"]}]`, `[]`},
			changed: true,
		},
		"a merge of three, of whom two stay": {
			event:   LogEvent{"merge", `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b"]},{"person_id":"e","records":["e"]}]`, `[{"person_id":"a","records":["a","b","e"]}]`, `["b","e"]`},
			want:    LogEvent{"merge", `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b"]}]`, `[{"person_id":"a","records":["a","b"]}]`, `["b"]`},
			changed: true, stays: true,
		},
		"a move that was a split to the others": {
			event:   LogEvent{"move", `[{"person_id":"e","records":["e"]},{"person_id":"a","records":["a","b"]}]`, `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b","e"]}]`, `["e"]`},
			want:    LogEvent{"split", `[{"person_id":"a","records":["a","b"]}]`, `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b"]}]`, `[]`},
			changed: true, stays: true,
		},
		"only its cause": {
			event:   LogEvent{"merge", `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b"]}]`, `[{"person_id":"a","records":["a","b"]}]`, `["e"]`},
			want:    LogEvent{"merge", `[{"person_id":"a","records":["a"]},{"person_id":"b","records":["b"]}]`, `[{"person_id":"a","records":["a","b"]}]`, `[]`},
			changed: true, stays: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if !c.changed {
				c.want = c.event
			}
			left, changed, stays, err := c.event.Without(erased)
			require.NoError(t, err)
			require.Equal(t, c.want, left)
			require.Equal(t, []bool{c.changed, c.stays}, []bool{changed, stays})
		})
	}
	_, _, _, err := LogEvent{"merge", "x", "[]", "[]"}.Without(erased)
	require.ErrorContains(t, err, "cannot be told")
}
