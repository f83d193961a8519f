package city

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/hopluu/hopluu/schemas/sectors"
)

// base is any day: the tests hold on others too (see TestAnyDay).
var base = time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)

func build(t *testing.T, seed uint64, persons int) *City {
	t.Helper()
	c, err := Build(Params{Seed: seed, Persons: persons, Base: base, Rates: FixedRates()})
	require.NoError(t, err)
	return c
}

// systems gives what each sector is seeded with.
func systems(c *City) map[string][]Rows {
	return map[string][]Rows{"population": c.Population(), "health": c.Health(), "welfare": c.Welfare(), "tax": c.Tax(), "construction": c.Construction()}
}

func hash(c *City) string {
	h := sha256.New()
	for _, sector := range []string{"population", "health", "welfare", "tax", "construction"} {
		for _, t := range systems(c)[sector] {
			for _, row := range t.Rows {
				for _, v := range row {
					// Numerics hold a pointer; their value is what counts.
					if n, ok := v.(interface{ MarshalJSON() ([]byte, error) }); ok {
						b, err := n.MarshalJSON()
						if err != nil {
							return err.Error()
						}
						fmt.Fprintf(h, "%s|", b)
						continue
					}
					fmt.Fprintf(h, "%v|", v)
				}
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// The same seed gives the same rows in any order of asking; another seed gives
// others.
func TestSameSeedSameRows(t *testing.T) {
	a, b := build(t, 7, 800), build(t, 7, 800)
	b.Construction()
	b.Tax()
	require.Equal(t, hash(a), hash(b))
	require.NotEqual(t, hash(a), hash(build(t, 8, 800)))
}

func TestBuildRefusesTooFew(t *testing.T) {
	_, err := Build(Params{Persons: 3, Base: base})
	require.ErrorContains(t, err, "ask for at least 10")
}

// Every column that the sector files describe is filled, and no other.
func TestRowsAreAsDescribed(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	for name, tables := range systems(build(t, 3, 600)) {
		sector, ok := set.Sector(name)
		require.True(t, ok, name)
		require.Len(t, tables, len(sector.Tables), name)
		for _, rows := range tables {
			table, ok := sector.Table(rows.Table.Name)
			require.True(t, ok, rows.Table.Name)
			var described []string
			for _, c := range table.Columns {
				described = append(described, c.Name)
			}
			require.Equal(t, described, rows.Table.Columns, rows.Table.Name)
			require.NotEmpty(t, rows.Rows, rows.Table.Name)
			for _, row := range rows.Rows {
				require.Len(t, row, len(rows.Table.Columns), rows.Table.Name)
			}
			direct := table.Person != nil && table.Person.Direct
			require.Equal(t, direct, rows.People != nil, rows.Table.Name)
			if direct {
				require.Len(t, rows.People, len(rows.Rows), rows.Table.Name)
			}
		}
	}
}

func TestWards(t *testing.T) {
	require.Len(t, wards, 168)
	codes, special := map[string]bool{}, 0
	for _, w := range wards {
		require.Regexp(t, `^2[5-7]\d{3}$`, w.Code)
		require.False(t, codes[w.Code], w.Code)
		codes[w.Code] = true
		if w.Kind == kindSpecialZone {
			special++
		}
	}
	require.Equal(t, 1, special)
	again := 0
	for _, f := range formerWards {
		require.True(t, codes[f.now], f.now)
		if codes[f.code] {
			again++
		}
	}
	require.Greater(t, again, 5, "codes that were used again")
	for _, f := range facilities {
		require.True(t, codes[f.ward], f.name)
	}
}

func TestNumbersHaveTheirStructure(t *testing.T) {
	c := build(t, 1, 3000)
	seen := map[string]bool{}
	for i := range c.People {
		p := &c.People[i]
		require.Regexp(t, `^\d{12}$`, p.CCCD)
		require.False(t, seen[p.CCCD], "a CCCD is given once")
		seen[p.CCCD] = true
		century := int(p.CCCD[3] - '0')
		require.Equal(t, p.Born.Year()/100-19, century/2)
		require.Equal(t, p.Sex == Female, century%2 == 1)
		require.Equal(t, fmt.Sprintf("%02d", p.Born.Year()%100), p.CCCD[4:6])
		require.Regexp(t, `^(\d{9})?$`, p.CMND)
		require.Regexp(t, `^79\d{8}$`, p.Social)
		require.Regexp(t, `^(0\d{9})?$`, p.Phone)
		if p.Card != "" {
			require.Regexp(t, regexp.MustCompile(`^[A-Z]{2}[1-5]79`+p.Social+`$`), p.Card)
		}
		require.False(t, p.Born.After(c.Base))
		require.True(t, p.Died.IsZero() || !p.Died.Before(p.Born) && !p.Died.After(c.Base))
		require.True(t, norm.NFC.IsNormalString(p.Name()))
		if f := c.Person(p.Father); f != nil {
			require.Equal(t, f.Surname, p.Surname)
			require.Equal(t, f.Family, p.Family)
		}
		if m := c.Person(p.Mother); m != nil {
			require.GreaterOrEqual(t, m.Age(p.Born), 18)
		}
	}
}

func TestSurnamesFollowTheDistribution(t *testing.T) {
	c := build(t, 5, 20_000)
	n := map[string]float64{}
	for i := range c.People {
		n[c.People[i].Surname] += 100 / float64(len(c.People))
	}
	require.InDelta(t, 38, n["Nguyễn"], 2)
	require.InDelta(t, 11, n["Trần"], 1.3)
	require.InDelta(t, 9.5, n["Lê"], 1.2)
	require.InDelta(t, 7, n["Phạm"], 1)
	require.InDelta(t, 5, n["Huỳnh"]+n["Hoàng"], 1)
	require.InDelta(t, 4.5, n["Phan"], 1)
	require.InDelta(t, 4, n["Vũ"]+n["Võ"], 1)
}

// The hard cases that only a city of families has are there.
func TestHardCases(t *testing.T) {
	c := build(t, 2, 20_000)
	twins, namesakes, shared := 0, 0, 0
	cmnd := map[string]int64{}
	for i := range c.People {
		p := &c.People[i]
		if i > 0 && c.People[i-1].Born.Equal(p.Born) && c.People[i-1].Mother == p.Mother && p.Mother != 0 {
			twins++
			require.NotEqual(t, c.People[i-1].Name(), p.Name())
		}
		if f := c.Person(p.Father); f != nil && f.Name() == p.Name() {
			namesakes++
		}
		if p.CMND != "" {
			if cmnd[p.CMND] != 0 {
				shared++
			}
			cmnd[p.CMND] = p.ID
		}
	}
	require.Greater(t, twins, 30)
	require.Greater(t, namesakes, 3)
	require.Greater(t, shared, 0)
}

// What the indicators for leaders ask for happens.
func TestIndicatorsHaveSomethingToShow(t *testing.T) {
	for _, day := range []time.Time{base, date(2027, time.March, 1)} {
		c, err := Build(Params{Seed: 1, Persons: 12_000, Base: day, Rates: FixedRates()})
		require.NoError(t, err)
		s := systems(c)
		total := 0
		people := map[string]map[any]int64{} // table -> key -> person
		for _, tables := range s {
			for _, rows := range tables {
				total += len(rows.Rows)
				if rows.People != nil {
					people[rows.Table.Name] = map[any]int64{}
					for i, row := range rows.Rows {
						people[rows.Table.Name][row[0]] = rows.People[i]
					}
				}
			}
		}
		require.InDelta(t, 110_000, total, 25_000, "the initial load")

		poor := map[int64]bool{}
		for _, p := range people["household_member"] {
			poor[p] = true
		}
		admitted := 0
		for _, row := range s["health"][3].Rows {
			if row[3] == "inpatient" && !row[4].(time.Time).Before(at(monthStart(day), 0, 0)) && poor[people["patient"][row[1]]] {
				admitted++
			}
		}
		require.Greater(t, admitted, 20, "members of poor households in hospital this month")

		afterDeath := 0
		for _, row := range s["welfare"][3].Rows {
			p := c.Person(people["beneficiary"][row[0]])
			if !p.Died.IsZero() && p.Registered && row[1].(time.Time).After(p.Died) {
				afterDeath++
			}
		}
		require.Greater(t, afterDeath, 20, "payments after death")

		debtors := map[int64]bool{}
		for _, p := range c.taxBooks().debtors {
			debtors[p] = true
		}
		owners := 0
		for _, p := range people["permit"] {
			if debtors[p] {
				owners++
			}
		}
		require.Greater(t, owners, 60, "permits of people who owe tax")

		unknown := 0
		for _, id := range people["patient"] {
			if p := c.Person(id); !p.Registered && p.Age(day) < 6 {
				unknown++
			}
		}
		require.Greater(t, unknown, 20, "children who are patients but in no register")

		large := 0
		for _, row := range s["health"][3].Rows {
			if n, ok := row[11].(string); ok && len(n) > 8192 {
				large++
			}
		}
		require.Greater(t, large, 100, "notes that PostgreSQL keeps out of line")
	}
}

// Nothing happens after the base date but in its first hours, on any day of a
// year: months of different lengths, a leap day.
func TestAnyDay(t *testing.T) {
	for _, day := range []time.Time{date(2027, time.January, 1), date(2028, time.February, 29), date(2026, time.December, 31), date(2027, time.March, 31)} {
		c, err := Build(Params{Seed: 4, Persons: 400, Base: day, Rates: FixedRates()})
		require.NoError(t, err)
		for sector, tables := range systems(c) {
			for _, rows := range tables {
				for _, row := range rows.Rows {
					for i, v := range row {
						switch rows.Table.Columns[i] {
						case "due_on", "valid_to", "period":
							continue
						}
						if when, ok := v.(time.Time); ok {
							limit := at(day, 6, 0)
							if when.Location() == time.UTC { // a date, or local time without a zone
								limit = day.Add(6 * time.Hour)
							}
							require.False(t, when.After(limit), "%s.%s.%s: %v", sector, rows.Table.Name, rows.Table.Columns[i], when)
						}
					}
				}
			}
		}
	}
}

func TestPrimaryKeysAreUnique(t *testing.T) {
	for sector, tables := range systems(build(t, 6, 3000)) {
		for _, rows := range tables {
			keys := map[string]bool{}
			for _, row := range rows.Rows {
				key := fmt.Sprint(row[0])
				if rows.Table.Name == Payments.Name {
					key += fmt.Sprint(row[1])
				}
				require.False(t, keys[key], "%s.%s %s", sector, rows.Table.Name, key)
				keys[key] = true
			}
		}
	}
}

func TestIncompressible(t *testing.T) {
	r := Rand(1, "x")
	require.InDelta(t, 10_000, len(Incompressible(r, 10_000)), 8)
	require.NotEqual(t, strings.Repeat("A", 100), Incompressible(r, 100))
}

// Every record has a ward's code of its own date: of the reform of 1 July 2025
// and after, one of today, before it the code of a ward that was (case 26).
func TestWardsAreOfTheirRecordsDates(t *testing.T) {
	c := build(t, 5, 3000)
	today, former := map[string]string{}, map[string]string{}
	for _, w := range wards {
		today[w.Code] = w.Code
	}
	split := map[string]bool{} // wards of today whose former ones are listed
	for _, f := range formerWards {
		former[f.code] = f.now
		split[f.now] = true
	}
	for name, dated := range map[string]struct {
		rows     []Rows
		table    Table
		ward, on string
	}{
		"citizen":   {c.Population(), Citizens, "ward_code", "updated_at"},
		"birth":     {c.Population(), Births, "ward_code", "registered_at"},
		"patient":   {c.Health(), Patients, "ward_code", "updated_at"},
		"taxpayer":  {c.Tax(), Taxpayers, "ward_code", "updated_at"},
		"permit":    {c.Construction(), Permits, "ward_code", "applied_on"},
		"household": {c.Welfare(), Households, "ward_code", "decided_on"},
	} {
		before, renamed := 0, 0
		for _, rows := range dated.rows {
			if rows.Table.Name != dated.table.Name {
				continue
			}
			ward, on := slices.Index(rows.Table.Columns, dated.ward), slices.Index(rows.Table.Columns, dated.on)
			for _, row := range rows.Rows {
				code, written := row[ward].(string), row[on].(time.Time)
				y, m, d := written.Date()
				if !date(y, m, d).Before(merger) {
					require.Contains(t, today, code, "%s of %s", name, written)
					continue
				}
				before++
				if now, ok := former[code]; ok {
					require.True(t, split[now])
					renamed++
				} else {
					require.Contains(t, today, code)
					require.False(t, split[code], "%s of %s has code %s, which named no place then", name, written, code)
				}
			}
		}
		switch name {
		case "patient", "permit", "birth":
			require.Positive(t, renamed, name)
		case "citizen":
			require.Zero(t, before, "the register was written anew on the day of the reform")
		}
	}
}

// A house stood in one former ward, whatever record says so.
func TestAHouseHadOneWardBefore(t *testing.T) {
	district1 := slices.IndexFunc(wards, func(w Ward) bool { return w.Code == "26758" })
	seen := map[string]bool{}
	for n := range 50 {
		place := fmt.Sprintf("%d Trần Hưng Đạo", n)
		code := wardOn(district1, place, merger.AddDate(0, 0, -1))
		require.Equal(t, code, wardOn(district1, place, merger.AddDate(-3, 0, 0)))
		require.Equal(t, "26758", wardOn(district1, place, merger))
		seen[code] = true
	}
	require.Len(t, seen, 4)
}
