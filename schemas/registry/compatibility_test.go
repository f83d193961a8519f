package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rec is a record with the given fields.
func rec(fields ...string) string {
	return `{"type":"record","name":"R","namespace":"n","fields":[` + strings.Join(fields, ",") + `]}`
}

const (
	fieldID       = `{"name":"id","type":"long"}`
	fieldName     = `{"name":"name","type":["null","string"],"default":null}`
	fieldRequired = `{"name":"name","type":"string"}`
)

// A table's schema changes as columns come and go. One row a change: whether
// BACKWARD and FORWARD allow it.
func TestSchemaEvolution(t *testing.T) {
	for name, tt := range map[string]struct {
		old, new          string
		backward, forward bool
	}{
		"the same":                 {rec(fieldID), rec(fieldID), true, true},
		"a nullable column more":   {rec(fieldID), rec(fieldID, fieldName), true, true},
		"a nullable column less":   {rec(fieldID, fieldName), rec(fieldID), true, true},
		"a required column more":   {rec(fieldID), rec(fieldID, fieldRequired), false, true},
		"a required column less":   {rec(fieldID, fieldRequired), rec(fieldID), true, false},
		"becomes nullable":         {rec(fieldRequired), rec(fieldName), true, false},
		"no longer nullable":       {rec(fieldName), rec(fieldRequired), false, true},
		"int to long":              {rec(`{"name":"id","type":"int"}`), rec(fieldID), true, false},
		"long to int":              {rec(fieldID), rec(`{"name":"id","type":"int"}`), false, true},
		"long to string":           {rec(fieldID), rec(`{"name":"id","type":"string"}`), false, false},
		"columns in other order":   {rec(fieldID, fieldName), rec(fieldName, fieldID), true, true},
		"another doc":              {rec(fieldID), rec(`{"name":"id","type":"long","doc":"d"}`), true, true},
		"default comes":            {rec(`{"name":"a","type":"int"}`), rec(`{"name":"a","type":"int","default":1}`), true, true},
		"nested, nullable more":    {rec(`{"name":"v","type":["null",` + inner(fieldID) + `],"default":null}`), rec(`{"name":"v","type":["null",` + inner(fieldID, fieldName) + `],"default":null}`), true, true},
		"nested, required more":    {rec(`{"name":"v","type":["null",` + inner(fieldID) + `],"default":null}`), rec(`{"name":"v","type":["null",` + inner(fieldID, fieldRequired) + `],"default":null}`), false, true},
		"elements become nullable": {rec(`{"name":"v","type":{"type":"array","items":"int"}}`), rec(`{"name":"v","type":{"type":"array","items":["null","int"]}}`), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			schema, err := parse(tt.new)
			require.NoError(t, err)
			for level, want := range map[Level]bool{
				Backward: tt.backward, BackwardTransitive: tt.backward,
				Forward: tt.forward, ForwardTransitive: tt.forward,
				Full: tt.backward && tt.forward, FullTransitive: tt.backward && tt.forward, None: true,
			} {
				reasons, err := incompatible(level, schema, &version{Subject: "s", Version: 1, Schema: tt.old})
				require.NoError(t, err)
				require.Equal(t, want, len(reasons) == 0, "%s: %v", level, reasons)
			}
		})
	}
}

func inner(fields ...string) string {
	return `{"type":"record","name":"Inner","fields":[` + strings.Join(fields, ",") + `]}`
}

// Transitive levels look at every version, the others at the last.
func TestTransitiveLevels(t *testing.T) {
	first := rec(fieldID, `{"name":"a","type":"string"}`)
	second := rec(fieldID)
	third := rec(fieldID, `{"name":"a","type":["null","long"],"default":null}`)
	for level, refused := range map[Level]bool{Backward: false, BackwardTransitive: true, Full: false, FullTransitive: true, None: false} {
		c, _, _ := start(t, newMemory())
		ctx := testContext(t)
		require.NoError(t, c.SetCompatibility(ctx, "s", None))
		for _, s := range []string{first, second} {
			_, err := c.Register(ctx, "s", s)
			require.NoError(t, err)
		}
		require.NoError(t, c.SetCompatibility(ctx, "s", level))
		_, err := c.Register(ctx, "s", third)
		if !refused {
			require.NoError(t, err, level)
			continue
		}
		var incompatible *IncompatibleError
		require.ErrorAs(t, err, &incompatible, level)
	}
}

func TestNormalForm(t *testing.T) {
	same := []string{
		`{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":null}]}`,
		"\n{ \"fields\" : [ { \"default\":null, \"type\":[{\"type\":\"null\"},{\"type\":{\"type\":\"int\"}}],\"name\":\"a\"} ], \"name\":\"R\",\"type\":\"record\" }",
	}
	a, err := normal(same[0])
	require.NoError(t, err)
	b, err := normal(same[1])
	require.NoError(t, err)
	require.Equal(t, a, b)
	for _, other := range []string{
		`{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"]}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":["int","null"],"default":null}]}`,
		`{"type":"record","name":"R","doc":"","fields":[{"name":"a","type":["null","int"],"default":null}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":["null",{"type":"int","connect.name":"d"}],"default":null}]}`,
	} {
		n, err := normal(other)
		require.NoError(t, err)
		require.NotEqual(t, a, n, other)
	}
	d1, err := normal(`{"type":"map","values":{"type":"string"},"default":{"type":"x"}}`)
	require.NoError(t, err)
	require.Equal(t, `{"default":{"type":"x"},"type":"map","values":"string"}`, d1, "a default is no schema")
	for _, bad := range []string{``, `{`, `"a" "b"`} {
		_, err := normal(bad)
		require.Error(t, err, bad)
	}
}
