package linkage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const typed = `
version: typed-1
id: [id]
columns:
  - {name: cccd, role: cccd}
  - {name: cmnd, role: cmnd}
  - {name: insurance, role: social_insurance}
  - {name: phone, role: phone_vn}
  - {name: born, role: date}
  - {name: sex, role: sex}
  - {name: name, role: full_name}
  - {name: ward, role: ward, written: [updated, applied]}
  - {name: address, role: address}
  - {name: other, role: number, digits: 7}
  - {name: call, role: phone, last: 7}
comparisons:
  - {name: cccd, column: cccd, levels: [{is: equal}, {is: restored}]}
  - {name: cmnd, column: cmnd, levels: [{is: equal}]}
  - {name: insurance, column: insurance, levels: [{is: equal}]} # without restored, equal takes that in
  - {name: phone, column: phone, levels: [{is: equal}]}
  - {name: born, column: born, levels: [{is: equal}, {is: year_only}]}
  - {name: sex, column: sex, levels: [{is: equal}]}
  - {name: name, column: name, levels: [{is: equal}]}
  - {name: ward, column: ward, levels: [{is: equal}]}
  - {name: address, column: address, levels: [{is: equal}]}
  - {name: other, column: other, levels: [{is: equal}, {is: restored}]}
  - {name: call, column: call, levels: [{is: equal}]}
blocking: [{name: cccd, keys: [cccd]}]
training: {rules: [cccd]}
thresholds: {link: 5, review: 0}
`

var typedHeader = []string{"id", "cccd", "cmnd", "insurance", "phone", "born", "sex", "name", "ward", "updated", "address", "other", "call"}

// What two systems write otherwise is equal once it is normalised, and the
// intake tells what was done.
func TestRolesMakeEqual(t *testing.T) {
	tab, err := NewTable(model(t, typed))
	require.NoError(t, err)
	f, err := tab.File("a", typedHeader)
	require.NoError(t, err)
	require.NoError(t, f.Add([]string{"1", "079085001234", "", "7912345670", "0703123457", "1985-03-20", "female", "Nguyễn Văn An", "26737", "2024-05-06", "12 Lê Lợi", "1234568", "(08) 555-1234"}))
	require.NoError(t, f.Add([]string{"2", "79085001234.0", " ", "DN4797912345670", "+84 1203 123 457", "20/03/1985", "Nữ", "NguyÔn V¨n An", "26737", "2025-06-30 17:00:00+00", "Số 12 đường Lê Lợi", "1234568", "5551234 "}))
	require.NoError(t, f.Add([]string{"3", "024517348", "", "GD479", "0000000000", "29/02/1985", "khác", "Nguy?n An", "26737.0", "2025-06-30T16:59:59Z", "", "234568", "x"}))
	require.NoError(t, f.Add([]string{"4", "", "024517348", "0000000000", "", "1985", "nu", "Nguyeãn Vaên An", "Phường 12", "", "12 Lê Lợi", "12B4568", ""}))
	require.NoError(t, f.Add([]string{"5", "024517349", "024517348", "", "", "1985-20-03", "", "con bà Lan", "", "", "", "0000000", ""}))
	require.NoError(t, tab.Close())
	const (
		e = "equal"
		d = levelDiffer
		m = "missing"
	)
	require.Equal(t, []string{"restored", m, e, e, e, e, e, d, e, e, e}, levels(t, tab, "1", "2"), "a ward's code of before the reform names another place (case26)")
	require.Equal(t, []string{m, m, m, m, "year_only", m, m, e, m, d, m}, levels(t, tab, "1", "3"))
	require.Equal(t, []string{m, e, m, m, "year_only", m, m, d, m, m, m}, levels(t, tab, "3", "4"), "a CMND in the CCCD's column")
	require.Equal(t, []string{m, e, m, m, "year_only", m, m, m, m, m, m}, levels(t, tab, "4", "5"), "the CMND's own column counts more")
	require.Equal(t, []ColumnIntake{
		{Column: "cccd", Values: 2, Empty: 1, Restored: 1, Moved: 2},
		{Column: "cmnd", Values: 3, Empty: 2},
		{Column: "insurance", Values: 2, Empty: 1, Fillers: 1, Refused: 1},
		{Column: "phone", Values: 2, Empty: 2, Fillers: 1, Renumbered: 1},
		{Column: "born", Values: 5, YearOnly: 1, Swapped: 1, Impossible: 1},
		{Column: "sex", Values: 3, Empty: 1, Refused: 1},
		{Column: "name", Values: 3, Refused: 2, Converted: 2},
		{Column: "ward", Values: 4, Empty: 1},
		{Column: "address", Values: 3, Empty: 2},
		{Column: "other", Values: 3, Fillers: 1, Refused: 1, Restored: 1},
		{Column: "call", Values: 2, Empty: 2, Refused: 1},
	}, tab.Intake())
}

func TestRolesThatAreRefused(t *testing.T) {
	for _, c := range [][3]string{
		{"{name: cccd, role: cccd}", "{name: cccd, role: cccd, digits: 12}", "knows its digits"},
		{"{name: sex, role: sex}", "{name: sex, role: sex, written: [x]}", "written is for role ward"},
		{"{name: born, role: date}", "{name: born, join: [a, b], role: date}", "join is for texts"},
	} {
		_, err := ParseModel([]byte(replaceOnce(t, typed, c[0], c[1])))
		require.ErrorContains(t, err, c[2])
	}
}

// Whatever a column holds, its cells are within what comparing bears.
func FuzzTable(f *testing.F) {
	for _, s := range []string{"079085001234", "Nguyễn Văn An", "29/02/1985", "DN4797912345670", "26737", "\xff", "NguyÔn"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, x, y string) {
		tab, err := NewTable(model(t, typed))
		if err != nil {
			t.Fatal(err)
		}
		file, err := tab.File("a", typedHeader)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range []string{x, y} {
			row := make([]string, len(typedHeader))
			for k := range row {
				row[k] = s
			}
			row[0] = string(rune('1' + i))
			if err := file.Add(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := tab.Close(); err != nil {
			t.Fatal(err)
		}
		a, b := levels(t, tab, "1", "2"), levels(t, tab, "2", "1")
		for i := range a {
			if x == y && a[i] == levelDiffer || a[i] != b[i] {
				t.Fatalf("%q and %q: %v, %v", x, y, a, b)
			}
		}
		for _, in := range tab.Intake() {
			if in.Values < 0 || in.Empty < 0 || in.Values+in.Empty > 2 {
				t.Fatalf("%q, %q: %+v", x, y, in)
			}
		}
	})
}
