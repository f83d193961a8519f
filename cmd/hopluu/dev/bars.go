package dev

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/jedib0t/go-pretty/v6/progress"
)

// bars draws what is being fetched and loaded: progress bars on a terminal,
// a line when something begins or ends elsewhere.
type bars struct {
	out      io.Writer
	writer   progress.Writer // nil without a terminal
	mu       sync.Mutex
	trackers map[string]*progress.Tracker
	said     map[string]string
	began    time.Time
}

func newBars(out io.Writer, terminal bool) *bars {
	b := &bars{out: out, trackers: map[string]*progress.Tracker{}, said: map[string]string{}, began: time.Now()}
	if terminal {
		b.writer = progress.NewWriter()
		b.writer.SetOutputWriter(out)
		b.writer.SetUpdateFrequency(100 * time.Millisecond)
		b.writer.SetTrackerLength(30)
		b.writer.SetMessageLength(44)
		b.writer.SetStyle(progress.StyleBlocks)
		b.writer.SetTrackerPosition(progress.PositionRight)
		b.writer.Style().Visibility.ETA = true
		b.writer.SetAutoStop(false)
		go b.writer.Render()
	}
	return b
}

// close ends the drawing; the bars stay on the screen.
func (b *bars) close() {
	if b.writer == nil {
		return
	}
	b.writer.Stop()
	for b.writer.IsRenderInProgress() {
		// Stop is asynchronous, and what is printed next must come after it.
		time.Sleep(10 * time.Millisecond)
	}
}

// part is a parts.Progress.
func (b *bars) part(name string, done, total int64, message string) {
	b.set(name, message, done, total, progress.UnitsBytes)
}

var _ parts.Progress = (*bars)(nil).part

// set moves the bar of a name; total below 0 is unknown.
func (b *bars) set(name, message string, done, total int64, units progress.Units) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := name
	if message != "" {
		text += ": " + message
	}
	if b.writer == nil {
		if b.said[name] != message {
			b.said[name] = message
			fmt.Fprintf(b.out, "%6.1fs  %s\n", time.Since(b.began).Seconds(), text)
		}
		return
	}
	// Each stage of a name (downloading, unpacking) has a bar of its own, which
	// ends when the next begins.
	if b.said[name] != message {
		if t := b.trackers[name]; t != nil {
			t.MarkAsDone()
		}
		delete(b.trackers, name)
		b.said[name] = message
	}
	t := b.trackers[name]
	if t == nil {
		t = &progress.Tracker{Message: text, Units: units}
		b.trackers[name] = t
		b.writer.AppendTracker(t)
	}
	t.UpdateTotal(max(total, 0))
	t.SetValue(done)
	if total > 0 && done >= total {
		t.MarkAsDone()
	}
}

// step tells of something without a measure.
func (b *bars) step(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if b.writer != nil {
		b.writer.Log("%6.1fs  %s", time.Since(b.began).Seconds(), text)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.out, "%6.1fs  %s\n", time.Since(b.began).Seconds(), text)
}
