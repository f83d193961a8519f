package top

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
)

func to[T any](v T) *T { return &v }

var at = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

func picture() Picture {
	p := Picture{
		At: at,
		Sources: []Source{
			{Name: "health", State: "streaming", PerSecond: to(120.0), LagSeconds: to(0.5), RetainedBytes: to(int64(1 << 20)), SecondsLeft: to(86400.0 * 3), Tables: to(4), Complete: to(4)},
			{Name: "tax", State: "unreachable", Away: "the database does not answer", Alarm: true},
			{Name: "welfare", State: "streaming", PerSecond: to(7.0), LagSeconds: to(61.0), RetainedBytes: to(int64(9 << 30)), Tables: to(5), Complete: to(4), Aside: []string{"public.fund"}, Alarm: true},
		},
		Groups:     []Group{{Name: "hopluu-sink", Partitions: 12, Behind: to(int64(42)), PerSecond: to(99.0), Worst: "health.public.patient 40"}},
		Letters:    []Letters{{Topic: "health.public.patient", Open: 3, Since: at.Add(-time.Hour), Reason: "không đọc được: bad schema"}},
		Datasets:   []Dataset{{Name: "health_patient", AsOf: to(at.Add(-4 * time.Second))}, {Name: "tax_taxpayer"}},
		Reconciled: []Checked{{Source: "health", Table: "public.patient", At: at.Add(-time.Minute), OK: true}, {Source: "tax", Table: "tax.public.payment", At: at.Add(-time.Minute), Differ: 2}},
		Pauses:     []Pause{{Target: "connector/tax", By: "Trần Thị B", Why: "thay đĩa", Since: at.Add(-time.Minute)}},
		Processes:  []Process{{Address: "127.0.0.1:9464", MemoryBytes: to(7e7)}, {Address: "127.0.0.1:9466", Away: "connection refused"}},
	}
	return p
}

// No line is wider than the terminal, whatever its size, and no part vanishes.
func TestDrawFits(t *testing.T) {
	for _, width := range []int{1, 20, 40, 60, 80, 100, 160, 300} {
		lines := Draw(picture(), Style{Width: width})
		for _, l := range lines {
			require.LessOrEqual(t, ansi.StringWidth(l), width, "%d: %q", width, l)
			require.NotContains(t, l, "\n")
		}
		if width >= 40 {
			text := ansi.Strip(strings.Join(lines, "\n"))
			for _, part := range []string{"TẠM DỪNG · PAUSED", "NGUỒN · SOURCES", "NHÓM TIÊU THỤ · CONSUMER GROUPS", "BẢN GHI LỖI · DEAD LETTERS", "ĐỐI SOÁT", "ĐỘ TƯƠI", "TIẾN TRÌNH", "health", "tax", "hopluu-sink"} {
				require.Contains(t, text, part, width)
			}
		}
	}
	require.NotContains(t, strings.Join(Draw(picture(), Style{Width: 160, Plain: true}), ""), "\x1b")
}

// What is not known is no zero: it has a sign of its own, and the reason.
func TestAwayIsNotZero(t *testing.T) {
	p := picture()
	p.Kafka, p.Groups, p.ClickHouse = "no broker answers", []Group{{Name: "hopluu-sink", Away: "no broker answers"}}, "connection refused"
	lines := Draw(p, Style{Width: 160, Plain: true})
	of := func(prefix string) []string {
		for _, l := range lines {
			if strings.HasPrefix(l, prefix) {
				return strings.Fields(l)
			}
		}
		t.Fatalf("no line of %s in %q", prefix, lines)
		return nil
	}
	require.Equal(t, strings.Fields("tax unreachable ? ? ? - ? the database does not answer"), of("tax"))
	require.Equal(t, strings.Fields("hopluu-sink ? ? ? ? no broker answers"), of("hopluu-sink"))
	text := strings.Join(lines, "\n")
	require.Contains(t, text, "away: ClickHouse: connection refused")
	require.NotContains(t, text, "DEAD LETTERS\n  không có", "none and not known are two things")
	require.Equal(t, strings.Fields("tax_taxpayer chưa biết/not known"), strings.Fields(func() string {
		for _, l := range Draw(picture(), Style{Width: 160, Plain: true}) {
			if strings.HasPrefix(l, "tax_taxpayer") {
				return l
			}
		}
		return ""
	}()))
}

func order(s Sort) (names []string) {
	for _, l := range Draw(picture(), Style{Width: 160, Sort: s, Plain: true}) {
		switch name, _, _ := strings.Cut(l, " "); name {
		case "health", "tax", "welfare":
			if strings.Contains(l, "streaming") || strings.Contains(l, "unreachable") {
				names = append(names, name)
			}
		}
	}
	return names
}

// The worst is on top, and what is not known may be worse still.
func TestSort(t *testing.T) {
	require.Equal(t, []string{"health", "tax", "welfare"}, order(ByName))
	require.Equal(t, []string{"tax", "welfare", "health"}, order(ByLag))
	require.Equal(t, []string{"tax", "health", "welfare"}, order(ByRate))
	require.Equal(t, []string{"tax", "welfare", "health"}, order(ByWAL))
}

// Keys and sizes: the view fills the terminal, scrolls to its end and not beyond,
// helps and quits.
func TestModel(t *testing.T) {
	var m tea.Model = model{look: func() tea.Msg { return picture() }, every: time.Second, width: 80, height: 24}
	step := func(msg tea.Msg) tea.Cmd {
		next, cmd := m.Update(msg)
		m = next
		return cmd
	}
	press := func(code rune) tea.Cmd { return step(tea.KeyPressMsg{Code: code, Text: string(code)}) }
	text := func() string { return ansi.Strip(m.(model).text()) }
	require.Contains(t, text(), "asking")
	require.NotNil(t, step(picture()), "the next picture is asked for")
	for _, size := range []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 30, Height: 5}, {Width: 1, Height: 1}, {Width: 200, Height: 80}, {Width: 70, Height: 12}} {
		step(size)
		lines := strings.Split(text(), "\n")
		require.LessOrEqual(t, len(lines), size.Height, "%v", size)
		if size.Height > 2 {
			require.Len(t, lines, size.Height, "%v", size)
		}
	}
	require.Contains(t, text(), "TẠM DỪNG")
	step(tea.KeyPressMsg{Code: tea.KeyEnd})
	require.Contains(t, text(), "127.0.0.1:9466")
	end := text()
	step(tea.KeyPressMsg{Code: tea.KeyPgDown})
	require.Equal(t, end, text(), "not beyond the end")
	step(tea.KeyPressMsg{Code: tea.KeyHome})
	require.Contains(t, text(), "TẠM DỪNG")
	require.Contains(t, text(), "tên/name")
	press('s')
	require.Contains(t, text(), "độ trễ/lag")
	press('h')
	require.Contains(t, text(), "trợ giúp này")
	step(tea.KeyPressMsg{Code: tea.KeyEscape})
	require.Contains(t, text(), "CẢNH BÁO")
	require.Equal(t, fmt.Sprintf("%T", tea.QuitMsg{}), fmt.Sprintf("%T", press('q')()))
}

// What a person should look at is in one list, also for scripts.
func TestAlarms(t *testing.T) {
	p := picture()
	p.ClickHouse = "connection refused"
	p.Reconciled = append(p.Reconciled, Checked{Source: "tax", Table: "public.fee", At: at, OK: true, Error: "the topic is gone"})
	want := []Alarm{
		{Unreachable, "ClickHouse", "connection refused"},
		{Unreachable, "tax", "the database does not answer"},
		{Attention, "welfare", "streaming, 9.0 GiB of log kept"},
		{Quarantined, "welfare", "public.fund"},
		{DeadLetters, "health.public.patient", "3 open for 60 min: không đọc được: bad schema"},
		{Differs, "tax.public.payment", "2 keys, 60.0 s ago"},
		{Differs, "tax.public.fee", "not compared: the topic is gone"},
		{Paused, "connector/tax", "by Trần Thị B for 60.0 s: thay đĩa"},
	}
	require.Equal(t, want, p.Alarms())
	text, err := json.Marshal(p)
	require.NoError(t, err)
	var read struct {
		Alarms []Alarm
		Groups []Group
	}
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, want, read.Alarms)
	require.Len(t, read.Groups, 1)

	quiet := Picture{At: at, Sources: []Source{{Name: "health", State: "streaming"}}}
	require.Empty(t, quiet.Alarms())
	text, err = json.Marshal(quiet)
	require.NoError(t, err)
	require.Contains(t, string(text), `"alarms":[]`)
}
