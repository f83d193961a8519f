package city

import (
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Table is a table of a source system with the columns that rows give, in
// their order.
type Table struct {
	Name    string
	Columns []string
}

// Rows are rows of one table, values as pgx takes them.
type Rows struct {
	Table Table
	Rows  [][]any
	// People holds the person of each row where the rows are records of
	// persons (0: of a company), else it is nil.
	People []int64
}

func (t *Rows) add(person int64, row []any) {
	t.Rows = append(t.Rows, row)
	t.People = append(t.People, person)
}

// Zone is the city's time zone: UTC+7 without summer time.
var Zone = time.FixedZone("ICT", 7*60*60)

// at is a time of day in the city.
func at(date time.Time, hour, minute int) time.Time {
	y, m, d := date.Date()
	return time.Date(y, m, d, hour, minute, 0, 0, Zone)
}

// officeHours is a time on a date between 7 and 17 o'clock.
func officeHours(r *rand.Rand, date time.Time) time.Time {
	return at(date, between(r, 7, 16), r.IntN(60)).Add(time.Duration(r.IntN(60_000_000)) * time.Microsecond)
}

// anyHour is a time on a date before 6 in the morning on the base date itself,
// so that what happens "today" is not in the future, and at any hour before.
func (c *City) anyHour(r *rand.Rand, date time.Time) time.Time {
	hours := 24
	if !date.Before(c.Base) {
		hours = 6
	}
	return at(date, 0, 0).Add(time.Duration(r.Int64N(int64(hours)*int64(time.Hour/time.Microsecond))) * time.Microsecond)
}

// monthStart is the first day of the month of a date.
func monthStart(date time.Time) time.Time {
	return time.Date(date.Year(), date.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// date makes a date.
func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// null gives NULL for an empty text.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// nullDate gives NULL for the zero time.
func nullDate(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// hundredths is a numeric with two decimal places.
func hundredths(n int64) pgtype.Numeric {
	return pgtype.Numeric{Int: big.NewInt(n), Exp: -2, Valid: true}
}

// dong is an amount of money in whole đồng as numeric(n,0).
func dong(n int64) pgtype.Numeric { return pgtype.Numeric{Int: big.NewInt(n), Valid: true} }

// UUID draws a version 4 UUID (RFC 9562).
func UUID(r *rand.Rand) [16]byte {
	var u [16]byte
	for i := range u {
		u[i] = byte(r.UintN(256))
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// shuffled gives the numbers of all people in an order of its own, so that the
// numbers of records in two systems have nothing in common.
func (c *City) shuffled(stream string) []int64 {
	ids := make([]int64, len(c.People))
	for i := range ids {
		ids[i] = int64(i) + 1
	}
	Rand(c.Seed, stream).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}

// Poor tells whether a family is on the list of poor or near-poor households.
func (c *City) Poor(family int) bool {
	return chance(Rand(c.Seed, "poor", int64(family)), 0.09)
}
