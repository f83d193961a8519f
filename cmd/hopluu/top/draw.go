package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/hopluu/hopluu/connectors"
)

// Sort is by what the sources are ordered.
type Sort int

// The orders; all but the first begin with what is worst.
const (
	ByName Sort = iota
	ByLag
	ByRate
	ByWAL
	sorts
)

func (s Sort) String() string {
	return [...]string{"tên/name", "độ trễ/lag", "tốc độ/rate", "WAL"}[s%sorts]
}

// Style is how a picture is drawn.
type Style struct {
	Width int
	Sort  Sort
	// Plain is without colours, for files and dumb terminals.
	Plain bool
}

func (s Style) sgr(code, text string) string {
	if s.Plain || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) title(text string) string { return s.sgr("1;36", ansi.Truncate(text, s.Width, "…")) }
func (s Style) head(text string) string  { return s.sgr("2", text) }
func (s Style) bad(text string) string   { return s.sgr("31", text) }
func (s Style) wait(text string) string  { return s.sgr("33", text) }

// note is a line below a title.
func (s Style) note(paint func(string) string, format string, args ...any) string {
	return paint(ansi.Truncate("  "+fmt.Sprintf(format, args...), s.Width, "…"))
}

func plain(_ int, line string) string { return line }

// Draw gives the lines of a picture. None is wider than the style says.
func Draw(p Picture, s Style) []string {
	var lines []string
	section := func(title string, body []string) {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(append(lines, s.title(title)), body...)
	}
	away := func(what, why string) []string {
		return []string{s.note(s.bad, "không hỏi được · away: %s: %s", what, why)}
	}
	if len(p.Pauses) > 0 {
		section("TẠM DỪNG · PAUSED", s.pauses(p))
	}
	section("CẢNH BÁO · ALARMS", s.alarms(p))
	section("NGUỒN · SOURCES", s.sources(p))
	section("NHÓM TIÊU THỤ · CONSUMER GROUPS", s.groups(p))
	if p.ClickHouse != "" {
		section("BẢN GHI LỖI, ĐỐI SOÁT, ĐỘ TƯƠI · DEAD LETTERS, RECONCILIATION, FRESHNESS", away("ClickHouse", p.ClickHouse))
	} else {
		section("BẢN GHI LỖI · DEAD LETTERS", s.letters(p))
		section("ĐỐI SOÁT · RECONCILIATION", s.reconciled(p))
		section("ĐỘ TƯƠI · FRESHNESS", s.datasets(p))
	}
	section("TIẾN TRÌNH · PROCESSES", s.processes(p))
	return lines
}

func (s Style) alarms(p Picture) []string {
	all := p.Alarms()
	if len(all) == 0 {
		return []string{s.note(s.head, "không có · none")}
	}
	var rows [][]string
	for _, a := range all {
		rows = append(rows, []string{a.Kind, a.What, a.Why})
	}
	return lay([]column{{head: "loại/kind"}, {head: "ở đâu/what"}, {head: "vì sao/why"}}, rows, s.Width, s.head, func(i int, line string) string {
		if all[i].Kind == Paused {
			return s.wait(line)
		}
		return s.bad(line)
	})
}

func (s Style) pauses(p Picture) []string {
	var rows [][]string
	for _, x := range p.Pauses {
		rows = append(rows, []string{x.Target, x.By, ago(p.At, x.Since), x.Why})
	}
	return lay([]column{{head: "đối tượng/target"}, {head: "bởi/by", drop: 1}, {head: "đã/for", right: true}, {head: "lý do/why"}}, rows, s.Width, s.head,
		func(_ int, line string) string { return s.wait(line) })
}

func (s Style) sources(p Picture) []string {
	all := slices.Clone(p.Sources)
	slices.SortStableFunc(all, func(a, b Source) int {
		switch s.Sort {
		case ByLag:
			return worst(a.LagSeconds, b.LagSeconds)
		case ByRate:
			return worst(a.PerSecond, b.PerSecond)
		case ByWAL:
			return worst(a.RetainedBytes, b.RetainedBytes)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	if len(all) == 0 {
		return []string{s.note(s.head, "không có · none")}
	}
	var rows [][]string
	for _, x := range all {
		tables := unknown
		if x.Tables != nil && x.Complete != nil {
			tables = fmt.Sprintf("%d/%d", *x.Complete, *x.Tables)
		}
		left := "-"
		if x.SecondsLeft != nil {
			left = connectors.Seconds(*x.SecondsLeft)
		}
		rows = append(rows, []string{
			x.Name, x.State, perSecond(x.PerSecond), seconds(x.LagSeconds), bytes(x.RetainedBytes), left, tables, cmp.Or(x.Away, strings.Join(x.Aside, ", ")),
		})
	}
	return lay([]column{
		{head: "nguồn/source"}, {head: "trạng thái/state"}, {head: "sự kiện/s/rate", right: true, drop: 1}, {head: "trễ/lag", right: true},
		{head: "WAL giữ/kept", right: true}, {head: "còn/left", right: true, drop: 2}, {head: "bảng/tables", right: true, drop: 3}, {head: "cách ly, lỗi/quarantined, error"},
	}, rows, s.Width, s.head, func(i int, line string) string {
		switch {
		case all[i].Alarm || all[i].Away != "":
			return s.bad(line)
		case all[i].State == "paused":
			return s.wait(line)
		}
		return line
	})
}

// worst puts the greatest first, and what is not known before it: it may be.
func worst[T cmp.Ordered](a, b *T) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*b, *a)
}

func (s Style) groups(p Picture) []string {
	var rows [][]string
	for _, g := range p.Groups {
		behind := unknown
		if g.Behind != nil {
			behind = fmt.Sprint(*g.Behind)
		}
		members := unknown
		if g.Members != nil {
			members = fmt.Sprint(*g.Members)
		}
		partitions := unknown
		if g.Away == "" {
			partitions = fmt.Sprint(g.Partitions)
		}
		rows = append(rows, []string{g.Name, members, partitions, behind, perSecond(g.PerSecond), cmp.Or(g.Away, g.Worst)})
	}
	return lay([]column{
		{head: "nhóm/group"}, {head: "thành viên/members", right: true, drop: 3}, {head: "phân vùng/partitions", right: true, drop: 2}, {head: "chậm/behind", right: true}, {head: "bản ghi/s/rate", right: true, drop: 1}, {head: "chậm nhất/furthest behind"},
	}, rows, s.Width, s.head, func(i int, line string) string {
		if p.Groups[i].Away != "" {
			return s.bad(line)
		}
		return line
	})
}

func (s Style) letters(p Picture) []string {
	if len(p.Letters) == 0 {
		return []string{s.note(s.head, "không có · none")}
	}
	var rows [][]string
	for _, l := range p.Letters {
		rows = append(rows, []string{l.Topic, fmt.Sprint(l.Open), ago(p.At, l.Since), l.Reason})
	}
	return lay([]column{{head: "chủ đề/topic"}, {head: "chờ/open", right: true}, {head: "đã/for", right: true, drop: 1}, {head: "lý do/reason"}}, rows, s.Width, s.head,
		func(_ int, line string) string { return s.bad(line) })
}

// reconciled shows what differs; what agrees is counted.
func (s Style) reconciled(p Picture) []string {
	if len(p.Reconciled) == 0 {
		return []string{s.note(s.wait, "chưa đối soát · nothing was compared yet: hopluu reconcile")}
	}
	var rows [][]string
	agree, oldest := 0, p.At
	for _, c := range p.Reconciled {
		if c.At.Before(oldest) {
			oldest = c.At
		}
		if c.OK && c.Error == "" {
			agree++
			continue
		}
		rows = append(rows, []string{c.Source, c.Table, fmt.Sprint(c.Differ), ago(p.At, c.At), c.Error})
	}
	lines := []string{s.note(s.head, "%d/%d khớp · agree; cũ nhất cách đây · the oldest %s ago", agree, len(p.Reconciled), ago(p.At, oldest))}
	if len(rows) > 0 {
		lines = append(lines, lay([]column{{head: "nguồn/source"}, {head: "bảng/table"}, {head: "khác/differ", right: true}, {head: "cách đây/ago", right: true, drop: 1}, {head: "lỗi/error"}}, rows, s.Width, s.head,
			func(_ int, line string) string { return s.bad(line) })...)
	}
	return lines
}

// fresh is how many data sets are shown: the stalest.
const fresh = 8

func (s Style) datasets(p Picture) []string {
	if len(p.Datasets) == 0 {
		return []string{s.note(s.head, "không có · none")}
	}
	all := slices.Clone(p.Datasets)
	slices.SortStableFunc(all, func(a, b Dataset) int {
		switch {
		case a.AsOf == nil && b.AsOf == nil:
			return 0
		case a.AsOf == nil:
			return -1
		case b.AsOf == nil:
			return 1
		}
		return a.AsOf.Compare(*b.AsOf)
	})
	var rows [][]string
	for _, d := range all[:min(fresh, len(all))] {
		behind := "chưa biết/not known"
		if d.AsOf != nil {
			behind = ago(p.At, *d.AsOf)
		}
		rows = append(rows, []string{d.Name, behind})
	}
	lines := lay([]column{{head: "bộ dữ liệu/data set"}, {head: "đúng đến, cách đây/as of, ago", right: true}}, rows, s.Width, s.head, plain)
	if more := len(all) - fresh; more > 0 {
		lines = append(lines, s.note(s.head, "+%d tươi hơn · fresher", more))
	}
	return lines
}

func (s Style) processes(p Picture) []string {
	if len(p.Processes) == 0 {
		return []string{s.note(s.head, "không nêu địa chỉ · none named: --metrics ADDRESS")}
	}
	var rows [][]string
	for _, x := range p.Processes {
		memory := unknown
		if x.MemoryBytes != nil {
			memory = connectors.Bytes(int64(*x.MemoryBytes))
		}
		rows = append(rows, []string{x.Address, memory, cmp.Or(x.Away, x.Ready, "sẵn sàng/ready")})
	}
	return lay([]column{{head: "địa chỉ/address"}, {head: "bộ nhớ/memory", right: true, drop: 1}, {head: "trạng thái/state"}}, rows, s.Width, s.head, func(i int, line string) string {
		switch x := p.Processes[i]; {
		case x.Away != "":
			return s.bad(line)
		case x.Ready != "":
			return s.wait(line)
		}
		return line
	})
}

func perSecond(n *float64) string {
	if n == nil {
		return unknown
	}
	return fmt.Sprintf("%.0f", *n)
}

func seconds(n *float64) string {
	if n == nil {
		return unknown
	}
	return connectors.Seconds(*n)
}

func bytes(n *int64) string {
	if n == nil {
		return unknown
	}
	return connectors.Bytes(*n)
}

func ago(now, then time.Time) string {
	return connectors.Seconds(max(0, now.Sub(then).Seconds()))
}
