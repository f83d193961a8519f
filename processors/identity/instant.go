package identity

import (
	"bytes"
	"time"
)

// zoneSince is what clocks in Ho Chi Minh City are ahead of UTC from an instant
// on, both in seconds: Asia/Ho_Chi_Minh of the IANA time zone database, which
// PostgreSQL too reads a midnight by. A pure package opens no such database.
type zoneSince struct{ from, ahead int64 }

var vietnam = []zoneSince{
	{171_820_800, 7 * 3600},    // 13 June 1975
	{-315_648_000, 8 * 3600},   // 1960
	{-457_772_400, 7 * 3600},   // July 1955
	{-718_095_600, 8 * 3600},   // April 1947
	{-767_869_200, 7 * 3600},   // September 1945
	{-782_643_600, 9 * 3600},   // March 1945
	{-852_105_600, 8 * 3600},   // 1943
	{-1_851_577_200, 7 * 3600}, // May 1911
}

// DateOfInstant is the date in Ho Chi Minh City at an instant, in seconds since
// 1970-01-01 00:00 UTC. Before May 1911 it is that of UTC+7.
func DateOfInstant(seconds int64) Date {
	ahead := int64(7 * 3600)
	for _, z := range vietnam {
		if seconds >= z.from {
			ahead = z.ahead
			break
		}
	}
	const day = 86400
	seconds += ahead
	days := seconds / day
	if seconds%day < 0 {
		days--
	}
	return DateOfDays(days)
}

// instants are how a time with its zone is written: by ISO 8601 and by
// PostgreSQL.
var instants = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z0700", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00"}

// DateWritten is ParseDate for a time at which something was written: one with a
// zone, 2025-06-30T17:30:00Z or 2025-06-30 17:30:00+00, is the day that it was
// in Ho Chi Minh City.
func DateWritten(text []byte) Date {
	text = bytes.TrimSpace(text)
	if i := bytes.IndexAny(text, " T"); i > 0 && bytes.ContainsAny(text[i:], "Z+-") {
		for _, layout := range instants {
			if at, err := time.Parse(layout, string(text)); err == nil {
				return DateOfInstant(at.Unix())
			}
		}
	}
	return ParseDate(text)
}
