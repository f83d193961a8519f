package dev

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// render draws the live view.
func render(all []tableStats, began time.Time, notes []string, where []string) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.SeparateRows = false
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 3, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}, {Number: 5, Align: text.AlignRight},
		{Number: 6, Align: text.AlignRight}, {Number: 7, Align: text.AlignRight},
	})
	t.AppendHeader(table.Row{"source", "table", "source rows", "topic offset", "ClickHouse rows", "lag", "linked"})
	var rows, offsets, landed, persons, linked int64
	previous := ""
	for _, s := range all {
		if previous != "" && previous != s.Source {
			t.AppendSeparator()
		}
		name := s.Source
		if name == previous {
			name = ""
		}
		previous = s.Source
		t.AppendRow(table.Row{name, s.Table, number(s.SourceRows), number(s.Offsets), number(s.Landed), lagText(s), share(s.Linked, s.Persons)})
		rows, offsets, landed = rows+s.SourceRows, offsets+s.Offsets, landed+max(0, s.Landed)
		persons, linked = persons+s.Persons, linked+s.Linked
	}
	t.AppendFooter(table.Row{"all", "", number(rows), number(offsets), number(landed), "", share(linked, persons)})
	var b strings.Builder
	fmt.Fprintf(&b, "hopluu dev · %s · Ctrl-C stops everything\n", time.Since(began).Round(time.Second))
	b.WriteString(t.Render())
	b.WriteByte('\n')
	for _, w := range where {
		b.WriteString(w + "\n")
	}
	for _, n := range notes {
		b.WriteString(n + "\n")
	}
	return b.String()
}

func number(n int64) string {
	if n < 0 {
		return "–"
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func lagText(s tableStats) string {
	if s.Landed < 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", s.Lag.Seconds())
}

func share(linked, persons int64) string {
	if persons == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(linked)/float64(persons))
}

// screen shows the view until the context ends: on a terminal a page that is
// drawn again every second, elsewhere a line every ten seconds.
func screen(ctx context.Context, out io.Writer, terminal bool, o *observer, began time.Time, notes func() []string) error {
	period := 10 * time.Second
	if terminal {
		period = time.Second
		// The alternate screen: what was there before comes back at the end.
		fmt.Fprint(out, "\x1b[?1049h\x1b[?25l")
	}
	where := []string{
		"ClickHouse   " + o.stack.house.URL() + "   for example: curl '" + o.stack.house.URL() + "/?query=SELECT+*+FROM+gold.indicators+FORMAT+PrettyCompact'",
		"Kafka        " + o.stack.kafka.Addr + "   registry " + o.stack.Settings.Registry.URL,
		"this program hopluu --config " + o.stack.ConfigPath + " reconcile",
		"review       hopluu --config " + o.stack.ConfigPath + " identity review   (pairs that wait for a person)",
	}
	last := ""
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		all, err := o.observe(ctx)
		if ctx.Err() == nil {
			lines := notes()
			if err != nil {
				lines = append(lines, "not answering: "+firstLine(err.Error()))
			}
			last = render(all, began, lines, where)
			if terminal {
				fmt.Fprint(out, "\x1b[H"+strings.ReplaceAll(last, "\n", "\x1b[K\n")+"\x1b[J")
			} else {
				fmt.Fprintln(out, summary(all, began))
			}
		}
		select {
		case <-ctx.Done():
			if terminal {
				fmt.Fprint(out, "\x1b[?25h\x1b[?1049l"+last)
			}
			return nil
		case <-tick.C:
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func summary(all []tableStats, began time.Time) string {
	var rows, landed, persons, linked int64
	lag := time.Duration(0)
	for _, s := range all {
		rows, landed = rows+s.SourceRows, landed+max(0, s.Landed)
		persons, linked = persons+s.Persons, linked+s.Linked
		lag = max(lag, s.Lag)
	}
	return fmt.Sprintf("%6.0fs  source rows %s, ClickHouse rows %s, lag %.1f s, linked %s", time.Since(began).Seconds(), number(rows), number(landed), lag.Seconds(), share(linked, persons))
}
