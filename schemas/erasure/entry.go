package erasure

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Erasure is one act: the records of one person that are to be nowhere.
type Erasure struct {
	ID string `json:"id"`
	// Version counts what people said of the erasure, from 1; the greatest counts.
	Version uint64 `json:"version"`
	// Person is the person_id at the time; "" when records were named.
	Person string `json:"person_id,omitempty"`
	// Records are the names of the person's records. More may be found (Found).
	Records []string `json:"records"`

	Reason string `json:"reason"`
	By     string `json:"by"`
	At     int64  `json:"at"` // milliseconds since 1970-01-01 UTC, as all times here
	// ApprovedBy is the second person, "" where one is enough. Pending waits for
	// one: nothing is erased yet.
	ApprovedBy string `json:"approved_by,omitempty"`
	ApprovedAt int64  `json:"approved_at,omitempty"`
	Pending    bool   `json:"pending,omitempty"`

	// Lift takes it back: the records may come again from their sources. What
	// was erased does not come back by itself.
	Lift *Lift `json:"lift,omitempty"`
}

// Lift says that an erasure holds no more.
type Lift struct {
	Reason string `json:"reason"`
	By     string `json:"by"`
	At     int64  `json:"at"`
	// Pending waits for a second person: the erasure still holds.
	Pending    bool   `json:"pending,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"`
	ApprovedAt int64  `json:"approved_at,omitempty"`
}

// Holds tells whether the erasure is in force.
func (e *Erasure) Holds() bool { return !e.Pending && (e.Lift == nil || e.Lift.Pending) }

// State is one word for people: proposed, in force, lift proposed or lifted.
func (e *Erasure) State() string {
	switch {
	case e.Pending && e.Lift != nil:
		return "withdrawn"
	case e.Pending:
		return "proposed"
	case e.Lift == nil:
		return "in force"
	case e.Lift.Pending:
		return "lift proposed"
	}
	return "lifted"
}

// Check refuses an erasure that nobody makes.
func (e *Erasure) Check() error {
	switch {
	case e.ID == "" || strings.Contains(e.ID, "/"):
		return errors.New("an erasure without an id")
	case e.Version == 0:
		return errors.New("version is 0: versions begin at 1")
	case len(e.Records) == 0:
		return errors.New("no record is named")
	case e.By == "":
		return errors.New("nobody's erasure")
	}
	return nil
}

// Found is what one who looked found of an erased person beyond the records
// that were named. It only ever grows, and may be empty: then it says that
// somebody looked.
type Found struct {
	At int64 `json:"at"`
	// Records speak of the person through a record that was named, such as the
	// encounters of a patient.
	Records []string `json:"records,omitempty"`
	// Tokens are keyed tokens ("t1_…") of the person's numbers that nobody else
	// has.
	Tokens []string `json:"tokens,omitempty"`
	// Marks are tokens of the same numbers under every key that was at hand: by
	// them other people's rows that name the person are known, which stay and
	// lose the number. They keep no key from being retired, as rows that are
	// captured later are known by Tokens.
	Marks []string `json:"marks,omitempty"`
}

// Step is a part of an erasure that is done.
type Step struct {
	At    int64 `json:"at"`
	Count int64 `json:"count"` // of rows or messages that it took away
	// Names is how many records and tokens were known when it was done: with
	// more, it is to be done again.
	Names int `json:"names"`
}

// The steps of an erasure. That of a source's connector and of a sink's group
// end with a name: "capture/health", "clickhouse/hopluu-sink".
const (
	StepMatcher = "matcher"
	StepVault   = "vault"
	// StepLetters is that of the topics of dead letters.
	StepLetters = "letters"
	// StepLogs is that of the logs that name many people: identity.event,
	// identity.audit and hopluu.audit.
	StepLogs       = "logs"
	StepCapture    = "capture/"
	StepClickHouse = "clickhouse/"
	// StepLift is StepCapture of an erasure that was lifted.
	StepLift = "lift/"
)

// Who looks for what was not named.
const (
	FoundVault      = "vault"      // the tokens
	FoundClickHouse = "clickhouse" // the records through which others speak
	FoundLetters    = "letters"    // the same, of what never was more than a dead letter
)

// The keys of the topic begin so; the first goes on with the erasure's id, the
// others with "<id>/<who found it>" and "<id>/<step>".
const (
	erasureKey = "erasure/"
	foundKey   = "found/"
	stepKey    = "step/"
)

// Message gives the message that says an erasure.
func (e *Erasure) Message() (key, value []byte, err error) {
	if err := e.Check(); err != nil {
		return nil, nil, err
	}
	value, err = json.Marshal(e)
	return []byte(erasureKey + e.ID), value, err
}

// Message gives the message that says what was found, by whom, of an erasure.
func (f Found) Message(id, by string) (key, value []byte, err error) {
	value, err = json.Marshal(f)
	return []byte(foundKey + id + "/" + by), value, err
}

// Message gives the message that says that a step of an erasure is done.
func (s Step) Message(id, step string) (key, value []byte, err error) {
	value, err = json.Marshal(s)
	return []byte(stepKey + id + "/" + step), value, err
}

// parsed is what a message says: an erasure, what was found or a step.
type parsed struct {
	erasure *Erasure
	found   *Found
	done    *Step
	id, of  string // of found or done
}

func parse(key, value []byte) (p parsed, err error) {
	name := string(key)
	switch {
	case strings.HasPrefix(name, erasureKey):
		p.erasure = &Erasure{}
		if err = json.Unmarshal(value, p.erasure); err == nil {
			err = p.erasure.Check()
		}
		if err == nil && name != erasureKey+p.erasure.ID {
			err = errors.New("the key names another erasure")
		}
	case strings.HasPrefix(name, foundKey):
		p.id, p.of, _ = strings.Cut(name[len(foundKey):], "/")
		p.found = &Found{}
		err = json.Unmarshal(value, p.found)
	case strings.HasPrefix(name, stepKey):
		p.id, p.of, _ = strings.Cut(name[len(stepKey):], "/")
		p.done = &Step{}
		err = json.Unmarshal(value, p.done)
	default:
		err = errors.New("the key is none of the ledger's")
	}
	if err != nil {
		return p, fmt.Errorf("erasure ledger, key %q: %w", name, err)
	}
	return p, nil
}
