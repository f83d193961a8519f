package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	person1 = `{"type":"record","name":"P","fields":[{"name":"id","type":"long"}]}`
	// A column more, which may be null.
	person2 = `{"type":"record","name":"P","fields":[{"name":"id","type":"long"},{"name":"name","type":["null","string"],"default":null}]}`
	// A column more, which may not: old events cannot be read with it.
	personBad = `{"type":"record","name":"P","fields":[{"name":"id","type":"long"},{"name":"name","type":"string"}]}`
)

func TestRegisterIsIdempotent(t *testing.T) {
	c, _, _ := start(t, newMemory())
	ctx := testContext(t)
	require.NoError(t, c.Ping(ctx))
	one, err := c.Register(ctx, "a-value", person1)
	require.NoError(t, err)
	require.EqualValues(t, 1, one)
	two, err := c.Register(ctx, "a-value", person2)
	require.NoError(t, err)
	require.EqualValues(t, 2, two)
	// The old one again, written another way.
	again, err := c.Register(ctx, "a-value", "{\n \"name\": \"P\", \"fields\": [ {\"type\": {\"type\": \"long\"}, \"name\": \"id\"} ], \"type\": \"record\"}")
	require.NoError(t, err)
	require.Equal(t, one, again)
	// Under another subject it is the same schema.
	other, err := c.Register(ctx, "b-value", person1)
	require.NoError(t, err)
	require.Equal(t, one, other)
	// Another doc is another schema.
	doc, err := c.Register(ctx, "a-value", `{"type":"record","name":"P","doc":"citizen","fields":[{"name":"id","type":"long"}]}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, doc)
	bare, err := c.Register(ctx, "a-key", `string`)
	require.NoError(t, err)
	quoted, err := c.Register(ctx, "a-key", `{"type":"string"}`)
	require.NoError(t, err)
	require.Equal(t, bare, quoted)
}

func TestIncompatibleSchemaIsRefusedWithReasons(t *testing.T) {
	c, _, web := start(t, newMemory())
	ctx := testContext(t)
	_, err := c.Register(ctx, "a-value", person1)
	require.NoError(t, err)
	_, err = c.Register(ctx, "a-value", personBad)
	var refused *IncompatibleError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "a-value", refused.Subject)
	require.Len(t, refused.Reasons, 1)
	require.Contains(t, refused.Reasons[0], "the new schema cannot read version 1")
	require.Contains(t, refused.Reasons[0], "name")
	require.NotContains(t, err.Error(), "\n")

	// What it says to do does it, as it stands.
	require.Contains(t, err.Error(), `curl -X PUT -H 'Content-Type: application/json' -d '{"compatibility": "NONE"}' `+web.URL+"/config/a-value)")
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, refused.Level, strings.NewReader(`{"compatibility": "NONE"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	_, err = c.Register(ctx, "a-value", personBad)
	require.NoError(t, err)
	require.Equal(t, "https://r:8081/under/config/a", New("https://user:secret@r:8081/under,https://s").level("a"), "no password")
	require.NoError(t, c.SetCompatibility(ctx, "a-value", None))
	_, err = c.Register(ctx, "b-value", person1)
	require.NoError(t, err)
	_, err = c.Register(ctx, "b-value", personBad)
	require.ErrorAs(t, err, &refused, "another subject keeps its level")
	require.NoError(t, c.SetCompatibility(ctx, "", None))
	_, err = c.Register(ctx, "b-value", personBad)
	require.NoError(t, err)
	require.ErrorContains(t, c.SetCompatibility(ctx, "", "SIDEWAYS"), `"SIDEWAYS" is not known`)
}

func TestSchemaIsAskedForOnce(t *testing.T) {
	c, _, web := start(t, newMemory())
	ctx := testContext(t)
	id, err := c.Register(ctx, "a-value", person1)
	require.NoError(t, err)
	_, err = c.Schema(ctx, 99)
	require.ErrorContains(t, err, "schema 99")
	s, err := c.Schema(ctx, id)
	require.NoError(t, err)
	require.JSONEq(t, person1, s)
	web.Close()
	s, err = c.Schema(ctx, id)
	require.NoError(t, err, "it is kept")
	require.JSONEq(t, person1, s)
	require.ErrorContains(t, c.Ping(ctx), "check registry.url")
}

func TestClientNamesARegistryThatIsNotThere(t *testing.T) {
	web := httptest.NewServer(nil)
	web.Close()
	c := New(web.URL)
	_, err := c.Register(testContext(t), "a", person1)
	require.ErrorContains(t, err, web.URL)
	require.NotContains(t, err.Error(), "\n")
	bad := New("ht tp://x")
	require.Error(t, bad.Ping(testContext(t)))
	_, err = bad.Schema(testContext(t), 1)
	require.Error(t, err)
}
