package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/stretchr/testify/require"
)

// The hard cases that the weights decide, among the people of a city, as how
// rare a name is counts. A row is by header from the source on.
func TestHardCases(t *testing.T) {
	const (
		together = "one person"
		apart    = "two people"
	)
	cases := []struct {
		name, a, b, want string
	}{
		{"case01 twins, names a sign apart, numbers of their own", "population|079214000017|||Đinh Gia Khang|2014-05-06|male|0903111222|26740|7 Pasteur", "health|079214000291|||Đinh Gia Khánh|2014-05-06|male|0903111222|26740|7 Pasteur", apart},
		{"case02 twins of opposite sex", "population|079214000018|||Tô Gia An|2014-05-07|male|0903111223|26740|8 Pasteur", "health|079314000292|||Tô Gia Ân|2014-05-07|female|0903111223|26740|8 Pasteur", apart},
		{"case03 same common name and date, both in the register", "population|079085000123|||Nguyễn Văn Anh|1985-08-11|male||26740|9 Pasteur", "population|074085000777|||Nguyễn Văn Anh|1985-08-11|male||27007|88 Lê Lợi", apart},
		{"case04 father and son, same name and address", "population|079060000124|||Quách Văn Tài|1960-04-01|male|0903111225|26740|10 Pasteur", "health||||Quách Văn Tài|1988-09-12|male|0903111225|26740|10 Pasteur", apart},
		{"case05 one CMND, two people", "population|079070000125|023456780||Trần Văn Long|1970-02-03|male||26740|11 Pasteur", "welfare||023456780||Lê Thị Sương|1958-11-30|female||27007|3 Lê Lợi", apart},
		{"case07 two neighbouring digits exchanged", "population|079171263126|||Bùi Thị Sen|1971-02-04|female|0903111226|26740|12 Pasteur", "tax|079171236126|||Bùi Thị Sen|1971-02-04|female|0903111226|26740|12 Pasteur", together},
		{"case08 a number one digit from another person's", "population|079072263127|||Đỗ Văn Lập|1972-02-04|male|0903111227|26740|13 Pasteur", "tax|079072263128|||Hồ Văn Chiến|1972-10-14|male|0903555666|27007|4 Lê Lợi", apart},
		{"case09 the wrong sex is stated", "population|079173263129|||Vương Thị Hường|1973-02-04|female|0903111229|26740|14 Pasteur", "health|079173263129|||Vương Thị Hường|1973-02-04|male||26740|14 Pasteur", together},
		{"case11 a child with the guardian's number", "population|079186263130|||Cao Thị Mến|1986-02-04|female|0903111230|26740|15 Pasteur", "health|079186263130|||Lâm Gia Phúc|2016-07-08|male|0903111230|26740|15 Pasteur", apart},
		{"case13 no diacritics", "population|079074263131|||Lưu Đình Thọ|1974-02-04|male|0903111231|26740|16 Pasteur", "construction||||LUU DINH THO|1974-02-04||0903111231|26740|16 Pasteur", together},
		{"case14 decomposed", "population|079075263132|||Tạ Hữu Điền|1975-02-04|male||26740|17 Pasteur", "health||||Ta\u0323 Hu\u031b\u0303u Đie\u0302\u0300n|1975-02-04|male||26740|17 Pasteur", together},
		{"case15 tone places and Ð", "population|079176263133|||Đoàn Thị Hòa|1976-02-04|female||26740|18 Pasteur", "health||||Ðoàn Thị Hoà|1976-02-04|female||26740|18 Pasteur", together},
		{"case16 order turned, middle name missing", "population|079177263134|||Kiều Thị Oanh|1977-02-04|female|0903111234|26740|19 Pasteur", "tax||||Oanh Kiều|1977-02-04|female|0903111234|26740|19 Pasteur", together},
		{"case17 Huỳnh and Hoàng", "population|079078263135|||Huỳnh Tấn Kiệt|1978-02-14|male|0903111235|26740|20 Pasteur", "tax||||Hoàng Tấn Kiệt|1978-02-14|male|0903111235|26740|20 Pasteur", together},
		{"case18 only the year, as 1 January", "population|079079263136|||Thái Công Danh|1979-02-24|male|0903111236|26740|21 Pasteur", "welfare||||Thái Công Danh|1979-01-01|male|0903111236|26740|21 Pasteur", together},
		{"case19 29 February of a common year", "population|079081263137|||Châu Trung Tín|1981-02-28|male|0903111237|26740|22 Pasteur", "welfare||||Châu Trung Tín|29/02/1981|male|0903111237|26740|22 Pasteur", together},
		{"case20 day and month exchanged", "population|079082263138|||Mai Xuân Sang|1982-02-05|male|0903111238|26740|23 Pasteur", "health||||Mai Xuân Sang|1982-05-02|male|0903111238|26740|23 Pasteur", together},
		{"case27 moved", "population|079183263139|029513577||Diệp Kim Loan|1983-02-05|female|0903111239|26740|24 Pasteur", "health||029513577||Diệp Kim Loan|1983-02-05|female|0903999111|27559|401 Tỉnh Lộ 8", together},
		{"case28 leading zero lost", "population|079084263140|||Trịnh Nhật Quý|1984-02-05|male||26740|25 Pasteur", "tax|79084263140|||Trịnh Nhật Quý|1984-02-05|male||27559|402 Tỉnh Lộ 8", together},
		{"case28 fillers", "population|079084263141|123456789||Ngô Văn Hiệp|1984-03-05|male||26740|26 Pasteur", "tax|000000000000|123456789||Phan Văn Thịnh|1990-12-15|male||27559|403 Tỉnh Lộ 8", apart},
	}
	m, err := linkage.Default("city")
	require.NoError(t, err)
	c, err := cityParams{seed: 21, persons: 4000, rate: 1}.build()
	require.NoError(t, err)
	table, err := linkage.NewTable(m)
	require.NoError(t, err)
	f, err := table.File("city", header)
	require.NoError(t, err)
	for r := range records(c) {
		require.NoError(t, f.Add(r.row))
	}
	for i, x := range cases {
		for side, text := range []string{x.a, x.b} {
			require.NoError(t, f.Add(append([]string{fmt.Sprintf("case-%d-%d", i, side)}, strings.Split(text, "|")...)))
		}
	}
	require.NoError(t, table.Close())
	edges, err := table.Candidates(nil)
	require.NoError(t, err)
	links, err := table.Resolve(edges)
	require.NoError(t, err)
	for i, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			a, err := table.Find(fmt.Sprintf("case-%d-0", i))
			require.NoError(t, err)
			b, err := table.Find(fmt.Sprintf("case-%d-1", i))
			require.NoError(t, err)
			got := apart
			if links.Cluster[a] == links.Cluster[b] {
				got = together
			}
			e, err := table.Explain(min(a, b), max(a, b))
			require.NoError(t, err)
			require.Equal(t, x.want, got, "%+v", e)
		})
	}
}
