package top

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Run shows pictures until q, Ctrl-C or the end of ctx: look takes one, and is
// called again every time.
func Run(ctx context.Context, every time.Duration, look func(context.Context) Picture) error {
	m := model{look: func() tea.Msg { return look(ctx) }, every: every, width: 80, height: 24}
	_, err := tea.NewProgram(m, tea.WithContext(ctx)).Run()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the terminal cannot be used (%w): try 'hopluu top --once'", err)
	}
	return nil
}

// model is bubbletea's: a value that Update replaces and View draws.
type model struct {
	look   func() tea.Msg
	every  time.Duration
	width  int
	height int

	picture *Picture // nil before the first
	sort    Sort
	top     int // the first line of the body that shows
	help    bool
}

// again is when the next picture is due.
type again struct{}

// Init implements tea.Model.
func (m model) Init() tea.Cmd { return m.look }

// Update implements tea.Model.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(1, msg.Width), max(1, msg.Height)
	case Picture:
		m.picture = &msg
		return m.scrolled(0), tea.Tick(m.every, func(time.Time) tea.Msg { return again{} })
	case again:
		return m, m.look
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "ctrl+c":
			return m, tea.Quit
		case "esc":
			if !m.help {
				return m, tea.Quit
			}
			m.help = false
		case "h", "?", "f1":
			m.help, m.top = !m.help, 0
		case "s":
			m.sort = (m.sort + 1) % sorts
		case "down", "j":
			return m.scrolled(1), nil
		case "up", "k":
			return m.scrolled(-1), nil
		case "pgdown", "space":
			return m.scrolled(m.room()), nil
		case "pgup", "b":
			return m.scrolled(-m.room()), nil
		case "home", "g":
			return m.scrolled(-m.top), nil
		case "end", "G":
			return m.scrolled(len(m.body())), nil
		}
	}
	return m.scrolled(0), nil
}

// scrolled moves the body by lines, as far as there are some.
func (m model) scrolled(lines int) model {
	m.top = max(0, min(m.top+lines, len(m.body())-m.room()))
	return m
}

// room is how many lines of the body show, between the head and the keys.
func (m model) room() int { return max(1, m.height-2) }

// View implements tea.Model.
func (m model) View() tea.View {
	v := tea.NewView(m.text())
	v.AltScreen = true
	return v
}

func (m model) text() string {
	style := Style{Width: m.width}
	head := "hopluu top"
	if m.picture != nil {
		head += " · " + m.picture.At.Local().Format(time.DateTime)
		if m.picture.Kafka != "" {
			head += " · Kafka: không hỏi được/away"
		}
		if m.picture.ClickHouse != "" {
			head += " · ClickHouse: không hỏi được/away"
		}
	}
	body := m.body()
	shown := body[min(m.top, len(body)):min(m.top+m.room(), len(body))]
	keys := fmt.Sprintf("q thoát/quit · h trợ giúp/help · s xếp/sort: %s", m.sort)
	if len(body) > m.room() {
		keys += fmt.Sprintf(" · ↑↓ %d-%d/%d", m.top+1, m.top+len(shown), len(body))
	}
	lines := []string{style.sgr("1", ansi.Truncate(head, m.width, "…"))}
	lines = append(lines, shown...)
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	if m.height > 2 {
		lines = append(lines, style.sgr("7", ansi.Truncate(keys, m.width, "…")))
	}
	return strings.Join(lines[:min(len(lines), m.height)], "\n")
}

func (m model) body() []string {
	style := Style{Width: m.width, Sort: m.sort}
	switch {
	case m.help:
		var lines []string
		for _, l := range help {
			lines = append(lines, ansi.Truncate(l, m.width, "…"))
		}
		return lines
	case m.picture == nil:
		return []string{ansi.Truncate("đang hỏi… · asking…", m.width, "…")}
	}
	return Draw(*m.picture, style)
}

var help = []string{
	"q, Esc, Ctrl-C   thoát · quit",
	"s                xếp nguồn theo: tên, độ trễ, tốc độ, WAL · sort sources by name, lag, rate, WAL",
	"↑ ↓ PgUp PgDn    cuộn · scroll",
	"h, ?             trợ giúp này · this help",
	"",
	"? trong bảng: chưa biết, không phải số không · in a table: not known, which is not zero",
	"đỏ: cần người xử lý, hoặc không hỏi được · red: a person is needed, or away",
	"vàng: tạm dừng · yellow: paused (hopluu pause list)",
	"trễ/lag: tuổi của thay đổi cũ nhất có thể chưa vào Kafka · age of the oldest change that may not be in Kafka",
	"WAL giữ/kept: nhật ký mà nguồn giữ cho ta; còn/left: đến khi máy chủ bỏ · log kept for us; until the server gives it up",
	"chậm/behind: số bản ghi chưa ghi vào ClickHouse · records not in ClickHouse yet",
	"đúng đến/as of: mọi thay đổi trước đó đã có · every change before is in",
}
