package top

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// column of a table. Those with the highest drop go first where the terminal is
// narrow; 0 stays.
type column struct {
	head  string
	right bool
	drop  int
}

// unknown stands for a figure that is not known.
const unknown = "?"

// lay draws a table into width cells: columns that do not fit are left out, then
// the last is cut, so that no line is ever longer than the terminal.
func lay(columns []column, rows [][]string, width int, head func(string) string, paint func(row int, line string) string) []string {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = ansi.StringWidth(c.head)
		for _, r := range rows {
			widths[i] = max(widths[i], ansi.StringWidth(r[i]))
		}
	}
	const gap = 2
	kept := make([]bool, len(columns))
	total := -gap
	for i := range columns {
		kept[i] = true
		total += widths[i] + gap
	}
	for total > width {
		worst := 0
		for i, c := range columns {
			if kept[i] && c.drop > columns[worst].drop {
				worst = i
			}
		}
		if columns[worst].drop == 0 {
			break
		}
		kept[worst] = false
		columns[worst].drop = 0
		total -= widths[worst] + gap
	}
	line := func(cells func(i int) string) string {
		var b strings.Builder
		for i, c := range columns {
			if !kept[i] {
				continue
			}
			if b.Len() > 0 {
				b.WriteString(strings.Repeat(" ", gap))
			}
			cell := cells(i)
			space := strings.Repeat(" ", max(0, widths[i]-ansi.StringWidth(cell)))
			if c.right {
				b.WriteString(space + cell)
			} else {
				b.WriteString(cell + space)
			}
		}
		return ansi.Truncate(strings.TrimRight(b.String(), " "), width, "…")
	}
	lines := []string{head(line(func(i int) string { return columns[i].head }))}
	for n, r := range rows {
		lines = append(lines, paint(n, line(func(i int) string { return r[i] })))
	}
	return lines
}
