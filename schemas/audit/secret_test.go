package audit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var at = time.Date(2026, 1, 31, 1, 0, 0, 0, time.UTC)

// P11, and no secret: what must never be in the record.
func TestSecretsAndPeoplesNumbersAreKeptOut(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://admin:s3cret@db1/health":               "postgres://admin@db1/health",
		"postgres://admin@db1/health":                      "postgres://admin@db1/health",
		"host=db1 password='it\\'s x' user=a":              "host=db1 password=*** user=a",
		"host=db1 password=abc user=a":                     "host=db1 password=*** user=a",
		"http://db1:8123/?user=a&password=abc&x=1":         "http://db1:8123/?user=a&password=***&x=1",
		"cannot reach postgres://u:p%40w@db1:5432/x: away": "cannot reach postgres://u@db1:5432/x: away",
		"079203004567":              Hidden,
		"person 079203004567 asked": "person *** asked",
		"0912345678":                Hidden,
		"+84912345678":              "+" + Hidden,
		"HS4010012345678":           Hidden,
		// What an operator must find again.
		"health.public.patient":         "health.public.patient",
		"1200000000":                    "1200000000",
		"16/B374D848":                   "16/B374D848",
		"2026-01-31T08:00:00+07:00":     "2026-01-31T08:00:00+07:00",
		"https://store.example/backups": "https://store.example/backups",
	} {
		require.Equal(t, want, Text(in), in)
	}
	require.Equal(t, "--admin=***", Flag("admin", "host=db1 user=postgres"))
	require.Equal(t, "--clickhouse-dsn=***", Flag("clickhouse-dsn", "x"))
	require.Equal(t, "--to=earliest", Flag("to", "earliest"))
	require.Equal(t, "health:patient:***", Numberless("health:patient:123456789"))
}

func TestEntryIsReadAsItWasWritten(t *testing.T) {
	data, err := Entry{ID: "a", At: at, Who: "an", User: "an@host", Command: "dlq retry", Outcome: Begun}.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"a","at":"2026-01-31T01:00:00Z","who":"an","user":"an@host","command":"dlq retry","args":[],"touched":[],"outcome":"begun"}`, string(data))
	e, err := Parse(data)
	require.NoError(t, err)
	require.Equal(t, "dlq retry", e.Command)
	require.True(t, e.Ended.IsZero())
	for _, bad := range []string{`{`, `{}`, `{"id":"a","at":"2026-01-31T01:00:00Z"}`} {
		_, err := Parse([]byte(bad))
		require.Error(t, err, bad)
	}
}
