package sectors

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Survives is how far values are believed when the records of one person, or of
// one organisation, say different things. A table's holds for all its columns,
// a column's for that column alone.
//
// Of the values that are stated, the most trusted survives; of those that are
// trusted alike, the newest of an attribute that changes (phone, ward,
// address), the one that most records state of one that does not.
type Survives struct {
	// Trust is 1 to 100; 50 when nothing is said.
	Trust int `yaml:"trust"`
	// Partial is the trust of a value that says only part: a name without
	// diacritics or of one word, a birth date on 1 January. Half of Trust when
	// nothing is said.
	Partial int `yaml:"partial"`
	// Never keeps a column's values out of gold: it helps to match, but does not
	// describe the person (the ward of a building site).
	Never bool `yaml:"never"`
	// AsOf is the table's column that says when the row was last right at its
	// source: a date or a time; updated_at when the table has one. Without it
	// the table's values are older than all others. It is never the time of
	// capture, which a new snapshot would change.
	AsOf string `yaml:"as_of"`
}

const defaultTrust = 50

// Trust gives how far a column's values are believed, and those that say only
// part; 0 for a column whose values do not survive.
func (t *Table) Trust(c *Column) (trust, partial int) {
	if c.Survives != nil && c.Survives.Never {
		return 0, 0
	}
	trust = defaultTrust
	for _, s := range []*Survives{t.Survives, c.Survives} {
		if s == nil {
			continue
		}
		if s.Trust != 0 {
			trust, partial = s.Trust, 0
		}
		if s.Partial != 0 {
			partial = s.Partial
		}
	}
	if partial == 0 {
		partial = (trust + 1) / 2
	}
	return trust, partial
}

// AsOf is the column that says when a row was last right, "" when there is none.
func (t *Table) AsOf() string {
	if t.Survives != nil && t.Survives.AsOf != "" {
		return t.Survives.AsOf
	}
	if c, ok := t.Column("updated_at"); ok && datable(c) {
		return c.Name
	}
	return ""
}

// datable tells whether a column says when, and its owner lets it be seen.
func datable(c *Column) bool {
	return c.Privacy == "" && (strings.HasPrefix(c.Type, "timestamp") || c.Type == "date")
}

// The kinds of node that are no person.
const (
	HouseholdNode         = "household"
	HouseholdBusinessNode = "household_business"
	OrganisationNode      = "organisation"
)

// Organisation says which rows of a table are records of an organisation or of
// a household business, and which columns describe it. What these columns say
// in such a row is not said of the row's person, who represents it.
type Organisation struct {
	// Kind is what every row is; "" when Column tells.
	Kind string `yaml:"kind"`
	// Column tells by its value what a row is; a value that Kinds does not name
	// is of a row that is a person's alone.
	Column string `yaml:"column"`
	Kinds  struct {
		HouseholdBusiness []string `yaml:"household_business"`
		Organisation      []string `yaml:"organisation"`
	} `yaml:"kinds"`

	// The columns that describe it; "" for what the table does not say.
	Name         string `yaml:"name"`
	TaxCode      string `yaml:"tax_code"`
	Phone        string `yaml:"phone"`
	Ward         string `yaml:"ward"`
	Address      string `yaml:"address"`
	RegisteredOn string `yaml:"registered_on"`
}

// Describes gives the columns that describe the organisation, by what they say.
func (o *Organisation) Describes() map[string]string {
	all := map[string]string{"name": o.Name, TaxCode: o.TaxCode, Phone: o.Phone, Ward: o.Ward, Address: o.Address, "registered_on": o.RegisteredOn}
	for field, column := range all {
		if column == "" {
			delete(all, field)
		}
	}
	return all
}

// Role is what a row's person is to an organisation or a household: a link of
// its own, never a merge, though both may bear one number.
type Role struct {
	// Name is what the person is: represents, member_of.
	Name string `yaml:"name"`
	// Via and To lead to the record of the other: column Via holds the key of
	// table To. Both are empty when it is the row's own organisation.
	Via string `yaml:"via"`
	To  string `yaml:"to"`
	// As is the column that says more of the role (the relation to the head of
	// the household); "" for none.
	As string `yaml:"as"`
}

// golden checks what a table says of survivorship, organisations and roles.
func (c *checker) golden(yamlPath, at string, s *Sector, t *Table) {
	if t.Node != "" && t.Node != HouseholdNode {
		c.fail(yamlPath+".node", at, "node is %q; write household, or leave it away", t.Node)
	}
	if t.Survives != nil {
		c.survives(yamlPath+".survives", at, t.Survives)
		if t.Survives.Never {
			c.fail(yamlPath+".survives.never", at, "survives never is for a column; write it there")
		}
		if name := t.Survives.AsOf; name != "" {
			if col, ok := t.Column(name); !ok || !datable(col) {
				c.fail(yamlPath+".survives.as_of", at, "as_of names column %s, which is no described date or timestamp that may be seen; name another", name)
			}
		}
	}
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Survives == nil {
			continue
		}
		colPath, colAt := yamlPath+columnPath(i)+".survives", at+", column "+col.Name
		c.survives(colPath, colAt, col.Survives)
		if col.Survives.AsOf != "" {
			c.fail(colPath+".as_of", colAt, "as_of is the table's; write it there")
		}
		if col.Match == "" && !t.describes(col.Name) {
			c.fail(colPath, colAt, "survives is for a column with match, or one that describes the organisation; remove it")
		}
	}
	c.organisation(yamlPath+".organisation", at, t)
	c.role(yamlPath+".role", at, s, t)
}

func columnPath(i int) string { return fmt.Sprintf(".columns[%d]", i) }

func (t *Table) describes(column string) bool {
	if t.Organisation == nil {
		return false
	}
	for _, name := range t.Organisation.Describes() {
		if name == column {
			return true
		}
	}
	return false
}

func (c *checker) survives(yamlPath, at string, s *Survives) {
	if s.Trust < 0 || s.Trust > 100 {
		c.fail(yamlPath+".trust", at, "trust is %d; write 1 to 100", s.Trust)
	}
	if s.Partial < 0 || s.Partial > 100 || s.Trust != 0 && s.Partial > s.Trust {
		c.fail(yamlPath+".partial", at, "partial is %d; write 1 to 100, at most the trust", s.Partial)
	}
	if s.Never && (s.Trust != 0 || s.Partial != 0) {
		c.fail(yamlPath, at, "never survives and has a trust; remove one of the two")
	}
}

func (c *checker) organisation(yamlPath, at string, t *Table) {
	o := t.Organisation
	if o == nil {
		return
	}
	byColumn := o.Column != "" || len(o.Kinds.HouseholdBusiness)+len(o.Kinds.Organisation) > 0
	switch {
	case byColumn && o.Kind != "":
		c.fail(yamlPath+".kind", at, "organisation has both kind and column; kind is for a table whose rows are all of one kind")
	case byColumn:
		if col, ok := t.Column(o.Column); !ok || col.Privacy != "" {
			c.fail(yamlPath+".column", at, "organisation is told by column %q, which is not described or is kept back; name another", o.Column)
		}
		if len(o.Kinds.HouseholdBusiness)+len(o.Kinds.Organisation) == 0 {
			c.fail(yamlPath, at, "organisation has a column but no kinds; write kinds: {household_business: [value], organisation: [value]}")
		}
		for _, value := range o.Kinds.HouseholdBusiness {
			if slices.Contains(o.Kinds.Organisation, value) {
				c.fail(yamlPath+".kinds", at, "value %s is both a household business and an organisation; keep one", value)
			}
		}
	case o.Kind != OrganisationNode && o.Kind != HouseholdBusinessNode:
		c.fail(yamlPath, at, "organisation is of kind %q; write organisation or household_business, or a column with kinds", o.Kind)
	}
	if o.Name == "" {
		c.fail(yamlPath, at, "organisation needs the column of its name")
	}
	columns := o.Describes()
	for _, field := range slices.Sorted(maps.Keys(columns)) {
		name := columns[field]
		col, ok := t.Column(name)
		switch {
		case !ok || col.Privacy != "":
			c.fail(yamlPath+"."+field, at, "organisation's %s is column %s, which is not described or is kept back; name another", field, name)
		case slices.Contains(domains, field) && col.Identifier != field:
			// P11: what names the representative by number is a token.
			c.fail(yamlPath+"."+field, at, "organisation's %s is column %s, so that must have identifier: %s", field, name, field)
		}
	}
}

func (c *checker) role(yamlPath, at string, s *Sector, t *Table) {
	r := t.Role
	if r == nil {
		return
	}
	if !name.MatchString(r.Name) {
		c.fail(yamlPath+".name", at, "role is named %q; use lower-case letters, digits and _, such as represents or member_of", r.Name)
	}
	if t.Person == nil {
		c.fail(yamlPath, at, "has a role but no person who has it; add person, or remove role")
	}
	if col, ok := t.Column(r.As); r.As != "" && (!ok || col.Privacy != "") {
		c.fail(yamlPath+".as", at, "role is described by column %s, which is not described or is kept back; name another", r.As)
	}
	if r.Via == "" && r.To == "" {
		if t.Organisation == nil {
			c.fail(yamlPath, at, "role leads nowhere; add via and to, or describe the row's organisation")
		}
		return
	}
	if col, ok := t.Column(r.Via); !ok || col.Privacy != "" {
		c.fail(yamlPath+".via", at, "role goes via column %q, which is not described or is kept back; name another", r.Via)
	}
	if to, ok := s.Table(r.To); !ok || to.Organisation == nil && to.Node == "" {
		c.fail(yamlPath+".to", at, "role leads to table %q, which is no household and no organisation of this file; give it node or organisation, or name another", r.To)
	}
}
