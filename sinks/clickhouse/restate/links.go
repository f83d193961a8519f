package restate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Members are the records of a person.
type Members struct {
	Person  string   `json:"person_id"`
	Records []string `json:"records"`
}

// Event is a merge or split of persons, as identity.event tells it.
type Event struct {
	Offset        int64
	Before, After []Members
}

// Read reads the two sides of an event.
func Read(offset int64, before, after string) (Event, error) {
	e := Event{Offset: offset}
	if err := json.Unmarshal([]byte(before), &e.Before); err != nil {
		return e, fmt.Errorf("identity.event at offset %d: before: %w", offset, err)
	}
	if err := json.Unmarshal([]byte(after), &e.After); err != nil {
		return e, fmt.Errorf("identity.event at offset %d: after: %w", offset, err)
	}
	return e, nil
}

// Records gives the records of events, in the order of their names.
func Records(events []Event) []string {
	set := map[string]struct{}{}
	for i := range events {
		for _, side := range [2][]Members{events[i].Before, events[i].After} {
			for _, m := range side {
				for _, r := range m.Records {
					set[r] = struct{}{}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Link says whose a record is on one side. Citizen is the person's record in
// the population register, "" for none.
type Link struct{ Record, Person, Citizen string }

// Pair is a record and a person that it belonged to.
type Pair struct{ Record, Person string }

// Sides gives to whom the records of all events belonged just before the events
// from the i-th on to the j-th, which is left out, and just after them. Other
// links are the same on both sides.
//
// Events alone decide, and not how far the links have landed: the i-th event is
// told while links of later ones may be here already. A record that is new in
// them, or gone, is the same person's on both sides: that it came is a change of
// the data, and its figures are those that gold shows.
func Sides(events []Event, i, j int, citizens map[Pair]string) (before, after []Link) {
	type step struct {
		at            int
		before, after string
	}
	steps := map[string][]step{}
	for at := range events {
		sides := map[string]*step{}
		for n, side := range [2][]Members{events[at].Before, events[at].After} {
			for _, m := range side {
				for _, r := range m.Records {
					s := sides[r]
					if s == nil {
						s = &step{at: at}
						sides[r] = s
					}
					if n == 0 {
						s.before = m.Person
					} else {
						s.after = m.Person
					}
				}
			}
		}
		for r, s := range sides {
			steps[r] = append(steps[r], *s)
		}
	}
	// person is whose a record was before the n-th event; "" when it was gone.
	person := func(all []step, n int) string {
		was := all[0].before
		if was == "" {
			was = all[0].after
		}
		for _, s := range all {
			if s.at >= n {
				break
			}
			was = s.after
		}
		return was
	}
	named := citizensOf(events, citizens)
	link := func(record, person string) Link {
		citizen, ok := citizens[Pair{record, person}]
		if !ok {
			citizen = named[person]
		}
		return Link{record, person, citizen}
	}
	for _, r := range slices.Sorted(maps.Keys(steps)) {
		was, is := person(steps[r], i), person(steps[r], j)
		switch {
		case was == "" && is == "":
			continue
		case was == "":
			was = is
		case is == "":
			is = was
		}
		before, after = append(before, link(r, was)), append(after, link(r, is))
	}
	return before, after
}

// citizensOf gives the citizen of a person by any of the person's records.
func citizensOf(events []Event, citizens map[Pair]string) map[string]string {
	of := map[string]string{}
	for i := range events {
		for _, side := range [2][]Members{events[i].Before, events[i].After} {
			for _, m := range side {
				for _, r := range m.Records {
					if c := citizens[Pair{r, m.Person}]; c != "" && of[m.Person] == "" {
						of[m.Person] = c
					}
				}
			}
		}
	}
	return of
}

// overlay is the query of the links, with those that an event changed in place
// of what they are now.
func overlay(links []Link) string {
	columns := [3][]string{}
	for _, l := range links {
		for i, s := range [3]string{l.Record, l.Person, l.Citizen} {
			columns[i] = append(columns[i], tables.Quote(s))
		}
	}
	list := func(i int) string { return "[" + strings.Join(columns[i], ", ") + "]" }
	return fmt.Sprintf(`(
    SELECT l.record AS record, l.source AS source, l.sector AS sector, l.table AS table, l.decision AS decision,
        if(o.at = 1, toNullable(o.person_id), l.person_id) AS person_id, if(o.at = 1, nullIf(o.citizen, ''), l.citizen) AS citizen
    FROM (SELECT record, source, sector, table, decision, person_id, citizen FROM %s FINAL) AS l
    LEFT ANY JOIN (SELECT x.1 AS record, x.2 AS person_id, x.3 AS citizen, 1 AS at FROM (SELECT arrayJoin(arrayZip(%s, %s, %s)) AS x)) AS o ON o.record = l.record
)`, tables.Qualified(tables.Silver, tables.IdentityLink), list(0), list(1), list(2))
}
