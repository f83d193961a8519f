package tablefile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// Truth says which entity each record is of.
type Truth struct {
	Entities []int32 // by record
	records  map[string]int32
	sources  bool
}

// ReadTruth reads a CSV with the columns id and entity, and source where ids
// are of one source only.
func ReadTruth(name string, from io.Reader) (*Truth, error) {
	r, header, err := open(name, from)
	if err != nil {
		return nil, err
	}
	id, entity, source := slices.Index(header, "id"), slices.Index(header, "entity"), slices.Index(header, "source")
	if id < 0 || entity < 0 {
		return nil, fmt.Errorf("%s: the truth has the columns id and entity, and source if need be; the file has %v", name, header)
	}
	t := &Truth{records: map[string]int32{}, sources: source >= 0}
	entities := map[string]int32{}
	for {
		row, err := next(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken(name, err)
		}
		record := row[id]
		if t.sources {
			record = row[source] + "/" + record
		}
		if _, again := t.records[record]; again {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d of %s: the record %q stands twice", line, name, record)
		}
		e, ok := entities[row[entity]]
		if !ok {
			e = int32(len(entities))
			entities[row[entity]] = e
		}
		t.records[record] = int32(len(t.Entities))
		t.Entities = append(t.Entities, e)
	}
	if len(t.Entities) == 0 {
		return nil, fmt.Errorf("%s has a header and no row", name)
	}
	return t, nil
}

// ReadLinks reads what WriteLinks writes, by the places of the truth's
// records. Of the columns, id_a and id_b are needed; without a weight, all
// links weigh the same, and without a decision all are links.
func (t *Truth) ReadLinks(name string, from io.Reader) ([]linkage.Link, error) {
	r, header, err := open(name, from)
	if err != nil {
		return nil, err
	}
	at := func(column string) int { return slices.Index(header, column) }
	if at("id_a") < 0 || at("id_b") < 0 || t.sources && (at("source_a") < 0 || at("source_b") < 0) {
		return nil, fmt.Errorf("%s: links have the columns id_a and id_b, and source_a and source_b if the truth has source; the file has %v", name, header)
	}
	weight, decision := at("weight"), at("decision")
	var links []linkage.Link
	for {
		row, err := next(r)
		if errors.Is(err, io.EOF) {
			return links, nil
		}
		if err != nil {
			return nil, broken(name, err)
		}
		line, _ := r.FieldPos(0)
		var l linkage.Link
		for _, side := range []struct {
			place      *int32
			id, source string
		}{{&l.A, "id_a", "source_a"}, {&l.B, "id_b", "source_b"}} {
			record := row[at(side.id)]
			if t.sources {
				record = row[at(side.source)] + "/" + record
			}
			var ok bool
			if *side.place, ok = t.records[record]; !ok {
				return nil, fmt.Errorf("line %d of %s: the truth has no record %q: it must name each record that was linked", line, name, record)
			}
		}
		if weight >= 0 {
			bits, err := strconv.ParseFloat(row[weight], 32)
			if err != nil {
				return nil, fmt.Errorf("line %d of %s: weight %q is no number", line, name, row[weight])
			}
			l.Weight = float32(bits)
		}
		l.Review = decision >= 0 && row[decision] == decisionReview
		links = append(links, l)
	}
}
