package topic

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	require.Equal(t, "health.public.encounter", Public("health", "public", "encounter"))
	require.Equal(t, "vault.health_bv115.public.patient", Vault("health_bv115", "public", "patient"))
	require.Equal(t, "health.public.encounter.dlq", DeadLetter(Public("health", "public", "encounter")))
	require.Equal(t, "hopluu.state.health", State("health"))
}

// P3: two tables never share a topic, whatever their names.
func TestNamesThatKafkaDoesNotTake(t *testing.T) {
	odd := Public("tax", "public", "biên lai")
	require.Regexp(t, `^tax\.public\.bi_n_lai_[0-9a-f]{8}$`, odd)
	require.NotEqual(t, odd, Public("tax", "public", "bien-lai"))
	require.NotEqual(t, odd, Public("tax", "public", "biển lai"))
	require.NotEqual(t, Public("a", "b.c", "d"), Public("a", "b", "c.d"))
	require.NotEqual(t, Public("a", "", "d"), Public("a", "_", "d"))
}

// The values are those of Kafka's own tests of Utils.murmur2.
func TestPartitionerIsJavas(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		require.Equal(t, uint32(want), murmur2([]byte(key)), key)
		require.Equal(t, (want&0x7fffffff)%12, PartitionFor([]byte(key), 12), key)
	}
	require.EqualValues(t, 0, PartitionFor(nil, 12))
	require.EqualValues(t, 0, PartitionFor([]byte("x"), 1))
}
