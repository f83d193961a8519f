package pgoutput

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is written is read as the same change.
func TestAppend(t *testing.T) {
	for _, m := range []Message{
		&Insert{Relation: 5, New: row("1", nil, "", unchanged)},
		&Insert{Relation: 5, New: row()},
		&Update{Relation: 5, New: row("1", unchanged)},
		&Update{Relation: 5, OldKind: OldKey, Old: row("1", nil), New: row("2", unchanged)},
		&Update{Relation: 5, OldKind: OldFull, Old: row("1", "x"), New: row("2", "x")},
		&Delete{Relation: 5, OldKind: OldKey, Old: row("1", nil)},
		&Delete{Relation: 5, OldKind: OldFull, Old: row("1", "x")},
	} {
		var d Decoder
		got, err := d.Decode(Append([]byte("before")[:0], m))
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
	require.Empty(t, Append(nil, &Truncate{Relations: []uint32{5}}))
}
