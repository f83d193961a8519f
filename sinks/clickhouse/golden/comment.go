package golden

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
)

// describe writes the comments of the attributes' columns: the meaning that the
// most trusted column has in its sector file, and the order of trust.
func describe(cols []viewColumn, attributes []attribute, used []table, said func(*table) map[string]string) {
	for i := range attributes {
		a := &attributes[i]
		meaning, trusts := a.said(used, said)
		comment := map[string]sectors.Text{
			a.column: meaning,
			a.column + "_from": {
				Vi: fmt.Sprintf("Bản ghi nguồn của %s: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (%s)", a.column, trusts),
				En: fmt.Sprintf("The record that %s came from: source, table, record, version, as of and trust (%s)", a.column, trusts),
			},
			a.column + "_disagree": {
				Vi: "Số bản ghi có giá trị khác của " + a.column, En: "Number of records with another value of " + a.column,
			},
		}
		for j := range cols {
			if c, ok := comment[cols[j].name]; ok {
				cols[j].comment = c
			}
		}
	}
}

// said gives what an attribute means, and how far the tables that state it are
// believed, the most trusted first.
func (a *attribute) said(used []table, said func(*table) map[string]string) (meaning sectors.Text, trusts string) {
	type stated struct {
		table string
		trust int
		c     *sectors.Column
	}
	var all []stated
	for i := range used {
		t := &used[i]
		if c, _ := t.column(said(t), a); c != nil {
			if trust, _ := t.said.Trust(c); trust > 0 {
				all = append(all, stated{t.sector.Sector + "." + t.said.Name, trust, c})
			}
		}
	}
	if len(all) == 0 {
		return a.meaning, "0"
	}
	slices.SortStableFunc(all, func(x, y stated) int { return y.trust - x.trust })
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = fmt.Sprintf("%s %d", s.table, s.trust)
	}
	meaning = all[0].c.Meaning
	if all[0].c.TokenDomain() != "" {
		// P11: what is here is no number.
		meaning = sectors.Text{Vi: meaning.Vi + " (mã thay thế có khóa)", En: meaning.En + " (a keyed token)"}
	}
	return meaning, strings.Join(list, ", ")
}
