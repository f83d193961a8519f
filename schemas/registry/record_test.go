package registry

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The records are Confluent's, byte for byte: a compacted topic compares keys
// as bytes, so that their members' order counts.
func TestRecordsAreConfluents(t *testing.T) {
	m := newMemory()
	c, _, web := start(t, m)
	ctx := testContext(t)
	_, err := c.Register(ctx, "a-value", `"long"`)
	require.NoError(t, err)
	require.NoError(t, c.SetCompatibility(ctx, "", Full))
	require.NoError(t, c.SetCompatibility(ctx, "a-value", None))
	for _, r := range [][3]string{
		{"PUT", "/mode/a-value", `{"mode":"READWRITE"}`},
		{"DELETE", "/config/a-value", ""},
		{"DELETE", "/subjects/a-value/versions/1", ""},
		{"POST", "/subjects/a-value/versions", schemaBody(t, `"long"`)},
		{"DELETE", "/subjects/a-value", ""},
		{"DELETE", "/subjects/a-value/versions/1?permanent=true", ""},
	} {
		status, body := do(t, r[0], web.URL+r[1], r[2])
		require.Equal(t, 200, status, body)
	}
	var got [][2]string
	for _, e := range m.entries {
		got = append(got, [2]string{string(e.Key), string(e.Value)})
	}
	require.Equal(t, [][2]string{
		{`{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}`, `{"subject":"a-value","version":1,"id":1,"schema":"\"long\"","deleted":false}`},
		{`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"FULL"}`},
		{`{"keytype":"CONFIG","subject":"a-value","magic":0}`, `{"compatibilityLevel":"NONE"}`},
		{`{"keytype":"MODE","subject":"a-value","magic":0}`, `{"mode":"READWRITE"}`},
		{`{"keytype":"CONFIG","subject":"a-value","magic":0}`, ``},
		{`{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}`, `{"subject":"a-value","version":1,"id":1,"schema":"\"long\"","deleted":true}`},
		{`{"keytype":"SCHEMA","subject":"a-value","version":2,"magic":1}`, `{"subject":"a-value","version":2,"id":1,"schema":"\"long\"","deleted":false}`},
		{`{"keytype":"DELETE_SUBJECT","subject":"a-value","magic":0}`, `{"subject":"a-value","version":2}`},
		{`{"keytype":"NOOP","magic":0}`, `{"maxId":1}`},
		{`{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}`, ``},
	}, got)
}

// What a Confluent registry of another version leaves behind is read: fields
// and kinds that we do not know, other types of schema.
func TestRecordsOfAnotherRegistry(t *testing.T) {
	m := newMemory()
	for _, e := range [][2]string{
		{`{"keytype":"NOOP","magic":0}`, ``},
		{`{"keytype":"CONTEXT","tenant":"default","context":".","magic":0}`, `{"tenant":"default","context":"."}`},
		{`{"magic":1,"keytype":"SCHEMA","subject":"a","version":3}`, `{"subject":"a","version":3,"id":41,"md5":"x","schema":"\"long\"","deleted":false,"ts":1}`},
		{`{"keytype":"SCHEMA","subject":"p","version":1,"magic":1}`, `{"subject":"p","version":1,"id":42,"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";","deleted":false}`},
		{`{"keytype":"CLEAR_SUBJECT","subject":"x","magic":0}`, `{"subject":"x"}`},
	} {
		entry := Entry{Key: []byte(e[0])}
		if e[1] != "" {
			entry.Value = []byte(e[1])
		}
		m.entries = append(m.entries, entry)
	}
	c, _, web := start(t, m)
	ctx := testContext(t)
	id, err := c.Register(ctx, "a", `"long"`)
	require.NoError(t, err)
	require.EqualValues(t, 41, id)
	_, body := do(t, "GET", web.URL+"/subjects/p/versions/1", "")
	require.Contains(t, body, `"schemaType":"PROTOBUF"`)
	id, err = c.Register(ctx, "b", `"int"`)
	require.NoError(t, err)
	require.EqualValues(t, 43, id)
	status, body := do(t, "POST", web.URL+"/subjects/p/versions", schemaBody(t, `"int"`))
	require.Equal(t, 500, status, body)
	require.Contains(t, body, "version 1 of p is not an Avro schema")
}
