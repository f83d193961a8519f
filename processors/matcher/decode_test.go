package matcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// schemaServer is as much of a registry as a decoder asks for: schemas by id.
func schemaServer(t testing.TB, schemas ...string) *registry.Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/schemas/ids/"))
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if err != nil || id < 1 || id > len(schemas) {
			w.WriteHeader(http.StatusNotFound)
			_, err = fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
		} else {
			err = json.NewEncoder(w).Encode(map[string]string{"schema": schemas[id-1]})
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return registry.New(server.URL)
}

func plain(name string, nullable bool, typ any) avro.Field {
	return avro.Field{Name: name, Type: typ, Nullable: nullable, Append: func(dst, text []byte) ([]byte, error) {
		if typ == "string" {
			return avro.AppendBytes(dst, text), nil
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		return avro.AppendLong(dst, n), err
	}}
}

var (
	aDate      = map[string]any{"type": "int", "connect.name": "io.debezium.time.Date"}
	aTimestamp = map[string]any{"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}
	aToken     = map[string]any{"type": "string", "connect.name": "hopluu.token"}
)

// fixture is a lane with an encoder of its messages; the first field is the key.
type fixture struct {
	lane    *lane
	encoder *avro.Encoder
	decoder *decoder
}

func newFixture(t testing.TB, matches map[string]string, fields ...avro.Field) *fixture {
	for i := range fields {
		fields[i].Column = i
		if m, ok := fields[i].Type.(map[string]any); ok && m["connect.name"] == "hopluu.token" {
			fields[i].Append = func(dst, text []byte) ([]byte, error) { return avro.AppendBytes(dst, "t1_"+string(text[:1])), nil }
		}
	}
	encoder, err := avro.Compile(avro.Table{Source: "vault.health", Database: "health", Schema: "public", Name: "patient", Fields: fields, Key: []int{0}})
	require.NoError(t, err)
	return &fixture{
		lane:    &lane{topic: "vault.health.public.patient", schema: "public", matches: matches, origin: &identity.Origin{Source: "health", Sector: "health", Table: "patient"}},
		encoder: encoder,
		decoder: newDecoder(schemaServer(t, encoder.KeySchema(), encoder.ValueSchema(), `{"type":"string"}`), nil),
	}
}

func cells(texts ...string) event.Row {
	row := make(event.Row, len(texts))
	for i, text := range texts {
		switch text {
		case "":
		case "unchanged":
			row[i].State = event.Unchanged
		default:
			row[i] = event.Value{State: event.Present, Text: []byte(text)}
		}
	}
	return row
}

func (f *fixture) message(t testing.TB, ev *event.Event) *topic.Record {
	row := ev.After
	if row == nil {
		row = ev.Before
	}
	rec := &topic.Record{Partition: topic.Partition{Topic: f.lane.topic}}
	var err error
	rec.Value, err = f.encoder.AppendValue(nil, 2, ev)
	require.NoError(t, err)
	if row != nil {
		rec.Key, err = f.encoder.AppendKey(nil, 1, row)
		require.NoError(t, err)
	}
	return rec
}

var everyMatch = map[string]string{"cccd": sectors.CCCD, "cmnd": sectors.CMND, "insurance_no": sectors.Insurance, "tax": sectors.TaxCode, "phone": sectors.Phone,
	"full_name": sectors.FullName, "sex": sectors.Sex, "ward": sectors.Ward, "birth": sectors.BirthDate, "died": sectors.DiedOn, "address": sectors.Address}

func TestDecode(t *testing.T) {
	f := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("cccd", true, "string"), plain("cmnd", true, "long"), plain("insurance_no", true, "string"),
		plain("tax", true, "string"), plain("phone", true, "string"), plain("full_name", true, "string"), plain("sex", true, "string"), plain("ward", true, "string"),
		plain("birth", true, aDate), plain("died", true, aTimestamp), plain("address", true, "string"), plain("other", true, "string"))
	position := event.Position{Epoch: 3, LSN: 99, Ordinal: 4}
	var msg message
	row := cells("7", "079085001234", "24517348", "7912345670", "8301442989", "0903123457", "Nguyễn Văn An", "male", "26734", "5557", "-1", "7 Pasteur", "unchanged")
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Update, After: row, Position: position, CommitMicros: 1234}), &msg))
	require.Equal(t, event.Update, msg.op)
	require.Equal(t, int64(1234), msg.micros)
	raw, r := &msg.raw, identity.Numbers(&msg.raw)
	require.Equal(t, "health.patient:7", string(raw.ID))
	require.Equal(t, position, raw.Position)
	require.Equal(t, f.lane.origin, raw.Origin)
	require.Equal(t, [5]uint64{79085001234, 24517348, 7912345670, 8301442989, 903123457},
		[5]uint64{uint64(r.CCCD), uint64(r.CMND), uint64(r.Insurance), uint64(r.TaxCode), uint64(r.Phone)})
	require.Equal(t, "Nguyễn Văn An", string(raw.FullName))
	require.Equal(t, identity.Male, raw.Sex)
	require.Equal(t, "26734", string(raw.Ward))
	require.Equal(t, "7 Pasteur", string(raw.Address))
	require.Equal(t, identity.NewDate(1985, 3, 20), raw.Birth)
	require.Equal(t, identity.NewDate(1969, 12, 31), raw.Died)

	// A row of nulls has nothing of the row before it.
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Create, After: cells("8", "", "", "", "", "", "", "", "", "", "", "", "")}), &msg))
	r = identity.Numbers(&msg.raw)
	require.Equal(t, "health.patient:8", string(raw.ID))
	require.Zero(t, uint64(r.CCCD+r.CMND+r.Insurance+r.TaxCode+r.Phone))
	require.Zero(t, raw.Birth+raw.Died)
	require.Empty(t, string(raw.FullName)+string(raw.Ward)+string(raw.Address))

	rec := f.message(t, &event.Event{Op: event.Delete, Before: cells("7", "", "", "", "", "", "", "", "", "", "", "", ""), BeforeKeyOnly: true, Position: position})
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, rec, &msg))
	require.Equal(t, event.Delete, msg.op)
	require.Equal(t, position, msg.position)
	require.Equal(t, "health.patient:7", string(msg.raw.ID))
	rec.Value = nil
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, rec, &msg))
	require.True(t, msg.tombstone)
	require.Equal(t, "health.patient:7", string(msg.raw.ID))

	require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Truncate, Position: position}), &msg))
	require.Equal(t, event.Truncate, msg.op, "whatever its key")
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Marker, Position: position}), &msg))
	require.Equal(t, event.Marker, msg.op)
	require.Equal(t, position, msg.position)
	require.Nil(t, msg.within)
}

// A marker of a range finds its records by their names; one that the key cannot
// have is a dead letter (P3).
func TestMarkerOfARange(t *testing.T) {
	f := newFixture(t, nil, plain("patient_id", false, "long"), plain("ward", true, "string"))
	from, bad := "7", "seven"
	mark := func(r event.Range) (msg message, err error) {
		return msg, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Marker, Range: &r}), &msg)
	}
	msg, err := mark(event.Range{Column: "patient_id", From: &from})
	require.NoError(t, err)
	require.Equal(t, `"patient_id" from "7"`, msg.part)
	require.True(t, msg.within.Has("health.patient:10"))
	require.False(t, msg.within.Has("health.patient:6"))
	for _, r := range []event.Range{{Column: "patient_id", From: &bad}, {Column: "ward", From: &from}} {
		_, err := mark(r)
		var undecodable *undecodableError
		require.ErrorAs(t, err, &undecodable)
	}
}

// TestIdentifierInTheKey: the key is the public topic's, with the token, and the
// plaintext stands beside it (P11).
func TestIdentifierInTheKey(t *testing.T) {
	f := newFixture(t, map[string]string{"cccd": sectors.CCCD}, plain("cccd", false, aToken), plain("cccd_plain", true, "string"))
	var msg message
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Create, After: cells("079085001234", "079085001234")}), &msg))
	r := identity.Numbers(&msg.raw)
	require.Equal(t, "health.patient:t1_0", string(msg.raw.ID))
	require.Equal(t, uint64(79085001234), uint64(r.CCCD))
}

// TestUndecodable is P3: each is refused with its reason, and with no value of
// the row in it (P11).
func TestUndecodable(t *testing.T) {
	f := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("full_name", true, "string"), plain("cccd", true, "string"))
	good := func() *topic.Record {
		return f.message(t, &event.Event{Op: event.Create, After: cells("7", "Nguyễn Văn An", "079085001234")})
	}
	for name, c := range map[string]struct {
		spoil func(*topic.Record)
		want  string
	}{
		"no key":              {func(r *topic.Record) { r.Key = nil }, "no key"},
		"key not wire":        {func(r *topic.Record) { r.Key = []byte("7") }, "key: "},
		"value not wire":      {func(r *topic.Record) { r.Value = []byte("{}") }, "value: "},
		"unknown schema":      {func(r *topic.Record) { r.Value[4] = 77 }, "schema 77"},
		"unknown key schema":  {func(r *topic.Record) { r.Key[4] = 77 }, "key schema 77"},
		"key schema no key":   {func(r *topic.Record) { r.Key[4] = 3 }, "not a record"},
		"no envelope":         {func(r *topic.Record) { r.Value[4] = 3 }, "not a record"},
		"key as the envelope": {func(r *topic.Record) { r.Value[4] = 1 }, "no change envelope"},
		"cut short":           {func(r *topic.Record) { r.Value = r.Value[:len(r.Value)-3] }, "value: "},
		"key cut short":       {func(r *topic.Record) { r.Key = r.Key[:5] }, "key: "},
	} {
		rec := good()
		c.spoil(rec)
		var msg message
		for range 2 { // the second time from what was compiled
			err := f.decoder.decode(t.Context(), f.lane, rec, &msg)
			var bad *undecodableError
			require.ErrorAs(t, err, &bad, name)
			require.ErrorContains(t, err, c.want, name)
			require.NotContains(t, err.Error(), "Nguy", name)
			require.NotContains(t, err.Error(), "79085001234", name)
		}
	}
	var msg message
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, good(), &msg))
}

// TestUnchangedIsNotMissing is P4: an update without the name cannot be judged.
func TestUnchangedIsNotMissing(t *testing.T) {
	f := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("full_name", true, "string"))
	var msg message
	err := f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Update, After: cells("7", "unchanged")}), &msg)
	var bad *undecodableError
	require.ErrorAs(t, err, &bad)
	require.ErrorContains(t, err, "full_name")
}

func TestColumnThatIsNoDate(t *testing.T) {
	f := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("birth", true, "double"))
	var msg message
	err := f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Create, After: cells("7", "")}), &msg)
	var bad *undecodableError
	require.ErrorAs(t, err, &bad)
	require.ErrorContains(t, err, "column birth is matched as a date")
}

func TestDatesOfColumns(t *testing.T) {
	for _, c := range []struct {
		typ  avro.Type
		cell avro.Cell
		want identity.Date
	}{
		{avro.Type{Kind: avro.Int, Logical: "date"}, avro.Cell{N: 0}, identity.NewDate(1970, 1, 1)},
		{avro.Type{Kind: avro.Int, Logical: "io.debezium.time.Date"}, avro.Cell{Null: true}, 0},
		{avro.Type{Kind: avro.Long, Logical: "io.debezium.time.MicroTimestamp"}, avro.Cell{N: 86_400_000_000}, identity.NewDate(1970, 1, 2)},
		{avro.Type{Kind: avro.Long, Logical: "io.debezium.time.MicroTimestamp"}, avro.Cell{Null: true}, 0},
		{avro.Type{Kind: avro.String}, avro.Cell{B: []byte("20/03/1985")}, identity.NewDate(1985, 3, 20)},
		// A timestamptz is an instant: the day is the city's, not that of UTC.
		{avro.Type{Kind: avro.String, Logical: "io.debezium.time.ZonedTimestamp"}, avro.Cell{B: []byte("2025-06-30T17:00:00Z")}, identity.NewDate(2025, 7, 1)},
		{avro.Type{Kind: avro.String, Logical: "io.debezium.time.ZonedTimestamp"}, avro.Cell{B: []byte("2025-06-30T16:59:59.999999Z")}, identity.NewDate(2025, 6, 30)},
		{avro.Type{Kind: avro.String, Logical: "io.debezium.time.ZonedTimestamp"}, avro.Cell{B: []byte("1985-03-19T17:00:00Z")}, identity.NewDate(1985, 3, 20)},
		{avro.Type{Kind: avro.String, Logical: "io.debezium.time.ZonedTimestamp"}, avro.Cell{Null: true}, 0},
		{avro.Type{Kind: avro.Int}, avro.Cell{N: 1985}, identity.NewDate(1985, 0, 0)},
		{avro.Type{Kind: avro.Long}, avro.Cell{N: 123456}, 0},
	} {
		got, ok := dateOf(&c.typ, &c.cell)
		require.True(t, ok)
		require.Equal(t, c.want, got, "%+v", c)
	}
}

func TestTextsOfColumns(t *testing.T) {
	require.Equal(t, "123", string(appendText(nil, &avro.Type{Kind: avro.Long}, &avro.Cell{N: 123})))
	require.Equal(t, "123", string(appendText(nil, &avro.Type{Kind: avro.Bytes, Logical: "decimal"}, &avro.Cell{B: []byte{123}})))
	require.Equal(t, "", string(appendText(nil, &avro.Type{Kind: avro.String}, &avro.Cell{Null: true})))
}

// TestRegistryAwayIsNoDeadLetter: the message waits for the registry.
func TestRegistryAwayIsNoDeadLetter(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the test has seen enough")
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 3 {
			cancel(gone)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	d := newDecoder(registry.New(server.URL), nil)
	var msg message
	err := d.decode(ctx, &lane{origin: &identity.Origin{}}, &topic.Record{Value: []byte{0, 0, 0, 0, 1}}, &msg)
	require.Error(t, err)
	var bad *undecodableError
	require.False(t, errors.As(err, &bad), "%v", err)
}

func TestLanes(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	lanes, err := lanesOf(set, []SourceRef{{"population", "population"}, {"health_bv115", "health"}, {"welfare", "welfare"}})
	require.NoError(t, err)
	require.True(t, lanes["vault.population.public.citizen"].origin.Register)
	patient := lanes["vault.health_bv115.public.patient"]
	require.False(t, patient.origin.Register)
	require.Equal(t, identity.Origin{Source: "health_bv115", Sector: "health", Table: "patient"}, *patient.origin)
	require.Equal(t, sectors.Insurance, patient.matches["insurance_no"])
	require.Contains(t, lanes, "vault.welfare.public.beneficiary")
	require.NotContains(t, lanes, "vault.population.public.birth", "speaks of a citizen's record, and is none")

	_, err = lanesOf(set, []SourceRef{{"a", "nowhere"}})
	require.ErrorContains(t, err, `no sector "nowhere"`)
	_, err = lanesOf(set, []SourceRef{{"a", "health"}, {"a", "health"}})
	require.ErrorContains(t, err, "named twice")
	_, err = lanesOf(set, nil)
	require.ErrorContains(t, err, "person: direct")
}

// P11: sealed values are read with their key. One whose key is not here is no
// dead letter: it stops the matcher, which would withdraw its link otherwise.
func TestP11DecodesSealedValues(t *testing.T) {
	f := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("full_name", true, "string"))
	ring, err := seal.New(seal.Key{Version: 3, Secret: bytes.Repeat([]byte{7}, seal.KeySize)})
	require.NoError(t, err)
	rec := f.message(t, &event.Event{Op: event.Create, After: cells("7", "Nguyễn Văn An")})
	rec.Value = ring.Append(nil, rec.Value, rec.Topic, rec.Key)
	require.NotContains(t, string(rec.Value), "Nguy")
	var msg message
	err = f.decoder.decode(t.Context(), f.lane, rec, &msg)
	require.ErrorContains(t, err, "set vault.key_file")
	require.False(t, isUndecodable(err))
	f.decoder.vault = ring
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, rec, &msg))
	require.Equal(t, "Nguyễn Văn An", string(msg.raw.FullName))
}

// A row of a table of taxpayers is the record of who answers for it, or, when it
// names nobody, of the organisation alone.
func TestARowThatNamesNobodyIsAnOrganisations(t *testing.T) {
	f := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("tax", true, "string"), plain("cccd", true, "string"), plain("full_name", true, "string"), plain("birth", true, aDate), plain("phone", true, "string"))
	f.lane.organisation, f.lane.own = identity.OrganisationNode, map[string]bool{"tax": true, "phone": true}
	for _, c := range []struct {
		row  []string
		want identity.Node
	}{
		{[]string{"1", "0301442989", "", "", "", "0283829726"}, identity.OrganisationNode},
		{[]string{"2", "079085001234", "", "", "", ""}, identity.OrganisationNode},
		{[]string{"3", "0301442989", "", "Nguyễn Văn An", "", "0283829726"}, identity.PersonNode},
		{[]string{"4", "", "079085001234", "", "", ""}, identity.PersonNode},
		{[]string{"5", "", "", "", "5557", ""}, identity.PersonNode},
	} {
		var msg message
		require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Create, After: cells(c.row...)}), &msg))
		require.Equal(t, c.want, msg.raw.Node, c.row[0])
	}
	set, err := sectors.Load()
	require.NoError(t, err)
	lanes, err := lanesOf(set, []SourceRef{{"tax", "tax"}, {"health", "health"}})
	require.NoError(t, err)
	require.Equal(t, identity.OrganisationNode, lanes["vault.tax.public.taxpayer"].organisation)
	require.True(t, lanes["vault.tax.public.taxpayer"].own["tax_code"])
	require.Equal(t, identity.AnyNode, lanes["vault.health.public.patient"].organisation)
}
