package sectors

import "slices"

// Set is all sectors that are known, in the order of their names.
type Set struct {
	Sectors []Sector
}

// Sector finds a sector by its name ("health").
func (s *Set) Sector(name string) (*Sector, bool) {
	for i := range s.Sectors {
		if s.Sectors[i].Sector == name {
			return &s.Sectors[i], true
		}
	}
	return nil, false
}

// Text says the same in the two languages that readers use.
type Text struct {
	Vi string `yaml:"vi" json:"vi"`
	En string `yaml:"en" json:"en"`
}

// Sector is one sector database as its file describes it.
type Sector struct {
	// Sector is the name, which is also the file's name: "health" of health.yaml.
	Sector string `yaml:"sector"`
	// System is the row of the strategy's table of systems, 1 to 29.
	System int  `yaml:"system"`
	Name   Text `yaml:"name"`
	Owner  Text `yaml:"owner"` // the department that owns the data
	// Undescribed is that of the tables which do not say otherwise.
	Undescribed string  `yaml:"undescribed"`
	Tables      []Table `yaml:"tables"`
}

// Table finds a table by its name.
func (s *Sector) Table(name string) (*Table, bool) {
	for i := range s.Tables {
		if s.Tables[i].Name == name {
			return &s.Tables[i], true
		}
	}
	return nil, false
}

// Table is one captured table.
type Table struct {
	Name   string `yaml:"name"`
	Schema string `yaml:"schema"` // "public" when the file names none
	// System and Owner are the sector's unless the file says otherwise: a
	// database may hold the tables of several systems and departments.
	System  int  `yaml:"system"`
	Owner   Text `yaml:"owner"`
	Meaning Text `yaml:"meaning"`
	// Key overrides the primary key of the database; empty when it serves.
	Key    []string `yaml:"key"`
	Person *Person  `yaml:"person"` // nil when the rows speak of no person
	// Where is a condition in SQL on the row's own columns: rows that do not
	// meet it stay with their owner. Empty for all rows.
	Where string `yaml:"where"`
	// Undescribed says what becomes of columns that the file does not describe:
	// Drop keeps them in the database; with Skip the stream sends them, and the
	// connector, which may not read them, leaves them out; else they are captured.
	Undescribed string `yaml:"undescribed"`
	// Survives says how far the table's values are believed in gold; nil for
	// the defaults.
	Survives *Survives `yaml:"survives"`
	// Organisation is set when rows, or some of them, are records of an
	// organisation or of a household business.
	Organisation *Organisation `yaml:"organisation"`
	// Node is Household when the rows are households; else "".
	Node string `yaml:"node"`
	// Role is what the row's person is to an organisation or a household.
	Role    *Role    `yaml:"role"`
	Columns []Column `yaml:"columns"`
}

// Column finds a column by its name. A column that the file does not describe
// is still captured, with sensitivity Internal and no comment.
func (t *Table) Column(name string) (*Column, bool) {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i], true
		}
	}
	return nil, false
}

// Vault tells whether the table has a vault topic: it holds an identifier or a
// column that the matcher compares (P11), and its owner lets it go there.
func (t *Table) Vault() bool {
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Privacy == "" && (c.Identifier != "" || c.Match != "") {
			return true
		}
	}
	return false
}

// InVault tells whether a column of the table is in its vault topic, in plain
// text: what is an identifier or compared (P11), and, of a table whose rows are
// records of persons, what the matcher must know beside: the name of an
// organisation and which kind a row is, and when a ward's code was written.
func (t *Table) InVault(c *Column) bool {
	switch {
	case c.Privacy != "":
		return false
	case c.Identifier != "" || c.Match != "":
		return true
	case t.Person == nil || !t.Person.Direct:
		return false
	case t.Organisation != nil && (c.Name == t.Organisation.Name || c.Name == t.Organisation.Column):
		return true
	}
	return c.Name == t.WardWritten()
}

// WardWritten is the column that says when the row's ward was written, which
// says of what time its code is: AsOf of a table that matches by a ward, else "".
func (t *Table) WardWritten() string {
	for i := range t.Columns {
		if t.Columns[i].Match == Ward {
			return t.AsOf()
		}
	}
	return ""
}

// Narrow tells whether columns of the table stay with their owner: it is then
// published with a list of the others.
func (t *Table) Narrow() bool {
	return t.Undescribed == Drop || slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Privacy == Drop })
}

// Private tells whether the owner keeps back something of the table's columns:
// the connector's role may then read those that are captured, by name, and no
// other.
func (t *Table) Private() bool {
	return t.Undescribed == Drop || t.Undescribed == Skip || slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Privacy != "" })
}

// Captures tells whether a column leaves its database's connector. Of a table
// that is private, only what is described does: a column that is renamed must
// not become plain by that.
func (t *Table) Captures(column string) bool {
	c, ok := t.Column(column)
	if !ok {
		return !t.Private()
	}
	return c.Privacy != Drop
}

// Captured are the columns of a private table that leave its database's
// connector; nil for every column.
func (t *Table) Captured() []string {
	if !t.Private() {
		return nil
	}
	var names []string
	for _, c := range t.Columns {
		if c.Privacy != Drop {
			names = append(names, c.Name)
		}
	}
	return names
}

// Person says how a row leads to a person: the row is a record of a person
// (`person: direct`), or its column Via holds the key of a row of table To of
// the same sector, which is (`person: {via: patient_id, to: patient}`).
type Person struct {
	Direct bool   `yaml:"-"`
	Via    string `yaml:"via"`
	To     string `yaml:"to"`
}

// Column is one described column.
type Column struct {
	Name string `yaml:"name"`
	// Type is PostgreSQL's type as format_type() prints it, with enums by name.
	Type        string `yaml:"type"`
	Meaning     Text   `yaml:"meaning"`
	Sensitivity string `yaml:"sensitivity"`
	// Identifier is the token domain of a personal identifier, else "".
	Identifier string `yaml:"identifier"`
	// Match is what the column says of the row's own person, else "".
	Match string `yaml:"match"`
	// Privacy is what becomes of the column before it leaves its database's
	// connector, in every topic: Drop, Mask or TokenOnly; else "".
	Privacy string `yaml:"privacy"`
	// Unfit is UnfitText when values that the column's type cannot hold on the
	// way go to a field of their own; else "", and they are refused.
	Unfit string `yaml:"unfit"`
	// Refers names a table of the same sector by whose key the column names a
	// row, beside those that `person` and `role` go via: an identifier that does
	// is a token of the same key as that table's key (Table.NamesRecord).
	Refers string `yaml:"refers"`
	// Domain of the tokens of a column that is TokenOnly and no identifier:
	// equal values of one domain have equal tokens, whatever their table.
	Domain string `yaml:"domain"`
	// Survives overrides the table's for this column.
	Survives *Survives `yaml:"survives"`
}

// UnfitText has values that the column's type in the topic or in ClickHouse
// cannot hold carried as text, in a field beside the column's.
const UnfitText = "text"

// UnfitName is the name of the field with what the column's own cannot hold, ""
// when there is none.
func (c *Column) UnfitName() string {
	if c.Unfit == "" {
		return ""
	}
	return c.Name + "_unfit"
}

// TokenDomain is the domain of the tokens that the column becomes in its public
// topic, "" when it stays as it is.
func (c *Column) TokenDomain() string {
	switch {
	case c.Privacy == Drop || c.Privacy == Mask:
		return ""
	case c.Identifier != "":
		return c.Identifier
	case c.Privacy == TokenOnly:
		return c.Domain
	}
	return ""
}

// NamesRecord tells whether tokens of the column name records: it is of the
// table's key, or holds the key of another table's rows. They are then of a key
// that is not rotated, for a record's name is all that it is known by: to silver,
// to links and decisions, and a person_id is made of it.
func (t *Table) NamesRecord(column string, key []string) bool {
	c, ok := t.Column(column)
	if !ok || c.TokenDomain() == "" {
		return false
	}
	return slices.Contains(key, column) || c.Refers != "" ||
		t.Person != nil && t.Person.Via == column || t.Role != nil && t.Role.Via == column
}

// OwnNumbers are the kinds of identifiers that one person has alone. Families share
// telephones, and a tax code may be a business's.
var OwnNumbers = []string{CCCD, CMND, Insurance}

// What an owner may ask for a column. The plaintext is then in no topic, the
// vault's and the dead letters' included (P11).
const (
	// Drop keeps the column in its database.
	Drop = "drop"
	// Mask leaves that there is a value: "***", or of a date or a time the
	// first day of its year.
	Mask = "mask"
	// TokenOnly leaves a keyed token, which still joins and counts.
	TokenOnly = "token"
)

// What Table.Undescribed may say, beside Drop.
const (
	// Skip leaves such columns out in the connector. They are not granted, but
	// there is no list of columns, which keeps the application from dropping one.
	Skip = "skip"
	// Capture takes them, as when nothing is said; it overrides the sector's.
	Capture = "capture"
)

// The sensitivities, from what anyone may read to what only the vault holds in
// plain text.
const (
	Public     = "public"
	Internal   = "internal"
	Personal   = "personal"
	Sensitive  = "sensitive" // sensitive personal data under Law 91/2025
	Identifier = "identifier"
)

// The token domains, which are also matching fields.
const (
	CCCD      = "cccd"
	CMND      = "cmnd"
	Insurance = "insurance"
	Phone     = "phone"
	TaxCode   = "tax_code"
)

// The matching fields that are no identifiers.
const (
	FullName  = "full_name"
	BirthDate = "birth_date"
	Sex       = "sex"
	Ward      = "ward"
	Address   = "address"
	DiedOn    = "died_on"
)

var (
	sensitivities = []string{Public, Internal, Personal, Sensitive, Identifier}
	domains       = []string{CCCD, CMND, Insurance, Phone, TaxCode}
	privacies     = []string{Drop, Mask, TokenOnly}
	matchFields   = []string{FullName, BirthDate, Sex, CCCD, CMND, Insurance, Phone, TaxCode, Ward, Address, DiedOn}
)
