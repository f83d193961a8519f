package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

// do sends one request and gives the answer's status and body.
func do(t testing.TB, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, url, strings.NewReader(body))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, []string{contentType, "text/plain; charset=utf-8"}, res.Header.Get("Content-Type"))
	return res.StatusCode, string(b)
}

func schemaBody(t testing.TB, schema string) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"schema": schema})
	require.NoError(t, err)
	return string(b)
}

// The answers are what Confluent's registry gives to the same requests
// (https://docs.confluent.io/platform/current/schema-registry/develop/api.html).
func TestAnswers(t *testing.T) {
	_, _, web := start(t, newMemory())
	one, two, bad := schemaBody(t, person1), schemaBody(t, person2), schemaBody(t, personBad)
	quoted, err := json.Marshal(person1)
	require.NoError(t, err)
	for i, step := range []struct {
		method, path, body string
		status             int
		want               string // JSON, or a part of it when it begins with ~
	}{
		{"GET", "/", "", 200, `{}`},
		{"GET", "/subjects", "", 200, `[]`},
		{"GET", "/schemas/types", "", 200, `["AVRO"]`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"GET", "/subjects/s/versions", "", 404, `{"error_code":40401,"message":"Subject 's' not found."}`},
		{"GET", "/subjects/s/versions/1", "", 404, `~40401`},
		{"POST", "/subjects/s", one, 404, `~40401`},
		{"DELETE", "/subjects/s", "", 404, `~40401`},
		{"GET", "/schemas/ids/1", "", 404, `{"error_code":40403,"message":"Schema not found"}`},
		{"POST", "/compatibility/subjects/s/versions/latest", one, 404, `~40401`},
		{"POST", "/compatibility/subjects/s/versions", one, 200, `{"is_compatible":true}`},

		{"POST", "/subjects/s/versions", one, 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", one, 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", two, 200, `{"id":2}`},
		{"POST", "/subjects/a%2Fb/versions", two, 200, `{"id":2}`},
		{"GET", "/subjects", "", 200, `["a/b","s"]`},
		{"GET", "/subjects?subjectPrefix=s", "", 200, `["s"]`},
		{"GET", "/subjects/s/versions", "", 200, `[1,2]`},
		{"GET", "/subjects/s/versions/1", "", 200, `{"subject":"s","version":1,"id":1,"schema":` + string(quoted) + `}`},
		{"GET", "/subjects/s/versions/latest", "", 200, `~"version":2`},
		{"GET", "/subjects/s/versions/-1", "", 200, `~"version":2`},
		{"GET", "/subjects/s/versions/1/schema", "", 200, person1},
		{"GET", "/subjects/s/versions/1/referencedby", "", 200, `[]`},
		{"GET", "/subjects/s/versions/3", "", 404, `{"error_code":40402,"message":"Version 3 not found."}`},
		{"GET", "/subjects/s/versions/0", "", 422, `~42202`},
		{"GET", "/subjects/s/versions/x", "", 422, `~42202`},
		{"GET", "/schemas/ids/1", "", 200, `{"schema":` + string(quoted) + `}`},
		{"GET", "/schemas/ids/1?fetchMaxId=true", "", 200, `{"schema":` + string(quoted) + `,"maxId":2}`},
		{"GET", "/schemas/ids/1/schema", "", 200, person1},
		{"GET", "/schemas/ids/2/subjects", "", 200, `["a/b","s"]`},
		{"GET", "/schemas/ids/2/versions", "", 200, `[{"subject":"a/b","version":1},{"subject":"s","version":2}]`},
		{"GET", "/schemas/ids/x", "", 422, `~42200`},
		{"GET", "/schemas?latestOnly=true&subjectPrefix=s", "", 200, `~"version":2`},
		{"POST", "/subjects/s", one, 200, `{"subject":"s","version":1,"id":1,"schema":` + string(quoted) + `}`},
		{"POST", "/subjects/s", bad, 404, `~40403`},

		{"POST", "/subjects/s/versions", bad, 409, `~409`},
		{"POST", "/compatibility/subjects/s/versions/1", bad, 200, `{"is_compatible":false}`},
		{"POST", "/compatibility/subjects/s/versions/1?verbose=true", bad, 200, `~cannot read version 1`},
		{"POST", "/compatibility/subjects/s/versions/9", bad, 404, `~40402`},
		{"POST", "/subjects/s/versions", `{"schema":"{\"type\":\"nothing\"}"}`, 422, `~42201`},
		{"POST", "/subjects/s/versions", `{"schema":""}`, 422, `~42201`},
		{"POST", "/subjects/s/versions", `{"schema":"syntax","schemaType":"PROTOBUF"}`, 422, `~42201`},
		{"POST", "/subjects/s/versions", `{"schema":"\"string\"","references":[{"name":"x"}]}`, 422, `~42201`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","id":77,"version":5}`, 422, `~42205`},
		{"POST", "/subjects/s/versions", `nonsense`, 422, `~42200`},

		{"PUT", "/config", `{"compatibility":"sideways"}`, 422, `~42203`},
		{"PUT", "/config", `{"compatibility":"full"}`, 200, `{"compatibility":"FULL"}`},
		{"GET", "/config/s", "", 404, `~40408`},
		{"GET", "/config/s?defaultToGlobal=true", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"PUT", "/config/s", `{"compatibility":"NONE"}`, 200, `{"compatibility":"NONE"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"DELETE", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"DELETE", "/config/s", "", 404, `~40408`},
		{"DELETE", "/config", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},

		{"PUT", "/mode", `{"mode":"sideways"}`, 422, `~42204`},
		{"PUT", "/mode/s", `{"mode":"READONLY"}`, 200, `{"mode":"READONLY"}`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\""}`, 422, `~42205`},
		{"POST", "/subjects/s/versions", one, 200, `{"id":1}`},
		{"DELETE", "/subjects/s/versions/1", "", 422, `~42205`},
		{"GET", "/mode/x", "", 404, `~40409`},
		{"DELETE", "/mode/s", "", 200, `{"mode":"READONLY"}`},
		{"DELETE", "/mode/s", "", 404, `~40409`},

		{"DELETE", "/subjects/s/versions/1?permanent=true", "", 404, `~40407`},
		{"DELETE", "/subjects/s/versions/1", "", 200, `1`},
		{"DELETE", "/subjects/s/versions/1", "", 404, `~40406`},
		{"GET", "/subjects/s/versions", "", 200, `[2]`},
		{"GET", "/subjects/s/versions?deleted=true", "", 200, `[1,2]`},
		{"GET", "/subjects/s/versions/1", "", 404, `~40402`},
		{"GET", "/subjects/s/versions/1?deleted=true", "", 200, `~"version":1`},
		{"GET", "/schemas/ids/1", "", 200, `{"schema":` + string(quoted) + `}`},
		{"POST", "/subjects/s", one, 404, `~40403`},
		{"POST", "/subjects/s/versions", one, 200, `{"id":1}`},
		{"GET", "/subjects/s/versions", "", 200, `[2,3]`},
		{"DELETE", "/subjects/s/versions/1?permanent=true", "", 200, `1`},
		{"GET", "/subjects/s/versions?deleted=true", "", 200, `[2,3]`},
		{"DELETE", "/subjects/s/versions/latest", "", 200, `3`},

		{"DELETE", "/subjects/s?permanent=true", "", 404, `~40405`},
		{"DELETE", "/subjects/s", "", 200, `[2]`},
		{"DELETE", "/subjects/s", "", 404, `~40404`},
		{"GET", "/subjects", "", 200, `["a/b"]`},
		{"GET", "/subjects?deleted=true", "", 200, `["a/b","s"]`},
		{"DELETE", "/subjects/s?permanent=true", "", 200, `[2,3]`},
		{"GET", "/subjects?deleted=true", "", 200, `["a/b"]`},
		{"GET", "/schemas/ids/1", "", 404, `~40403`},
		{"GET", "/schemas/ids/2", "", 200, `~schema`},

		{"GET", "/elsewhere", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
	} {
		status, got := do(t, step.method, web.URL+step.path, step.body)
		at := fmt.Sprintf("step %d: %s %s gave %s", i, step.method, step.path, got)
		require.Equal(t, step.status, status, at)
		if part, ok := strings.CutPrefix(step.want, "~"); ok {
			require.Contains(t, got, part, at)
		} else {
			require.JSONEq(t, step.want, got, at)
		}
	}
}

// Another client library, with its own idea of the API, does all its work.
func TestConfluentClient(t *testing.T) {
	_, _, web := start(t, newMemory())
	ctx := testContext(t)
	cl, err := sr.NewClient(sr.URLs(web.URL))
	require.NoError(t, err)
	ss, err := cl.CreateSchema(ctx, "x.y/z-value", sr.Schema{Schema: person1})
	require.NoError(t, err)
	require.Equal(t, "x.y/z-value", ss.Subject)
	require.Equal(t, 1, ss.Version)
	require.Equal(t, 1, ss.ID)
	_, err = cl.CreateSchema(ctx, "x.y/z-value", sr.Schema{Schema: person2})
	require.NoError(t, err)
	found, err := cl.LookupSchema(ctx, "x.y/z-value", sr.Schema{Schema: person2})
	require.NoError(t, err)
	require.Equal(t, 2, found.Version)
	all, err := cl.Schemas(ctx, "x.y/z-value")
	require.NoError(t, err)
	require.Len(t, all, 2)
	_, err = cl.LookupSchema(ctx, "x.y/z-value", sr.Schema{Schema: personBad})
	var response *sr.ResponseError
	require.ErrorAs(t, err, &response)
	require.Equal(t, sr.ErrSchemaNotFound, response.SchemaError())
	_, err = cl.CreateSchema(ctx, "x.y/z-value", sr.Schema{Schema: personBad})
	require.ErrorAs(t, err, &response)
	require.Equal(t, sr.ErrIncompatibleSchema.Code, response.ErrorCode)
	res, err := cl.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "x.y/z-value", -1, sr.Schema{Schema: personBad})
	require.NoError(t, err)
	require.False(t, res.Is)
	require.NotEmpty(t, res.Messages)
	for _, r := range cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, "x.y/z-value") {
		require.NoError(t, r.Err)
		require.Equal(t, sr.CompatFullTransitive, r.Level)
	}
	for _, r := range cl.Compatibility(ctx, "", "x.y/z-value") {
		require.NoError(t, r.Err)
	}
	for _, r := range cl.ResetCompatibility(ctx, "x.y/z-value") {
		require.NoError(t, r.Err)
	}
	for _, r := range cl.SetMode(ctx, sr.ModeReadOnly, "x.y/z-value") {
		require.NoError(t, r.Err)
	}
	for _, r := range cl.Mode(ctx, "", "x.y/z-value") {
		require.NoError(t, r.Err)
	}
	for _, r := range cl.ResetMode(ctx, "x.y/z-value") {
		require.NoError(t, r.Err)
	}
	versions, err := cl.SchemaVersionsByID(ctx, 2)
	require.NoError(t, err)
	require.Equal(t, []sr.SubjectVersion{{Subject: "x.y/z-value", Version: 2}}, versions)
	types, err := cl.SupportedTypes(ctx)
	require.NoError(t, err)
	require.Equal(t, []sr.SchemaType{sr.TypeAvro}, types)
	require.NoError(t, cl.DeleteSchema(ctx, "x.y/z-value", 1, sr.SoftDelete))
	gone, err := cl.DeleteSubject(ctx, "x.y/z-value", sr.SoftDelete)
	require.NoError(t, err)
	require.Equal(t, []int{2}, gone)
	_, err = cl.DeleteSubject(ctx, "x.y/z-value", sr.HardDelete)
	require.NoError(t, err)
	subjects, err := cl.Subjects(ctx)
	require.NoError(t, err)
	require.Empty(t, subjects)
}

// Ids, versions, levels and deletions are as they were after a restart; the
// largest id is not given again though its schema is deleted for good.
func TestRestartKeepsAll(t *testing.T) {
	m := newMemory()
	c, _, web := start(t, m)
	ctx := testContext(t)
	for _, s := range []string{person1, person2} {
		_, err := c.Register(ctx, "a", s)
		require.NoError(t, err)
	}
	require.NoError(t, c.SetCompatibility(ctx, "a", Full))
	_, err := c.Register(ctx, "b", `"long"`)
	require.NoError(t, err)
	for _, path := range []string{"/subjects/b", "/subjects/b?permanent=true", "/subjects/a/versions/1"} {
		status, body := do(t, "DELETE", web.URL+path, "")
		require.Equal(t, 200, status, body)
	}
	before := map[string]string{}
	paths := []string{"/subjects?deleted=true", "/subjects/a/versions?deleted=true", "/schemas?deleted=true", "/config/a", "/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/3"}
	for _, p := range paths {
		_, before[p] = do(t, "GET", web.URL+p, "")
	}
	require.Contains(t, before["/schemas/ids/3"], "40403")

	again, _, web := start(t, m)
	for _, p := range paths {
		_, got := do(t, "GET", web.URL+p, "")
		require.Equal(t, before[p], got, p)
	}
	id, err := again.Register(ctx, "c", `"double"`)
	require.NoError(t, err)
	require.EqualValues(t, 4, id, "events may still bear the id 3")
}

// Two servers on one log: the older one is refused writes, and still answers
// reads with what the younger one writes.
func TestOlderServerAnswersReadsOnly(t *testing.T) {
	m := newMemory()
	old, _, oldWeb := start(t, m)
	ctx := testContext(t)
	_, err := old.Register(ctx, "a", person1)
	require.NoError(t, err)
	young, _, youngWeb := start(t, m)

	status, body := do(t, "POST", oldWeb.URL+"/subjects/a/versions", schemaBody(t, person2))
	require.Equal(t, 503, status, body)
	require.Contains(t, body, "taken over")
	id, err := young.Register(ctx, "a", person2)
	require.NoError(t, err)
	require.EqualValues(t, 2, id)
	status, body = do(t, "PUT", oldWeb.URL+"/config", `{"compatibility":"NONE"}`)
	require.Equal(t, 503, status, body)
	// What needs no write is answered, as soon as it has been read.
	require.Eventually(t, func() bool {
		id, err := old.Register(ctx, "a", person2)
		return err == nil && id == 2
	}, time.Minute, 5*time.Millisecond)
	_, a := do(t, "GET", oldWeb.URL+"/schemas", "")
	_, b := do(t, "GET", youngWeb.URL+"/schemas", "")
	require.Equal(t, b, a)
}

// A write that is lost, and one that came through though its answer did not:
// the server takes the log anew and goes on by what is there.
func TestUncertainWrites(t *testing.T) {
	c, h, web := start(t, newMemory())
	ctx := testContext(t)
	h.lose = fmt.Errorf("%w: the broker went away", ErrUncertain)
	status, body := do(t, "POST", web.URL+"/subjects/a/versions", schemaBody(t, person1))
	require.Equal(t, 503, status, body)
	id, err := c.Register(ctx, "a", person1)
	require.NoError(t, err)
	require.EqualValues(t, 1, id)

	h.after = fmt.Errorf("%w: the broker went away", ErrUncertain)
	status, body = do(t, "POST", web.URL+"/subjects/a/versions", schemaBody(t, person2))
	require.Equal(t, 503, status, body)
	id, err = c.Register(ctx, "a", person2)
	require.NoError(t, err)
	require.EqualValues(t, 2, id, "it was there already")
	require.Len(t, h.entries, 2)

	h.lose = errors.New("refused")
	_, err = c.Register(ctx, "b", person2)
	require.ErrorContains(t, err, "refused")
	_, err = c.Register(ctx, "b", person2)
	require.NoError(t, err)
}

// P3: an entry that cannot be read is not passed over in silence: the server
// says so and writes no more.
func TestDamagedLogRefusesWrites(t *testing.T) {
	m := newMemory()
	m.entries = []Entry{{Key: []byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`), Value: []byte(`{"subject":`)}}
	h := &handle{memory: m}
	s, err := serve(testContext(t), h, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	require.ErrorContains(t, s.Ready(), "offset 0 cannot be read")
	_, _, web := start(t, m)
	status, body := do(t, "POST", web.URL+"/subjects/a/versions", schemaBody(t, person1))
	require.Equal(t, 500, status, body)
	require.Contains(t, body, "50001")
}

// Many clients register at once: ids and versions have no hole and no double.
func TestConcurrentRegistrations(t *testing.T) {
	c, _, web := start(t, newMemory())
	ctx := testContext(t)
	const n = 40
	ids := make([]uint32, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ids[i], errs[i] = c.Register(ctx, fmt.Sprintf("s%d", i%4), fmt.Sprintf(`{"type":"enum","name":"e%d","symbols":["A"]}`, i/2))
		})
	}
	require.NoError(t, c.SetCompatibility(ctx, "", None))
	wg.Wait()
	byID := map[uint32]int{}
	for i := range n {
		if errs[i] != nil { // before the level was set
			var refused *IncompatibleError
			require.ErrorAs(t, errs[i], &refused)
			ids[i], errs[i] = c.Register(ctx, fmt.Sprintf("s%d", i%4), fmt.Sprintf(`{"type":"enum","name":"e%d","symbols":["A"]}`, i/2))
			require.NoError(t, errs[i])
		}
		if j, ok := byID[ids[i]]; ok {
			require.Equal(t, j, i/2, "one id for one schema")
		}
		byID[ids[i]] = i / 2
	}
	require.Len(t, byID, n/2)
	for s := range 4 {
		_, body := do(t, "GET", fmt.Sprintf("%s/subjects/s%d/versions", web.URL, s), "")
		require.Equal(t, "[1,2,3,4,5,6,7,8,9,10]", body)
	}
}

// Whatever is posted, the server answers with Confluent's error or an id.
func FuzzRegister(f *testing.F) {
	for _, s := range []string{person1, person2, personBad, `"int"`, `[]`, `{"type":"fixed","name":"f","size":-1}`, `{"type":"enum","name":"e","symbols":["A","A"]}`,
		`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"],"default":null}]}`, `{"type":"bytes","logicalType":"decimal","precision":-3}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, schema string) {
		parsed, err := parse(schema)
		if err != nil {
			return
		}
		if form, err := normal(schema); err == nil {
			again, err := normal(form)
			require.NoError(t, err)
			require.Equal(t, form, again, "a normal form is its own")
		}
		_, err = incompatible(FullTransitive, parsed, &version{Schema: schema})
		require.NoError(t, err)
	})
}
