package column

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/hopluu/hopluu/connectors/file/sheet"
	"github.com/hopluu/hopluu/schemas/sectors"
	"golang.org/x/text/unicode/norm"
)

// Header says which cell of a row belongs to which column.
type Header struct {
	// Titles are the headings as they stand, Of the column of each, -1 for a
	// heading that names none.
	Titles []string
	Of     []int
	// Missing are the columns without a heading.
	Missing []string
}

// Unknown are the headings that name no column.
func (h *Header) Unknown() []string {
	var unknown []string
	for i, title := range h.Titles {
		if h.Of[i] < 0 && title != "" {
			unknown = append(unknown, title)
		}
	}
	return unknown
}

// Match takes a row for the header when it names every column of the key. Else
// it gives the key columns that it does not name. An *sheet.UnreadableError
// says that the row is the header but cannot be used.
func (t *Table) Match(row *sheet.Row) (h *Header, missingKey []string, err error) {
	h = &Header{Titles: make([]string, len(row.Cells)), Of: make([]int, len(row.Cells))}
	cellOf := make([]int, len(t.Columns)) // from 1
	var doubt error
	for i, cell := range row.Cells {
		h.Titles[i] = trim(cell.Text)
		found := t.find(h.Titles[i])
		h.Of[i] = -1
		switch {
		case len(found) == 0:
			continue
		case len(found) > 1:
			if doubt == nil {
				doubt = ambiguous(i, t.Columns[found[0]].Name, t.Columns[found[1]].Name)
			}
			continue
		case cellOf[found[0]] > 0:
			if doubt == nil {
				doubt = twice(t.Columns[found[0]].Name, cellOf[found[0]]-1, i)
			}
			continue
		}
		h.Of[i] = found[0]
		cellOf[found[0]] = i + 1
	}
	for i, c := range t.Columns {
		switch {
		case cellOf[i] > 0:
		case c.IsKey:
			missingKey = append(missingKey, c.Name)
		default:
			h.Missing = append(h.Missing, c.Name)
		}
	}
	if len(missingKey) > 0 {
		return nil, missingKey, nil
	}
	return h, nil, doubt
}

func ambiguous(cell int, a, b string) error {
	return &sheet.UnreadableError{
		En: fmt.Sprintf("the heading in column %s may be %s or %s: write the column's name", letters(cell), a, b),
		Vi: fmt.Sprintf("tiêu đề ở cột %s có thể là %s hoặc %s: hãy ghi tên cột", letters(cell), a, b),
	}
}

func twice(name string, a, b int) error {
	return &sheet.UnreadableError{
		En: fmt.Sprintf("column %s has two headings, in columns %s and %s: keep one", name, letters(a), letters(b)),
		Vi: fmt.Sprintf("cột %s có hai tiêu đề, ở cột %s và %s: hãy giữ lại một", name, letters(a), letters(b)),
	}
}

// letters names a column as spreadsheets do: A, B, ..., Z, AA.
func letters(i int) string {
	s := ""
	for i++; i > 0; i = (i - 1) / 26 {
		s = string(rune('A'+(i-1)%26)) + s
	}
	return s
}

// names are the headings that a column goes by, the surest first: a heading is
// looked for among the first of all columns, then among the second, and so on.
type names [][]string

func namesOf(c sectors.Column) names {
	vi, en := c.Meaning.Vi, c.Meaning.En
	tiers := [][]string{{c.Name}, {vi, en}, {before(vi, ":;("), before(en, ":;(")}, {before(vi, ":;(,"), before(en, ":;(,")}}
	var n names
	for _, tier := range tiers {
		var exact, folded []string
		for _, name := range tier {
			exact = append(exact, squeeze(name))
			folded = append(folded, fold(name))
		}
		n = append(n, exact, folded)
	}
	return n
}

// before cuts a meaning off where its explanation begins.
func before(meaning, marks string) string {
	if i := strings.IndexAny(meaning, marks); i > 0 {
		return meaning[:i]
	}
	return meaning
}

// find gives the columns that a heading may name; one when it is clear.
func (t *Table) find(title string) []int {
	if title == "" {
		return nil
	}
	for _, heading := range []string{title, before(title, "(")} {
		exact, folded := squeeze(heading), fold(heading)
		if exact == "" {
			continue
		}
		for tier := range t.Columns[0].names {
			wanted := exact
			if tier%2 == 1 {
				wanted = folded
			}
			var found []int
			for i := range t.Columns {
				for _, name := range t.Columns[i].names[tier] {
					if name == wanted {
						found = append(found, i)
						break
					}
				}
			}
			if len(found) > 0 {
				return found
			}
		}
	}
	return nil
}

// squeeze keeps letters and digits, in lower case and composed.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFC.String(s))
}

// fold takes tones and marks off, too: "Số định danh" is "sodinhdanh".
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'đ' || r == 'Đ':
			return 'd'
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFD.String(s))
}

// trim takes white space off both ends, also what cannot be seen.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' || r == '\u200e' || r == '\u200f'
	})
}
