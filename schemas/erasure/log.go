package erasure

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The matcher's logs name many people in one message. Such a message does not go
// with one of them: the history of the others would have a hole. The erased
// records are taken out of it, by the same rule in the topic, when it is read and
// when its row is there already (P12).

// HeaderThinned is there in a message of a log that was written once more, under
// its key, without who is erased.
const HeaderThinned = "hopluu.erased"

// LogEvent is an event of identity.event: its kind, and in JSON the persons before,
// after and the records that caused it.
type LogEvent struct{ Kind, Before, After, Causes string }

// logPerson is a person in it.
type logPerson struct {
	Person  string   `json:"person_id"`
	Records []string `json:"records"`
}

// Without gives the event as the others lived it: without the erased records,
// and the persons who had no other. When nothing
// became of anybody else it does not stay. A person with somebody else's records
// keeps the id, by which these were linked and are found in the history of links.
func (e LogEvent) Without(erased func(record string) bool) (left LogEvent, changed, stays bool, err error) {
	var before, after []logPerson
	var causes []string
	for _, part := range []struct {
		text string
		into any
	}{{e.Before, &before}, {e.After, &after}, {e.Causes, &causes}} {
		if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
			return e, false, true, fmt.Errorf("its records cannot be told, so neither whether one is erased: %w", err)
		}
	}
	of := func(record string) bool {
		gone := erased(record)
		changed = changed || gone
		return gone
	}
	for _, side := range []*[]logPerson{&before, &after} {
		for i := range *side {
			(*side)[i].Records = slices.DeleteFunc((*side)[i].Records, of)
		}
	}
	causes = slices.DeleteFunc(causes, of)
	if !changed {
		return e, false, true, nil
	}
	nobody := func(p logPerson) bool { return len(p.Records) == 0 }
	before, after = slices.DeleteFunc(before, nobody), slices.DeleteFunc(after, nobody)
	switch {
	case slices.Equal(groups(before, after), groups(after, before)):
		return left, true, false, nil
	case len(after) == 1:
		left.Kind = "merge"
	case len(before) == 1:
		left.Kind = "split"
	default:
		left.Kind = "move"
	}
	for _, part := range []struct {
		into *string
		of   any
	}{{&left.Before, before}, {&left.After, after}, {&left.Causes, causes}} {
		written, err := json.Marshal(part.of)
		if err != nil {
			return e, false, true, err
		}
		*part.into = string(written)
	}
	return left, true, true, nil
}

// groups are the records of each person that the other side has as well, in
// order: with the same ones on both sides nobody was merged or split.
func groups(side, other []logPerson) (all []string) {
	known := map[string]bool{}
	for _, p := range other {
		for _, r := range p.Records {
			known[r] = true
		}
	}
	for _, p := range side {
		records := slices.DeleteFunc(slices.Clone(p.Records), func(r string) bool { return !known[r] })
		if len(records) > 0 {
			slices.Sort(records)
			all = append(all, strings.Join(records, "\x00"))
		}
	}
	slices.Sort(all)
	return all
}

// InItsPlace stands in the audit where a name of an erased person stood: who
// looked, when and what was decided is kept, and the ledger, which few may read,
// says whose erasure it was.
func InItsPlace(id string) string { return "erased:" + id }
