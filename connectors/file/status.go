package file

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Status is what an operator wants to know of a source of files.
type Status struct {
	Source string `json:"source"`
	State  string `json:"state"`
	// Files are the contents that were taken in, Refused those that were
	// refused as a whole.
	Files   int `json:"files"`
	Refused int `json:"files_refused"`
	// Beat is when its connector last wrote; nil when it never did.
	Beat *time.Time `json:"last_beat"`
	// Current is the file that is being taken in; nil when none is.
	Current     *Progress     `json:"current"`
	Tables      []TableStatus `json:"tables"`
	Quarantined []string      `json:"quarantined"`
	// Reasons of the quarantines, by table.
	Reasons map[string]string `json:"reasons"`
}

// Progress is how far a file is taken in.
type Progress struct {
	File  string `json:"file"`
	Table string `json:"table"`
	// Line is the last one whose event is in Kafka.
	Line uint32 `json:"line"`
}

// TableStatus is what became of a table's files.
type TableStatus struct {
	Table   string `json:"table"`
	Files   int    `json:"files"`
	Refused int    `json:"files_refused"`
	// Last is the file that was dealt with last.
	Last *FileStatus `json:"last_file"`
}

// FileStatus is what became of a file.
type FileStatus struct {
	Name string `json:"name"`
	// Modified is the file's own time, Taken when it was taken up.
	Modified time.Time `json:"modified"`
	Taken    time.Time `json:"taken"`
	// Reason is why it was refused as a whole.
	Reason string `json:"reason,omitempty"`
	Rows   Rows   `json:"rows"`
}

// Rows are what became of a file's rows.
type Rows struct {
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
	Removed int64 `json:"removed"`
	Same    int64 `json:"same"`
	Refused int64 `json:"refused"`
	Erased  int64 `json:"erased,omitempty"` // of erased people, kept out (P12)
}

// stoppedAfter is how old a heartbeat may be before its connector counts as
// stopped.
const stoppedAfter = 3 * heartbeat

// The states of a source.
const (
	StateNever   = "never captured"
	StateTaking  = "taking in"
	StateWaiting = "waiting for files"
	StateStopped = "stopped"
)

// Attention tells whether a person has something to do: a table is set aside,
// or its last file, or rows of it, were refused.
func (s Status) Attention() bool {
	return len(s.Quarantined) > 0 || slices.ContainsFunc(s.Tables, func(t TableStatus) bool {
		return t.Last != nil && (t.Last.Reason != "" || t.Last.Rows.Refused > 0)
	})
}

// ReadStatus reads the status of a source from its state, as of now. tables
// are those of its configuration, as schema.table.
func ReadStatus(ctx context.Context, kafka *topic.Client, source string, tables []string, now time.Time) (Status, error) {
	var c checkpoint
	contents := map[string]taken{}
	err := readState(ctx, kafka, source, func(kind, name string, value []byte) error {
		switch kind {
		case stateCheckpoint:
			c = checkpoint{}
			return json.Unmarshal(value, &c)
		case stateContent:
			var t taken
			if err := json.Unmarshal(value, &t); err != nil {
				return err
			}
			contents[name] = t
		}
		return nil
	})
	if err != nil {
		return Status{}, fmt.Errorf("source %s: %w", source, err)
	}
	return statusOf(source, c, contents, tables, now), nil
}

// statusOf is a function of the state alone; contents are by table and hash.
func statusOf(source string, c checkpoint, contents map[string]taken, tables []string, now time.Time) Status {
	s := Status{Source: source, State: StateNever, Tables: []TableStatus{}, Quarantined: []string{}, Reasons: map[string]string{}}
	if c.BeatMillis > 0 {
		beat := time.UnixMilli(c.BeatMillis).UTC()
		s.Beat, s.State = &beat, StateWaiting
		if c.Current != nil {
			s.State = StateTaking
		}
		if now.Sub(beat) > stoppedAfter {
			s.State = StateStopped
		}
	}
	if c.Current != nil {
		s.Current = &Progress{File: c.Current.Name, Table: c.Current.Table, Line: c.Current.Line}
	}
	of := map[string]*TableStatus{}
	for _, name := range tables {
		of[name] = &TableStatus{Table: name}
	}
	last := map[string]taken{}
	for content, t := range contents {
		name, _, _ := strings.Cut(content, "/")
		table := of[name]
		if table == nil { // no longer configured
			table = &TableStatus{Table: name}
			of[name] = table
		}
		if t.Reason != "" {
			table.Refused++
		} else {
			table.Files++
		}
		if before, ok := last[name]; !ok || t.Sequence > before.Sequence {
			last[name] = t
			table.Last = &FileStatus{
				Name: t.Name, Modified: time.UnixMicro(t.ModifiedMicros).UTC(), Taken: time.UnixMilli(t.SeenMillis).UTC(),
				Reason: t.Reason, Rows: Rows(t.Counts),
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		t := of[name]
		s.Files += t.Files
		s.Refused += t.Refused
		s.Tables = append(s.Tables, *t)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Stopped)) {
		if slices.Contains(tables, name) {
			s.Quarantined = append(s.Quarantined, name)
			s.Reasons[name] = c.Stopped[name]
		}
	}
	return s
}
