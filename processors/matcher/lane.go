package matcher

import (
	"fmt"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// populationSystem is the row of the population register in the strategy's
// table of systems: its records are verified.
const populationSystem = 1

// lane is one table whose rows are records of persons, with its vault topic.
type lane struct {
	topic  string
	origin *identity.Origin
	schema string
	// matches says what a column, by its name, says of the row's person: one
	// of the matching fields of package sectors.
	matches map[string]string
	// organisation is what a row is that names no person, AnyNode where every row
	// is a person's. own are the columns that describe it, and say nothing of who
	// answers for it.
	organisation identity.Node
	own          map[string]bool
	// kinds tells by the value of a column what such a row is; nil where all are
	// of one kind.
	kinds map[string]identity.Node
	// beside are the columns that say something that is not the row's person's.
	// Messages of before they went to the vault do without.
	beside []besideColumn
}

// besideColumn is a column by its name and what it says.
type besideColumn struct {
	column string
	role   role
}

// node is what a row is that names no person, by its kind as it is written. A
// kind that the sector's file does not name is of a person alone.
func (l *lane) node(kind []byte) identity.Node {
	if l.kinds == nil || len(kind) == 0 {
		return l.organisation
	}
	if n, ok := l.kinds[string(kind)]; ok {
		return n
	}
	return identity.PersonNode
}

func (l *lane) name() string { return l.origin.Source + "." + l.schema + "." + l.origin.Table }

// lanesOf gives the lanes of all sources by their vault topics.
func lanesOf(set *sectors.Set, sources []SourceRef) (map[string]*lane, error) {
	lanes := map[string]*lane{}
	for _, source := range sources {
		sector, ok := set.Sector(source.Sector)
		if !ok {
			return nil, fmt.Errorf("source %s: there is no sector %q: correct its sector, or describe it in schemas/sectors/%s.yaml", source.Name, source.Sector, source.Sector)
		}
		for i := range sector.Tables {
			table := &sector.Tables[i]
			if table.Person == nil || !table.Person.Direct {
				continue
			}
			l := &lane{
				topic:   topic.Vault(source.Name, table.Schema, table.Name),
				origin:  &identity.Origin{Source: source.Name, Sector: sector.Sector, Table: table.Name, Register: table.System == populationSystem},
				schema:  table.Schema,
				matches: map[string]string{},
			}
			for _, column := range table.Columns {
				if column.Match != "" {
					l.matches[column.Name] = column.Match
				}
			}
			if o := table.Organisation; o != nil {
				l.organisation, l.own = identity.OrganisationNode, map[string]bool{}
				if o.Kind == sectors.HouseholdBusinessNode || o.Kind == "" && len(o.Kinds.Organisation) == 0 {
					l.organisation = identity.HouseholdBusinessNode
				}
				for _, column := range o.Describes() {
					l.own[column] = true
				}
				l.describe(o)
			}
			if column := table.WardWritten(); column != "" {
				l.beside = append(l.beside, besideColumn{column, roleWritten})
			}
			if _, twice := lanes[l.topic]; twice {
				return nil, fmt.Errorf("source %s is named twice: give every source a name of its own", source.Name)
			}
			lanes[l.topic] = l
		}
	}
	if len(lanes) == 0 {
		return nil, fmt.Errorf("no table of the %d sources holds records of persons: mark one with `person: direct` in its sector's file", len(sources))
	}
	return lanes, nil
}

// describe notes the columns that tell what a row of an organisation is.
func (l *lane) describe(o *sectors.Organisation) {
	l.beside = append(l.beside, besideColumn{o.Name, roleOrganisation})
	if o.Column == "" {
		return
	}
	l.beside = append(l.beside, besideColumn{o.Column, roleKind})
	l.kinds = map[string]identity.Node{}
	for _, value := range o.Kinds.HouseholdBusiness {
		l.kinds[value] = identity.HouseholdBusinessNode
	}
	for _, value := range o.Kinds.Organisation {
		l.kinds[value] = identity.OrganisationNode
	}
}
