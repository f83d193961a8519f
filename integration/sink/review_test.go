package sink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// The review queue lands, so that a count of persons can be given as a range: a
// pair is a person less if both are one. A key of two fields names a row, and a
// tombstone takes it away.
func TestReviewQueueLands(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	// identity.review has one name: a broker of its own.
	w := newWorldOn(t, set, harness.Kafka(t, harness.Own()), harness.Own())
	key, err := avro.CompileFlat(topic.IdentityReview, "Key", []avro.FlatField{{Name: "record_a", Type: "string"}, {Name: "record_b", Type: "string"}})
	require.NoError(t, err)
	value, err := avro.CompileFlat(topic.IdentityReview, "Value", []avro.FlatField{
		{Name: "record_a", Type: "string"}, {Name: "record_b", Type: "string"}, {Name: "rule", Type: "string"},
		{Name: "weight", Type: "double", Nullable: true}, {Name: "rank", Type: "double"}, {Name: "records_a", Type: "long"}, {Name: "died", Type: "boolean"},
	})
	require.NoError(t, err)
	keyID, err := w.registry.Register(t.Context(), topic.IdentityReview+"-key", key.Schema())
	require.NoError(t, err)
	valueID, err := w.registry.Register(t.Context(), topic.IdentityReview+"-value", value.Schema())
	require.NoError(t, err)
	_, err = w.kafka.Ensure(t.Context(), topic.Spec{Name: topic.IdentityReview, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	require.NoError(t, err)
	producer, err := w.kafka.NewProducer(t.Context(), topic.ProducerConfig{TransactionalID: harness.Name("reviews")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, producer.Close()) })
	put := func(a, b, rule string, weight avro.Cell, gone bool) {
		text := func(s string) avro.Cell { return avro.Cell{B: []byte(s)} }
		keyBytes, err := key.Append(nil, keyID, []avro.Cell{text(a), text(b)})
		require.NoError(t, err)
		var valueBytes []byte
		if !gone {
			valueBytes, err = value.Append(nil, valueID, []avro.Cell{text(a), text(b), text(rule), weight, {F: 2.5}, {N: 3}, {N: 1}})
			require.NoError(t, err)
		}
		require.NoError(t, producer.Add(t.Context(), topic.Partition{Topic: topic.IdentityReview}, keyBytes, valueBytes, commitMicros/1000))
	}
	put("health.patient:1", "population.citizen:1", "weights", avro.Cell{F: 1.5}, false)
	put("health.patient:1", "population.citizen:2", "conflict", avro.Cell{Null: true}, false)
	put("health.patient:2", "population.citizen:1", "weights", avro.Cell{F: 2}, false)
	put("health.patient:2", "population.citizen:1", "", avro.Cell{}, true)
	require.NoError(t, producer.Commit(t.Context()))

	w.run()
	w.expect("SELECT record_a, record_b, rule, weight, rank, records_a, died FROM silver.v_identity_review ORDER BY record_b",
		"('health.patient:1','population.citizen:1','weights',1.5,2.5,3,true)",
		"('health.patient:1','population.citizen:2','conflict',NULL,2.5,3,true)")
	w.expect("SELECT count() FROM bronze.identity_review", "(4)")
}
