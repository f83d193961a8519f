package identity

import (
	"testing"
	"time"
	_ "time/tzdata" // the test's own reading of the zone

	"github.com/stretchr/testify/require"
)

func TestDateWritten(t *testing.T) {
	for text, want := range map[string]Date{
		// The reform of wards began at 17:00 UTC of the day before.
		"2025-06-30T16:59:59.999999Z": NewDate(2025, 6, 30),
		"2025-06-30T17:00:00Z":        NewDate(2025, 7, 1),
		"2025-06-30 17:00:00+00":      NewDate(2025, 7, 1),
		"2025-06-30 17:00:00.25+0000": NewDate(2025, 7, 1),
		"2025-07-01 00:00:00+07:00":   NewDate(2025, 7, 1),
		"2025-07-01 00:00:00+07":      NewDate(2025, 7, 1),
		"2025-06-30T23:59:59.5+07:00": NewDate(2025, 6, 30),
		"2025-07-01T01:00:00+09:00":   NewDate(2025, 6, 30),
		"2025-06-30 12:00:00-05":      NewDate(2025, 7, 1),
		" 2025-06-30T17:00Z ":         NewDate(2025, 7, 1),
		"2025-06-30 23:00:00":         NewDate(2025, 6, 30), // of no zone: as it stands
		"2025-06-30T23:00:00":         NewDate(2025, 6, 30),
		"30/06/2025 23:00":            NewDate(2025, 6, 30),
		"30-06-2025":                  NewDate(2025, 6, 30),
		"2025-06-30":                  NewDate(2025, 6, 30),
		"infinity":                    0,
		"-infinity":                   0,
		"":                            0,
		"+12025-06-30T17:00:00Z":      0,
		"2025-06-30T25:00:00Z":        NewDate(2025, 6, 30), // no time: the day is left
		"1985-03-19T17:00:00Z":        NewDate(1985, 3, 20),
		"1965-03-19T16:00:00Z":        NewDate(1965, 3, 20), // eight hours then
		"1965-03-19T15:59:59Z":        NewDate(1965, 3, 19),
	} {
		require.Equal(t, want, DateWritten([]byte(text)), "%q", text)
	}
}

// The table of the zone is that of the IANA database.
func TestDateOfInstantIsTheZones(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Ho_Chi_Minh")
	require.NoError(t, err)
	for at := time.Date(1911, time.May, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2040; at = at.Add(5*time.Hour + 17*time.Minute) {
		y, m, d := at.In(zone).Date()
		if got := DateOfInstant(at.Unix()); got != NewDate(y, int(m), d) {
			require.Equal(t, NewDate(y, int(m), d), got, at.String())
		}
	}
}
