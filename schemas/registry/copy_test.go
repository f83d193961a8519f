package registry

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

// A registry that was lost is given again what it had, under the same ids and
// versions; a restore that was cut off is done again.
func TestRestoreGivesTheSameIDs(t *testing.T) {
	old, _, _ := start(t, newMemory())
	ctx := testContext(t)
	for _, r := range []struct{ subject, schema string }{
		{"a-value", person1}, {"b-value", `"string"`}, {"a-value", person2}, {"c-value", person1}, {"d-value", `"long"`},
	} {
		_, err := old.Register(ctx, r.subject, r.schema)
		require.NoError(t, err)
	}
	require.NoError(t, old.SetCompatibility(ctx, "a-value", "NONE"))
	require.NoError(t, old.sr.DeleteSchema(ctx, "d-value", 1, sr.SoftDelete))
	saved, err := old.Copy(ctx)
	require.NoError(t, err)
	require.Len(t, saved.Schemas, 5)
	require.Equal(t, map[string]string{"a-value": "NONE"}, saved.Levels)
	require.True(t, saved.Schemas[4].Deleted)

	lost, _, _ := start(t, newMemory())
	// Cut off in the middle: a part is there, and the mode.
	require.NoError(t, lost.mode(ctx, sr.ModeImport))
	_, err = lost.sr.RegisterSchema(ctx, "d-value", sr.Schema{Schema: `"long"`}, saved.Schemas[4].ID, 1)
	require.NoError(t, err)
	_, err = lost.Register(ctx, "z-value", `"double"`)
	require.ErrorContains(t, err, "import mode")
	n, err := lost.Restore(ctx, saved)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	have, err := lost.Copy(ctx)
	require.NoError(t, err)
	require.Equal(t, saved, have)
	n, err = lost.Restore(ctx, saved)
	require.NoError(t, err)
	require.Zero(t, n)

	// What is new gets an id that no event bears.
	id, err := lost.Register(ctx, "e-value", `"double"`)
	require.NoError(t, err)
	require.EqualValues(t, saved.Schemas[4].ID+1, id)
	_, err = lost.sr.RegisterSchema(ctx, "e-value", sr.Schema{Schema: `"int"`}, 77, 2)
	require.ErrorContains(t, err, "import mode")

	// A registry that was begun anew has given the ids to others.
	begun, _, _ := start(t, newMemory())
	_, err = begun.Register(ctx, "q-value", `"float"`)
	require.NoError(t, err)
	_, err = begun.Restore(ctx, saved)
	var conflict *ConflictError
	require.ErrorAs(t, err, &conflict)
	have, err = begun.Copy(ctx)
	require.NoError(t, err)
	require.Len(t, have.Schemas, 1, "nothing is changed then")
	require.ErrorContains(t, begun.mode(ctx, sr.ModeImport), "existing subjects")
}
