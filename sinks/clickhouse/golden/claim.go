package golden

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// table is a table of a sector whose rows are in silver.
type table struct {
	sector *sectors.Sector
	said   *sectors.Table
	shape  *tables.Table
	to     *tables.Table // that its person is found by; nil when the row is a record itself
	node   *tables.Table // that its role leads to; nil when it has none, or leads to its own row
}

// column finds the column that says an attribute's field, with its versions in
// silver, newest first; none when silver does not have it.
func (t *table) column(said map[string]string, a *attribute) (*sectors.Column, []tables.Column) {
	c, ok := t.said.Column(said[a.field])
	if !ok {
		return nil, nil
	}
	versions := t.shape.Versions(c.Name)
	if len(versions) == 0 || slices.ContainsFunc(versions, func(v tables.Column) bool { return v.Type.Kind == tables.Array }) {
		return nil, nil
	}
	return c, versions
}

// matches gives the columns that say something of the row's person.
func (t *table) matches() map[string]string {
	said := map[string]string{}
	for i := range t.said.Columns {
		if c := &t.said.Columns[i]; c.Match != "" {
			said[c.Match] = c.Name
		}
	}
	return said
}

// raw is the expression for a column as text, NULL when it has no value:
// whichever of its versions has it.
func raw(versions []tables.Column) string {
	parts := make([]string, len(versions))
	for i := range versions {
		parts[i] = "toString(t." + tables.Ident(versions[i].Name) + ")"
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "coalesce(" + strings.Join(parts, ", ") + ")"
}

// text is the expression for a column's value as text, ” when it has none or
// it is not known (P4).
func text(a *attribute, versions []tables.Column) string {
	s := "ifNull(" + raw(versions) + ", '')"
	switch {
	case a.kind == name || a.kind == words:
		s = "trimBoth(normalizeUTF8NFC(" + s + "))"
	case (a.kind == birth || a.kind == date) && (len(versions) > 1 || versions[0].Type.Kind != tables.Date):
		s = "ifNull(toString(toDate32OrNull(" + s + ")), '')"
	}
	var names []string
	for i := range versions {
		names = append(names, tables.Quote(versions[i].Name))
	}
	return "if(hasAny(t._incomplete, [" + strings.Join(names, ", ") + "]), '', " + s + ")"
}

const epoch = "toDateTime64(0, 6, '" + tables.TimeZone + "')"

// asOf is the expression for the time at which a row was last right at its
// source; 1970 when nothing says so.
func (t *table) asOf() string {
	var parts []string
	if name := t.said.AsOf(); name != "" {
		for _, c := range t.shape.Versions(name) {
			s := "t." + tables.Ident(c.Name)
			switch {
			case c.Type.Kind == tables.DateTime && !c.Local:
				parts = append(parts, "toTimeZone("+s+", '"+tables.TimeZone+"')")
			case c.Type.Kind == tables.DateTime || c.Type.Kind == tables.Date:
				// Digits without a zone are the source's local time.
				parts = append(parts, "toDateTime64OrNull(toString("+s+"), 6, '"+tables.TimeZone+"')")
			}
		}
	}
	if len(parts) == 0 {
		return epoch
	}
	return "coalesce(" + strings.Join(append(parts, epoch), ", ") + ")"
}

// organisationKind is the expression for what kind of organisation a row is, ”
// when it is none.
func (t *table) organisationKind() string {
	o := t.said.Organisation
	switch {
	case o == nil:
		return "''"
	case o.Kind != "":
		return tables.Quote(o.Kind)
	}
	versions := t.shape.Versions(o.Column)
	if len(versions) == 0 {
		return "''"
	}
	value := "ifNull(" + raw(versions) + ", '')"
	var cases []string
	for _, k := range []struct {
		kind   string
		values []string
	}{{sectors.HouseholdBusinessNode, o.Kinds.HouseholdBusiness}, {sectors.OrganisationNode, o.Kinds.Organisation}} {
		if len(k.values) > 0 {
			quoted := make([]string, len(k.values))
			for i, v := range k.values {
				quoted[i] = tables.Quote(v)
			}
			cases = append(cases, value+" IN ("+strings.Join(quoted, ", ")+"), "+tables.Quote(k.kind))
		}
	}
	return "multiIf(" + strings.Join(cases, ", ") + ", '')"
}

// source begins every tuple of a claim's origin: the places of its elements.
const (
	atRecord = iota + 1
	atSource
	atTable
	atVersion
	atAsOf
	atFirst // then a trust and a text for each attribute
)

// claims is the query of what the rows of a table say: link, the record whose
// link they follow; kind, of organisation, and said, a tuple of the places
// above. A trust of 0 is of a value that is not there, or does not survive.
func (t *table) claims(link string, attributes []attribute, ofOrganisation bool) string {
	said := t.matches()
	var own map[string]string
	if t.said.Organisation != nil {
		own = t.said.Organisation.Describes()
	}
	if ofOrganisation {
		said = own
	}
	var inner, claim []string
	for i := range attributes {
		a := &attributes[i]
		c, shape := t.column(said, a)
		if c == nil {
			claim = append(claim, "toUInt8(0), ''")
			continue
		}
		v := "v_" + a.column
		inner = append(inner, fmt.Sprintf("        %s AS %s", text(a, shape), v))
		trust, partial := t.said.Trust(c)
		none := v + " = ''"
		if !ofOrganisation && isValue(own, c.Name) {
			none += " OR kind != ''"
		}
		switch part := a.partial(v); {
		case trust == 0:
			claim = append(claim, "toUInt8(0), ''")
		case part == "" || trust == partial:
			claim = append(claim, fmt.Sprintf("toUInt8(if(%s, 0, %d)), %s", none, trust, v))
		default:
			claim = append(claim, fmt.Sprintf("toUInt8(multiIf(%s, 0, %s, %d, %d)), %s", none, part, partial, trust, v))
		}
	}
	where := ""
	if ofOrganisation {
		where = "\n        WHERE kind != ''"
	} else if named := t.namesPerson(); named != "" {
		where = "\n        WHERE " + named
	}
	inner = append(inner,
		"        "+link+" AS link",
		"        "+t.organisationKind()+" AS kind",
		"        "+t.asOf()+" AS v_as_of")
	return fmt.Sprintf(`    SELECT link, kind, record, (record, toString(v_source), %s, v_version, v_as_of,
        %s) AS said
    FROM
    (
        SELECT
%s,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM %s AS t FINAL%s
    )`,
		tables.Quote(t.said.Name), strings.Join(claim, ",\n        "),
		strings.Join(inner, ",\n"), tables.Qualified(tables.Silver, t.shape.Dataset()), where)
}

// namesPerson is the condition on which a row names a person beside the
// organisation that it is a record of: a company without a representative is
// nobody's record. It is "" for a table without organisations.
func (t *table) namesPerson() string {
	if t.said.Organisation == nil {
		return ""
	}
	said, own := t.matches(), t.said.Organisation.Describes()
	conditions := []string{t.organisationKind() + " = ''"}
	for i := range personAttributes {
		a := &personAttributes[i]
		if c, shape := t.column(said, a); c != nil && !isValue(own, c.Name) {
			conditions = append(conditions, text(a, shape)+" != ''")
		}
	}
	return strings.Join(conditions, " OR ")
}

func isValue(m map[string]string, value string) bool {
	for _, v := range m {
		if v == value {
			return true
		}
	}
	return false
}
