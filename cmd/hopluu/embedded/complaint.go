package embedded

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
)

// complaint picks, from what a server wrote to its log since it began, the
// line that tells best why it ended: the last fatal one, else the last error,
// else the last line. It is for messages only: nothing is decided by it.
func complaint(log string, from int64) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return ""
	}
	var fatal, problem, last string
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, long, err := lines.ReadLine()
		for long && err == nil { // the rest of an overlong line
			_, long, err = lines.ReadLine()
		}
		if errors.Is(err, io.EOF) || err != nil {
			break
		}
		text := strings.TrimSpace(string(line))
		switch {
		case text == "":
			continue
		case strings.Contains(text, "the database system is starting up"):
			continue // PostgreSQL's answer to our own probe
		case strings.Contains(text, "FATAL"), strings.Contains(text, "PANIC"):
			fatal = text
		case strings.Contains(text, "ERROR"), strings.HasPrefix(text, "Error:"), strings.Contains(text, "level=ERROR"):
			problem = text
		}
		last = text
	}
	for _, text := range []string{fatal, problem, last} {
		if text != "" {
			if len(text) > 500 {
				text = text[:500] + "..."
			}
			return text
		}
	}
	return ""
}
