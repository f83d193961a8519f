package commandline

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is away is shown as away with its reason, and no figure of it as zero.
func TestTopShowsWhatIsAway(t *testing.T) {
	w := shared(t)
	type picture struct {
		Kafka      string `json:"kafka_away"`
		ClickHouse string `json:"clickhouse_away"`
		Sources    []struct {
			State         string
			RetainedBytes *int64   `json:"retained_wal_bytes"`
			LagSeconds    *float64 `json:"lag_seconds"`
			PerSecond     *float64 `json:"events_per_second"`
			Away          string
		}
		Groups []struct {
			Behind *int64
			Away   string
		}
		Processes []struct{ Address, Away string }
	}
	// The role is not there, so the database does not let it in.
	p := parse[picture](t, w.good("top", "--json", "--metrics", "127.0.0.1:1"))
	require.Empty(t, p.Kafka)
	require.NotEmpty(t, p.ClickHouse)
	require.Len(t, p.Sources, 1)
	require.Equal(t, "unreachable", p.Sources[0].State)
	require.Contains(t, p.Sources[0].Away, "hopluu_"+w.source)
	require.Nil(t, p.Sources[0].RetainedBytes)
	require.NotNil(t, p.Groups[0].Behind)
	require.NotEmpty(t, p.Processes[0].Away)

	w.set("kafka.brokers", []string{"127.0.0.1:1"})
	p = parse[picture](t, w.good("top", "--json"))
	require.NotEmpty(t, p.Kafka)
	require.Nil(t, p.Groups[0].Behind)
	require.Nil(t, p.Sources[0].PerSecond)
	require.Nil(t, p.Sources[0].LagSeconds)
	text := w.good("top", "--once")
	require.Contains(t, text, "không hỏi được · away: ClickHouse")
	require.Contains(t, text, "NGUỒN · SOURCES")
	w.refused([]string{"top"}, "--once")
}
