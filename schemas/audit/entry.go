package audit

import (
	"encoding/json"
	"fmt"
	"time"
)

// The outcomes of an action.
const (
	Begun       = "begun"       // it has begun; without a later record it was killed, or is under way
	Done        = "done"        // it ended well
	Found       = "found"       // it ended, and something is left to be looked at
	Failed      = "failed"      // it could not be done, or not all of it
	Interrupted = "interrupted" // it was stopped on the way
)

// Entry is one action as far as it is known.
type Entry struct {
	ID string `json:"id"`
	// At is when it began, Ended when it ended; both UTC. The zero Ended is of
	// one that has not.
	At    time.Time `json:"at"`
	Ended time.Time `json:"ended,omitzero"`
	// Who is the person as the operator names them, User the account of the
	// operating system at its machine, user@host.
	Who  string `json:"who"`
	User string `json:"user"`
	// Command is its name without the program's, "connector disable"; Args are
	// its arguments and flags as they were given, but for secrets.
	Command string   `json:"command"`
	Args    []string `json:"args"`
	// Touched names what it changed, or was about to: "slot hopluu_health",
	// "topic health.public.patient".
	Touched []string `json:"touched"`
	Outcome string   `json:"outcome"`
	// Error says in one line why it did not end well.
	Error string `json:"error,omitempty"`
}

// Marshal gives the value of the entry's record; the key is its ID.
func (e Entry) Marshal() ([]byte, error) {
	e.Args, e.Touched = some(e.Args), some(e.Touched)
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return data, nil
}

// some makes an empty array of none.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Parse reads the value of a record.
func Parse(data []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, fmt.Errorf("audit: the record is none of this program's: %w", err)
	}
	if e.ID == "" || e.At.IsZero() || e.Outcome == "" {
		return Entry{}, fmt.Errorf("audit: the record has no id, time or outcome")
	}
	return e, nil
}
