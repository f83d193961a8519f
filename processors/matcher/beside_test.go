package matcher

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// laneFixture is a fixture of a lane of the sector files.
func laneFixture(t *testing.T, source, topic string, fields ...avro.Field) *fixture {
	t.Helper()
	set, err := sectors.Load()
	require.NoError(t, err)
	lanes, err := lanesOf(set, []SourceRef{{source, source}})
	require.NoError(t, err)
	require.Contains(t, lanes, topic)
	f := newFixture(t, nil, fields...)
	f.lane = lanes[topic]
	return f
}

func (f *fixture) read(t *testing.T, row ...string) *identity.Raw {
	t.Helper()
	var msg message
	require.NoError(t, f.decoder.decode(t.Context(), f.lane, f.message(t, &event.Event{Op: event.Create, After: cells(row...), Position: event.Position{Epoch: 1, LSN: 1}}), &msg))
	return &msg.raw
}

// solved are the links of what an engine was given.
func solved(t *testing.T, put func(*linkage.Engine)) map[string]identity.Link {
	t.Helper()
	m, err := linkage.Default("city")
	require.NoError(t, err)
	rarities, err := linkage.DefaultFrequencies("city")
	require.NoError(t, err)
	e, err := linkage.NewEngine(m, rarities)
	require.NoError(t, err)
	put(e)
	links := map[string]identity.Link{}
	require.NoError(t, e.Solve(func(c *linkage.Change) error {
		links[c.Record] = c.Link
		return nil
	}, func(*linkage.Event) error { return nil }))
	return links
}

// TestCase26AWardsCodeIsThatOfItsTime: 26737 named another place until 30 June
// 2025, and whether two records name one place decides of these two.
func TestCase26AWardsCodeIsThatOfItsTime(t *testing.T) {
	zoned := map[string]any{"type": "string", "connect.name": "io.debezium.time.ZonedTimestamp"}
	text := func(name string) avro.Field {
		f := plain(name, true, "string")
		if name == "updated_at" {
			f.Type = zoned
			f.Append = func(dst, text []byte) ([]byte, error) { return avro.AppendBytes(dst, text), nil }
		}
		return f
	}
	patient := laneFixture(t, "health", "vault.health.public.patient", plain("patient_id", false, "long"), text("full_name"), plain("birth_date", true, aDate), text("sex"), text("ward_code"), text("updated_at"))
	member := laneFixture(t, "welfare", "vault.welfare.public.beneficiary", plain("beneficiary_id", false, "long"), text("full_name"), plain("birth_date", true, aDate), text("sex"), text("ward_code"), text("updated_at"))
	decision := func(written string) identity.Link {
		links := solved(t, func(e *linkage.Engine) {
			require.True(t, e.Upsert(patient.read(t, "1", "Quách Thị Sương", "7305", "female", "26737", "2025-10-11T03:00:00.5Z")))
			require.True(t, e.Upsert(member.read(t, "2", "Quách Thị Sương", "7305", "female", "26737", written)))
		})
		return links["welfare.beneficiary:2"]
	}
	for _, today := range []string{"2025-07-01T08:00:00Z", "2025-06-30T17:00:00Z", "2026-01-02T00:00:00Z", ""} {
		require.Equal(t, identity.DecisionLink, decision(today).Decision, "%q: %s", today, decision(today).Reasons)
	}
	for _, before := range []string{"2024-03-04T00:00:00Z", "2025-06-30T16:59:59.999999Z"} {
		require.NotEqual(t, identity.DecisionLink, decision(before).Decision, "%q: %s", before, decision(before).Reasons)
	}
}

// TestCase23ACompanyIsFoundByItsName: a company's name goes with its row to the
// matcher, and its kind, which tells it from a household business; who answers
// for it stays a person.
func TestCase23ACompanyIsFoundByItsName(t *testing.T) {
	var fields []avro.Field
	for _, name := range []string{"tax_code", "cccd", "kind", "full_name", "business_name", "phone", "ward_code", "address"} {
		fields = append(fields, plain(name, true, "string"))
	}
	f := laneFixture(t, "tax", "vault.tax.public.taxpayer", append([]avro.Field{plain("taxpayer_id", false, "long")}, fields...)...)
	for _, c := range []struct {
		row  []string
		node identity.Node
		name string
	}{
		{[]string{"1", "0301442989", "", "company", "", "Công ty TNHH Quốc Thái", "0283829726", "26740", "36 Pasteur"}, identity.OrganisationNode, "Công ty TNHH Quốc Thái"},
		{[]string{"2", "0301442989", "", "household_business", "", "Phở Nghĩa", "", "", ""}, identity.HouseholdBusinessNode, "Phở Nghĩa"},
		{[]string{"3", "0301442989", "", "person", "", "", "", "", ""}, identity.PersonNode, ""},
		{[]string{"4", "079070263150", "079070263150", "household_business", "Trương Hữu Nghĩa", "Phở Nghĩa", "", "", ""}, identity.PersonNode, "Trương Hữu Nghĩa"},
		// A record of before kind and name went to the vault.
		{[]string{"5", "0301442989", "", "", "", "", "0283829726", "26740", "36 Pasteur"}, identity.OrganisationNode, ""},
	} {
		raw := f.read(t, c.row...)
		require.Equal(t, c.node, raw.Node, c.row[0])
		require.Equal(t, c.name, string(raw.FullName), c.row[0])
	}
	links := solved(t, func(e *linkage.Engine) {
		e.Upsert(f.read(t, "1", "0301442989", "", "company", "", "Công ty TNHH Thương mại Quốc Thái", "0283829726", "26740", "36 Pasteur"))
		e.Upsert(f.read(t, "2", "", "", "company", "", "CONG TY TNHH THUONG MAI QUOC THAI", "0283829726", "26740", "36 Pasteur"))
		e.Upsert(f.read(t, "3", "", "", "company", "", "Công ty Cổ phần Sông Hàn", "0283829726", "26740", "36 Pasteur"))
	})
	require.Equal(t, links["tax.taxpayer:1"].Person, links["tax.taxpayer:2"].Person, links["tax.taxpayer:2"].Reasons)
	require.NotEqual(t, links["tax.taxpayer:1"].Person, links["tax.taxpayer:3"].Person, "another company at that address, of that telephone")
}

// A topic of before has neither column.
func TestVaultTopicsOfBefore(t *testing.T) {
	f := laneFixture(t, "tax", "vault.tax.public.taxpayer", plain("taxpayer_id", false, "long"), plain("tax_code", true, "string"), plain("ward_code", true, "string"))
	raw := f.read(t, "1", "0301442989", "26737")
	require.Equal(t, identity.OrganisationNode, raw.Node)
	require.Empty(t, string(raw.FullName))
	require.Zero(t, raw.Written)
}
