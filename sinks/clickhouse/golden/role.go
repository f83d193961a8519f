package golden

import (
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// roleView is gold.role. A person and a household business may bear one number;
// they stay two nodes, with a role between them.
func roleView(all []table) (string, error) {
	var used []table
	var from []string
	organisations := false
	for i := range all {
		t := &all[i]
		r := t.said.Role
		if r == nil {
			continue
		}
		link, ok, err := t.person()
		if err != nil {
			return "", err
		}
		if !ok || r.To != "" && t.node == nil {
			continue // the table that it leads to is not there yet
		}
		node, kind, where := "t._record", "''", ""
		if r.To != "" {
			if node, err = t.shape.RecordVia(r.Via, r.To, t.node); err != nil {
				return "", err
			}
			if to, ok := t.sector.Table(r.To); ok && to.Node != "" {
				kind = tables.Quote(to.Node)
			}
		}
		if named := t.namesPerson(); named != "" {
			where = "\n    WHERE " + named
		}
		organisations = organisations || kind == "''"
		used = append(used, *t)
		from = append(from, fmt.Sprintf(`    SELECT %s AS link, %s AS node_record, %s AS node_kind, %s AS role, %s AS stated,
        t._record AS record, toString(t._source) AS source, %s AS table, t._version AS version, %s AS since
    FROM %s AS t FINAL%s`,
			link, node, kind, tables.Quote(r.Name), t.stated(), tables.Quote(t.said.Name), t.asOf(),
			tables.Qualified(tables.Silver, t.shape.Dataset()), where))
	}
	if len(used) == 0 {
		return "", nil
	}
	id, kind, join, where := nodeID("h", "r.node_record"), "r.node_kind", "", "r.node_kind != ''"
	if organisations {
		join = "\nLEFT ANY JOIN gold.organisation_record AS o ON o.record = r.node_record"
		id = "if(r.node_kind = '', o.organisation_id, " + id + ")"
		kind = "if(r.node_kind = '', o.kind, r.node_kind)"
		where = "kind != ''"
	}
	cols := []viewColumn{
		{"person_id", "String", "l.person_id", sectors.Text{Vi: "Mã người thống nhất trên mọi lĩnh vực", En: "The person's id over all sectors"}},
		{"role", "String", "r.role", sectors.Text{Vi: "Vai trò: represents là đại diện, member_of là thành viên", En: "Role: represents, or member_of"}},
		{"kind", "String", kind, sectors.Text{Vi: "Loại của bên kia: household là hộ, household_business là hộ kinh doanh, organisation là tổ chức", En: "Kind of the other: household, household_business or organisation"}},
		{"node_id", "String", "assumeNotNull(" + id + ")", sectors.Text{Vi: "Mã của bên kia; organisation_id với tổ chức và hộ kinh doanh", En: "The other's id; organisation_id of an organisation or household business"}},
		{"node_record", "String", "assumeNotNull(r.node_record)", sectors.Text{Vi: "Bản ghi của bên kia", En: "The other's record"}},
		{"stated", "Nullable(String)", "r.stated", sectors.Text{Vi: "Điều nguồn nói thêm về vai trò, như quan hệ với chủ hộ", En: "What the source says more of the role, such as the relation to the head"}},
		{"record", "String", "r.record", sectors.Text{Vi: "Bản ghi nói về vai trò", En: "The record that states the role"}},
		{"source", "String", "r.source", sectors.Text{Vi: "Nguồn của bản ghi đó", En: "Source of that record"}},
		{"table", "String", "r.table", sectors.Text{Vi: "Bảng của bản ghi đó", En: "Table of that record"}},
		{"version", "UInt128", "r.version", sectors.Text{Vi: "Phiên bản của bản ghi đó", En: "Version of that record"}},
		{"stated_as_of", "Nullable(" + localType + ")", "nullIf(r.since, " + epoch + ")", sectors.Text{Vi: "Bản ghi đó đúng vào lúc", En: "That record was right as of"}},
		asOfColumn(fresh(used, tables.IdentityLink)),
	}
	body := fmt.Sprintf("FROM\n(\n%s\n) AS r\nINNER JOIN (%s) AS l ON l.record = r.link%s\nWHERE r.node_record IS NOT NULL AND %s",
		strings.Join(from, "\n    UNION ALL\n"), links, join, where)
	return view("role", cols, body, sectors.Text{
		Vi: "Vai trò của người với hộ, hộ kinh doanh và tổ chức; không bao giờ là gộp, dù cùng một số",
		En: "What a person is to a household, a household business or an organisation; never a merge, though they share a number",
	}), nil
}

// stated is the expression for what the row says more of the role.
func (t *table) stated() string {
	versions := t.shape.Versions(t.said.Role.As)
	if len(versions) == 0 {
		return "CAST(NULL, 'Nullable(String)')"
	}
	return "CAST(" + raw(versions) + ", 'Nullable(String)')"
}
