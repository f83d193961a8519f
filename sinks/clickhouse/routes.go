package clickhouse

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// route is where the records of one topic go.
type route struct {
	topic   string
	source  string
	desc    tables.Description
	dataset string
	// flat: the value is the row itself, not a change envelope.
	flat bool
	// shape, of a flat topic, is that of its tables, which are made at start and
	// not with its first message.
	shape func() *tables.Table
}

type routes map[string]*route // by topic

func newRoutes(set *sectors.Set, sources []SourceRef) (routes, error) {
	r := routes{}
	for _, src := range sources {
		sector, ok := set.Sector(src.Sector)
		if !ok {
			return nil, fmt.Errorf("source %s names sector %s, which has no file in schemas/sectors", src.Name, src.Sector)
		}
		for i := range sector.Tables {
			t := &sector.Tables[i]
			if err := checkPerson(sector, t); err != nil {
				return nil, err
			}
			name := topic.Public(src.Name, t.Schema, t.Name)
			r[name] = &route{
				topic: name, source: src.Name, dataset: sector.Sector + "_" + t.Name,
				desc: tables.Description{Sector: sector.Sector, Name: t.Name, Table: t},
			}
		}
	}
	r[topic.IdentityLink] = &route{
		topic: topic.IdentityLink, source: tables.IdentitySource, dataset: tables.IdentityLink, flat: true, shape: tables.Identity,
		desc: tables.Description{Sector: "identity", Name: "link"},
	}
	r[topic.IdentityReview] = &route{
		topic: topic.IdentityReview, source: tables.IdentitySource, dataset: tables.IdentityReview, flat: true, shape: tables.Reviews,
		desc: tables.Description{Sector: "identity", Name: "review"},
	}
	r[topic.IdentityEvent] = &route{
		topic: topic.IdentityEvent, source: tables.IdentitySource, dataset: tables.IdentityEvent, flat: true, shape: tables.Events,
		desc: tables.Description{Sector: "identity", Name: "event"},
	}
	r[topic.IdentityAudit] = &route{
		topic: topic.IdentityAudit, source: tables.IdentitySource, dataset: tables.IdentityAudit, flat: true, shape: tables.Audits,
		desc: tables.Description{Sector: "identity", Name: "audit"},
	}
	return r, nil
}

// checkPerson refuses what the views cannot follow, at start rather than when
// the view is made.
func checkPerson(sector *sectors.Sector, t *sectors.Table) error {
	if t.Person == nil || t.Person.Direct {
		return nil
	}
	to, ok := sector.Table(t.Person.To)
	if !ok || to.Person == nil || !to.Person.Direct {
		return fmt.Errorf("sector %s, table %s: its person is found through %s, which has to be a table with `person: direct`", sector.Sector, t.Name, t.Person.To)
	}
	return nil
}

func (r routes) topics() []string { return slices.Sorted(maps.Keys(r)) }

// datasets gives each data set once, with one of its routes.
func (r routes) datasets() map[string]*route {
	all := map[string]*route{}
	for _, name := range r.topics() {
		if _, ok := all[r[name].dataset]; !ok {
			all[r[name].dataset] = r[name]
		}
	}
	return all
}
