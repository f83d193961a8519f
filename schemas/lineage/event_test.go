package lineage

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The event of a run with every facet that is filled, field by field as the
// specification names them.
func TestEvent(t *testing.T) {
	parent := &Run{ID: "0198e4a0-0000-7000-8000-000000000001", Job: Job{Namespace: "city", Name: "sink"}}
	r := Run{ID: "0198e4a0-0000-7000-8000-000000000002", Job: Job{Namespace: "city", Name: "gold.poor", Processing: Batch, Kind: "VIEW", Description: "Poor", SQL: "SELECT 1"}, Parent: parent}
	at := time.Date(2026, 1, 31, 8, 0, 0, 5e6, time.FixedZone("", 7*3600))
	in := []Dataset{{Namespace: "clickhouse://ch:8123", Name: "silver.household", Columns: []Column{{"category", "String", ""}}}}
	out := []Dataset{{
		Namespace: "clickhouse://ch:8123", Name: "gold.poor", Description: "Poor", Columns: []Column{{"n", "UInt64", "How many"}},
		From: map[string][]Field{"n": {{Namespace: "clickhouse://ch:8123", Name: "silver.household", Column: "category", Indirect: true}, {Namespace: "clickhouse://ch:8123", Name: "silver.household", Column: "cccd", Masked: true}}},
	}}
	text, err := json.Marshal(r.Event(Fail, at, in, out, "no room"))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"eventType": "FAIL", "eventTime": "2026-01-31T01:00:00.005Z",
		"producer": "https://github.com/hopluu/hopluu", "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
		"run": {"runId": "0198e4a0-0000-7000-8000-000000000002", "facets": {
			"parent": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
				"run": {"runId": "0198e4a0-0000-7000-8000-000000000001"}, "job": {"namespace": "city", "name": "sink"}},
			"errorMessage": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
				"message": "no room", "programmingLanguage": "Go"}}},
		"job": {"namespace": "city", "name": "gold.poor", "facets": {
			"jobType": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
				"processingType": "BATCH", "integration": "HOPLUU", "jobType": "VIEW"},
			"documentation": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet", "description": "Poor"},
			"sql": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet", "query": "SELECT 1", "dialect": "clickhouse"}}},
		"inputs": [{"namespace": "clickhouse://ch:8123", "name": "silver.household", "facets": {
			"schema": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", "fields": [{"name": "category", "type": "String"}]}}}],
		"outputs": [{"namespace": "clickhouse://ch:8123", "name": "gold.poor", "facets": {
			"documentation": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-1-0/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet", "description": "Poor"},
			"schema": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", "fields": [{"name": "n", "type": "UInt64", "description": "How many"}]},
			"columnLineage": {"_producer": "https://github.com/hopluu/hopluu", "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet", "fields": {
				"n": {"inputFields": [
					{"namespace": "clickhouse://ch:8123", "name": "silver.household", "field": "category", "transformations": [{"type": "INDIRECT", "subtype": "FILTER", "masking": false}]},
					{"namespace": "clickhouse://ch:8123", "name": "silver.household", "field": "cccd", "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": true}]}]}}}}}]
	}`, string(text))
}

// A column in an expression is in the value; one that stands elsewhere in the
// query decides which rows are counted.
func TestOfView(t *testing.T) {
	query := "WITH toDate(now()) AS today SELECT h.ward_code AS ward_code, countIf(h.category = 'a, (poor') AS poor, sum(m.members) / poor AS `per house`, any(fresh) AS as_of FROM silver.v_household AS h WHERE h.checked_on < today GROUP BY h.ward_code"
	reads := []Dataset{{Namespace: "n", Name: "silver.household", Columns: []Column{{Name: "ward_code"}, {Name: "category"}, {Name: "members"}, {Name: "checked_on"}, {Name: "phone"}, {Name: "_source"}}}}
	from := OfView(query, []Column{{Name: "ward_code"}, {Name: "poor"}, {Name: "per house"}, {Name: "as_of"}}, reads)
	direct := func(column string) (names []string) {
		for _, f := range from[column] {
			if !f.Indirect {
				names = append(names, f.Column)
			}
		}
		return names
	}
	require.Equal(t, []string{"ward_code"}, direct("ward_code"))
	require.Equal(t, []string{"category"}, direct("poor"))
	require.Equal(t, []string{"members"}, direct("per house"))
	require.Empty(t, direct("as_of"))
	require.Contains(t, from["poor"], Field{Namespace: "n", Name: "silver.household", Column: "checked_on", Indirect: true})
	for _, fields := range from {
		require.Len(t, fields, 4, "phone is nowhere in the query")
	}
}
