package golden

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// View is one view of gold and the statement that makes it.
type View struct {
	Name string // without the database
	SQL  string
}

// Compile gives the views of master data, in the order in which they are made,
// from the rules of the sectors and the shapes of the data sets that silver
// has. A table that silver does not have yet says nothing; a view of which no
// table says anything is left out. An error names what a sector file says and
// silver cannot give.
func Compile(set *sectors.Set, shapes map[string]*tables.Table) ([]View, error) {
	all := known(set, shapes)
	person, err := personView(all)
	if err != nil {
		return nil, err
	}
	views := []View{{"person_history", personHistory()}}
	if person != "" {
		views = append(views, View{"person", person})
	}
	records, organisation := organisationViews(all)
	if records != "" {
		views = append(views, View{"organisation_record", records}, View{"organisation", organisation})
	}
	role, err := roleView(all)
	if err != nil {
		return nil, err
	}
	if role != "" {
		views = append(views, View{"role", role})
	}
	return views, nil
}

// known gives the tables that silver has, in the order of sectors and files.
func known(set *sectors.Set, shapes map[string]*tables.Table) []table {
	shape := func(sector, name string) *tables.Table {
		if t := shapes[sector+"_"+name]; t != nil && t.Keyed() {
			return t
		}
		return nil
	}
	var all []table
	for i := range set.Sectors {
		s := &set.Sectors[i]
		for j := range s.Tables {
			said := &s.Tables[j]
			t := table{sector: s, said: said, shape: shape(s.Sector, said.Name)}
			if t.shape == nil {
				continue
			}
			if p := said.Person; p != nil && !p.Direct {
				t.to = shape(s.Sector, p.To)
			}
			if r := said.Role; r != nil && r.To != "" {
				t.node = shape(s.Sector, r.To)
			}
			all = append(all, t)
		}
	}
	return all
}

// person gives the expression for the record whose link a row follows; ok is
// false while the table that it is found by is not there.
func (t *table) person() (link string, ok bool, err error) {
	if t.said.Person == nil || !t.said.Person.Direct && t.to == nil {
		return "", false, nil
	}
	link, err = t.shape.PersonRecord(t.to)
	return link, err == nil, err
}

// viewColumn is one column of a view.
type viewColumn struct {
	name, sqlType, expr string
	comment             sectors.Text
}

func view(name string, cols []viewColumn, body string, comment sectors.Text) string {
	var head, sel strings.Builder
	for i, c := range cols {
		if i > 0 {
			head.WriteString(",\n")
			sel.WriteString(",\n")
		}
		fmt.Fprintf(&head, "    %s %s COMMENT %s", tables.Ident(c.name), c.sqlType, tables.Quote(both(c.comment)))
		fmt.Fprintf(&sel, "    %s AS %s", c.expr, tables.Ident(c.name))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW gold.%s\n(\n%s\n)\nAS\n%sSELECT\n%s\n%s\nCOMMENT %s",
		tables.Ident(name), head.String(), "", sel.String(), body, tables.Quote(both(comment)))
}

// both writes a comment as the catalogue divides it.
func both(t sectors.Text) string { return t.Vi + " — " + t.En }

// links is the query of which person each record belongs to.
const links = "SELECT record, assumeNotNull(person_id) AS person_id, citizen FROM silver.identity_link FINAL WHERE person_id != ''"

// fresh is the expression for the time as of which the tables are right (P10).
func fresh(used []table, more ...string) string {
	names := slices.Clone(more)
	for i := range used {
		names = append(names, used[i].shape.Dataset())
	}
	slices.Sort(names)
	for i := range names {
		names[i] = tables.Quote(names[i])
	}
	return "(SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN (" + strings.Join(names, ", ") + "))"
}

const localType = "DateTime64(6, '" + tables.TimeZone + "')"

func asOfColumn(expr string) viewColumn {
	return viewColumn{"as_of", "Nullable(" + localType + ")", expr, sectors.Text{Vi: "Số liệu tính đến", En: "Right as of"}}
}

func personView(all []table) (string, error) {
	var used []table
	var from []string
	for i := range all {
		t := &all[i]
		if len(t.matches()) == 0 {
			continue
		}
		link, ok, err := t.person()
		if err != nil {
			return "", err
		}
		if ok {
			used = append(used, *t)
			from = append(from, t.claims(link, personAttributes, false))
		}
	}
	if len(used) == 0 {
		return "", nil
	}
	inner := fmt.Sprintf(`    SELECT l.person_id AS person_id, max(l.citizen) AS citizen, toUInt32(countIf(r.link = r.record)) AS members,
        arraySort(groupUniqArray(r.said.%d)) AS sources, groupArray(r.said) AS m
    FROM
    (
%s
    ) AS r
    INNER JOIN (%s) AS l ON l.record = r.link
    GROUP BY l.person_id`, atSource, strings.Join(from, "\n    UNION ALL\n"), links)
	cols, body := assembled(personAttributes, []viewColumn{
		{"person_id", "String", "", sectors.Text{Vi: "Mã người thống nhất trên mọi lĩnh vực", En: "The person's id over all sectors"}},
		{"citizen", "Nullable(String)", "", sectors.Text{Vi: "Bản ghi dân cư của người đó; trống khi chưa liên kết", En: "The person's record in the population register; empty while not linked"}},
		{"members", "UInt32", "", sectors.Text{Vi: "Số bản ghi của người đó", En: "Number of the person's records"}},
		{"sources", "Array(String)", "", sectors.Text{Vi: "Các nguồn có bản ghi của người đó", En: "Sources that have a record of the person"}},
	}, inner)
	describe(cols, personAttributes, used, (*table).matches)
	cols = append(cols, asOfColumn(fresh(used, tables.IdentityLink)))
	return view("person", cols, body, sectors.Text{
		Vi: "Mỗi người một dòng: giá trị được tin nhất của từng thuộc tính, bản ghi nguồn của nó và số bản ghi nói khác",
		En: "One row a person: the surviving value of each attribute, the record that it came from, and how many records disagree",
	}), nil
}

func organisationViews(all []table) (records, organisation string) {
	var used []table
	var from, ids []string
	for i := range all {
		t := &all[i]
		if t.said.Organisation == nil {
			continue
		}
		used = append(used, *t)
		from = append(from, t.claims("t._record", organisationAttributes, true))
		code := "''"
		for i := range organisationAttributes {
			if a := &organisationAttributes[i]; a.field == sectors.TaxCode {
				if _, c := t.column(t.said.Organisation.Describes(), a); c != nil {
					code = text(a, c)
				}
			}
		}
		ids = append(ids, fmt.Sprintf(`    SELECT t._record AS record, toString(t._source) AS source, %s AS table, %s AS kind, %s AS code
    FROM %s AS t FINAL
    WHERE kind != ''`, tables.Quote(t.said.Name), t.organisationKind(), code, tables.Qualified(tables.Silver, t.shape.Dataset())))
	}
	if len(used) == 0 {
		return "", ""
	}
	id := viewColumn{"organisation_id", "String", "", sectors.Text{Vi: "Mã tổ chức, hộ kinh doanh thống nhất", En: "The id of the organisation or household business over all sources"}}
	kind := viewColumn{"kind", "String", "", sectors.Text{Vi: "Loại: organisation là tổ chức, household_business là hộ kinh doanh", En: "Kind: organisation or household_business"}}
	rid, rkind := id, kind
	rid.expr, rkind.expr = nodeID("o", "min(record) OVER (PARTITION BY same)"), "kind"
	// A household business bears its representative's number, as every other one
	// of the same representative does: it is one record each. A company's code is
	// its own.
	records = view("organisation_record", []viewColumn{
		{"record", "String", "record", sectors.Text{Vi: "Tên bản ghi: nguồn.bảng:khóa", En: "Name of the record: source.table:key"}},
		{"source", "String", "source", sectors.Text{Vi: "Nguồn của bản ghi", En: "Source of the record"}},
		{"table", "String", "table", sectors.Text{Vi: "Bảng của bản ghi", En: "Table of the record"}},
		rkind, rid,
	}, fmt.Sprintf(`FROM
(
    SELECT *, if(kind = %s AND code != '', ('code', code), ('record', record)) AS same
    FROM
    (
%s
    )
) AS r`, tables.Quote(sectors.OrganisationNode), strings.Join(ids, "\n    UNION ALL\n")), sectors.Text{
		Vi: "Mỗi bản ghi của tổ chức, hộ kinh doanh thuộc về tổ chức nào", En: "To which organisation or household business each record belongs"})

	inner := fmt.Sprintf(`    SELECT o.organisation_id AS organisation_id, any(o.kind) AS kind, toUInt32(count()) AS members,
        arraySort(groupUniqArray(r.said.%d)) AS sources, groupArray(r.said) AS m
    FROM
    (
%s
    ) AS r
    INNER JOIN gold.organisation_record AS o ON o.record = r.link
    GROUP BY o.organisation_id`, atSource, strings.Join(from, "\n    UNION ALL\n"))
	cols, body := assembled(organisationAttributes, []viewColumn{
		id, kind,
		{"members", "UInt32", "", sectors.Text{Vi: "Số bản ghi của tổ chức", En: "Number of its records"}},
		{"sources", "Array(String)", "", sectors.Text{Vi: "Các nguồn có bản ghi của tổ chức", En: "Sources that have a record of it"}},
	}, inner)
	describe(cols, organisationAttributes, used, func(t *table) map[string]string { return t.said.Organisation.Describes() })
	cols = append(cols, asOfColumn(fresh(used)))
	return records, view("organisation", cols, body, sectors.Text{
		Vi: "Mỗi tổ chức, hộ kinh doanh một dòng: giá trị được tin nhất của từng thuộc tính, bản ghi nguồn của nó và số bản ghi nói khác",
		En: "One row an organisation or household business: the surviving value of each attribute, the record that it came from, and how many records disagree",
	})
}

// nodeID is the expression for the id of what a record is the first of: made
// as a person's is, from no identifier and no token, so that a rotated key
// moves nothing.
func nodeID(letter, record string) string {
	return fmt.Sprintf("concat('%s', lower(hex(substring(SHA256(%s), 1, 12))))", letter, record)
}
