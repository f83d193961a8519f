package matcher

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/processors/identity/review"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
)

// EraseJSON asks for a person to be erased.
type EraseJSON struct {
	// Who is a person_id, or the name of one of the person's records.
	Who    string `json:"who"`
	Reason string `json:"reason"`
	// Show only says what would go.
	Show bool `json:"show,omitempty"`
}

// LiftJSON asks for an erasure to be lifted.
type LiftJSON struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// ErasureJSON is an erasure and how far it is.
type ErasureJSON struct {
	// Outcome is shown, erased, proposed, approved, lifted or unchanged; empty in
	// a list.
	Outcome string `json:"outcome,omitempty"`
	ID      string `json:"id"`
	State   string `json:"state"`
	Person  string `json:"person_id"`
	// Records are the names of the records, those that were found among them.
	Records []string `json:"records"`
	// Numbers is how many of the person's numbers are kept out by their tokens; 0
	// while it is only proposed, since they are looked for in the vault once it is
	// in force.
	Numbers    int           `json:"numbers"`
	Reason     string        `json:"reason"`
	By         string        `json:"by"`
	At         *time.Time    `json:"at"`
	ApprovedBy string        `json:"approved_by,omitempty"`
	Lift       *LiftSaidJSON `json:"lift,omitempty"`
	// Done are the steps that are done, Open those that still stand.
	Done []StepJSON `json:"done"`
	Open []string   `json:"open"`
}

// LiftSaidJSON is who lifted an erasure, and why.
type LiftSaidJSON struct {
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	Reason     string    `json:"reason"`
	ApprovedBy string    `json:"approved_by,omitempty"`
}

// StepJSON is a step of an erasure: matcher, vault, letters, logs, capture/<source>,
// clickhouse/<group>, and lift/<source>.
type StepJSON struct {
	Step  string    `json:"step"`
	At    time.Time `json:"at"`
	Count int64     `json:"count"`
}

// stepsOf are the steps that an erasure needs.
func (m *Matcher) stepsOf(e *erasure.Erasure) (steps []string) {
	each := erasure.StepCapture
	switch {
	case e.Holds():
		steps = []string{erasure.StepMatcher, erasure.StepVault, erasure.StepLetters, erasure.StepLogs}
		if m.config.SinkGroup != "" {
			steps = append(steps, erasure.StepClickHouse+m.config.SinkGroup)
		}
	case e.Lift != nil && !e.Pending:
		each = erasure.StepLift
	default:
		return nil
	}
	for _, s := range m.config.Sources {
		steps = append(steps, each+s.Name)
	}
	return steps
}

func (m *Matcher) erasureJSON(e *erasure.Erasure) ErasureJSON {
	ledger := m.erased.ledger
	at := time.UnixMilli(e.At).UTC()
	out := ErasureJSON{ID: e.ID, State: e.State(), Person: e.Person, Reason: e.Reason, By: e.By, At: &at, ApprovedBy: e.ApprovedBy, Done: []StepJSON{}, Open: []string{}}
	records, tokens := ledger.Names(e.ID)
	if out.Records, out.Numbers = records, len(tokens); len(records) == 0 {
		out.Records = e.Records
	}
	if l := e.Lift; l != nil {
		out.Lift = &LiftSaidJSON{By: l.By, At: time.UnixMilli(l.At).UTC(), Reason: l.Reason, ApprovedBy: l.ApprovedBy}
	}
	done := ledger.Done(e.ID)
	for _, name := range m.stepsOf(e) {
		s, ok := done[name]
		if !ok && (strings.HasPrefix(name, erasure.StepCapture) || strings.HasPrefix(name, erasure.StepLift)) {
			// What is found later a connector knows by what it speaks through.
			s, ok = ledger.Did(e.ID, name)
		}
		if ok {
			out.Done = append(out.Done, StepJSON{name, time.UnixMilli(s.At).UTC(), s.Count})
		} else {
			out.Open = append(out.Open, name)
		}
	}
	return out
}

func (m *Matcher) erasures(r *http.Request, who *Reviewer) (any, error) {
	out := []ErasureJSON{}
	err := m.acting(r, who, &act{action: "erasures"}, func(ctx context.Context, _ *desk) (string, error) {
		if _, err := m.readLedger(ctx); err != nil {
			return "", err
		}
		for _, e := range m.erased.ledger.Erasures() {
			out = append(out, m.erasureJSON(&e))
		}
		return "shown", nil
	}, nil)
	return &out, err
}

// mayErase refuses who may only look.
func mayErase(who *Reviewer) error {
	if !who.Decides {
		return refuse(http.StatusForbidden, "%s may look but not erase: 'decides: true' in identity.reviewers allows it", who.Name)
	}
	return nil
}

func readJSON(r *http.Request, into any, like string) error {
	decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "the body cannot be read (%w): send %s", err, like)
	}
	return nil
}

func (m *Matcher) erase(r *http.Request, who *Reviewer) (any, error) {
	var said EraseJSON
	if err := readJSON(r, &said, `{"who", "reason"}`); err != nil {
		return nil, err
	}
	var out ErasureJSON
	x := act{action: "erase", a: said.Who, reason: strings.TrimSpace(said.Reason)}
	if said.Show {
		x.action = "show-erasure"
	}
	err := m.acting(r, who, &x, func(ctx context.Context, d *desk) (string, error) {
		if err := mayErase(who); err != nil {
			return "", err
		}
		if _, err := m.readLedger(ctx); err != nil {
			return "", err
		}
		ledger := m.erased.ledger
		person, records, err := d.personOf(said.Who)
		known := findErasure(ledger, said.Who, person, records)
		if errors.Is(err, errNobody) && known == nil {
			return "", refuse(http.StatusNotFound, "%w", err)
		}
		if said.Show {
			out = ErasureJSON{Outcome: "shown", State: "not erased", Person: person, Records: records, Done: []StepJSON{}, Open: []string{}}
			if known != nil {
				out = m.erasureJSON(known)
				out.Outcome = "shown"
			}
			return "shown", nil
		}
		reason, err := review.Reason(said.Reason)
		if err != nil {
			return "", err
		}
		if err := namesNobody(reason, person, records); err != nil {
			return "", err
		}
		asked := erasure.Erasure{ID: strings.ToLower(rand.Text()[:16]), Person: person, Records: records}
		e, outcome, err := erasure.Say(known, asked, erasure.Statement{Reason: reason, By: who.Name, At: time.Now().UnixMilli()}, m.config.TwoPersons)
		if err == nil {
			x.verdict = e.ID
			if !e.Pending {
				x.a = erasure.InItsPlace(e.ID) // P12: the audit stays, and names nobody
			}
		}
		return m.sayErasure(ctx, &e, outcome, err, &out)
	}, nil)
	return &out, err
}

// tokenLike is a token of a number, of whatever key.
var tokenLike = regexp.MustCompile(`\b[a-z]\d+_[A-Za-z2-7]{20,}`)

// namesNobody refuses a reason that says who it is: it is kept for good, in the
// ledger and in the audit (P12).
func namesNobody(reason, person string, records []string) error {
	for _, name := range append([]string{person}, records...) {
		if name != "" && strings.Contains(reason, name) {
			return refuse(http.StatusUnprocessableEntity, "the reason names the person or a record of theirs, and is kept when the person is not: say why, and leave out who")
		}
	}
	if tokenLike.MatchString(reason) {
		return refuse(http.StatusUnprocessableEntity, "the reason holds a token of a number, and is kept when the person is not: say why, and leave out who")
	}
	return nil
}

// findErasure finds the erasure of a person that is in force, or proposed.
func findErasure(ledger *erasure.Ledger, who, person string, records []string) *erasure.Erasure {
	for _, e := range ledger.Erasures() {
		if e.Lift != nil && !e.Lift.Pending {
			continue
		}
		if e.Person != "" && (e.Person == person || e.Person == who) || slices.Contains(e.Records, who) {
			if e.Holds() && len(records) > 0 {
				continue // that is over: these are records that came since
			}
			return &e
		}
	}
	return nil
}

func (m *Matcher) lift(r *http.Request, who *Reviewer) (any, error) {
	var said LiftJSON
	if err := readJSON(r, &said, `{"id", "reason"}`); err != nil {
		return nil, err
	}
	var out ErasureJSON
	err := m.acting(r, who, &act{action: "lift-erasure", verdict: said.ID, reason: strings.TrimSpace(said.Reason)}, func(ctx context.Context, _ *desk) (string, error) {
		if err := mayErase(who); err != nil {
			return "", err
		}
		if _, err := m.readLedger(ctx); err != nil {
			return "", err
		}
		known, ok := m.erased.ledger.Of(said.ID)
		if !ok {
			return "", refuse(http.StatusNotFound, "there is no erasure %q: see 'hopluu identity erasures'", said.ID)
		}
		reason, err := review.Reason(said.Reason)
		if err != nil {
			return "", err
		}
		e, outcome, err := erasure.SayLift(known, erasure.Statement{Reason: reason, By: who.Name, At: time.Now().UnixMilli()}, m.config.TwoPersons)
		return m.sayErasure(ctx, &e, outcome, err, &out)
	}, nil)
	return &out, err
}

// sayErasure writes an erasure into the open transaction. The records go with the
// next look at the ledger, which is when the transaction is committed: what is
// erased is what the ledger says, to everybody.
func (m *Matcher) sayErasure(ctx context.Context, e *erasure.Erasure, outcome erasure.Outcome, err error, out *ErasureJSON) (string, error) {
	if err != nil {
		return "", err
	}
	if outcome != erasure.Unchanged {
		key, value, err := e.Message()
		if err == nil {
			err = m.producer.Add(ctx, feed.Partition, key, value, time.Now().UnixMilli())
		}
		if err != nil {
			return "", fatal(err)
		}
		m.erased.said[e.ID] = saidErasure{e.Version, key, value}
	}
	*out = m.erasureJSON(e)
	out.Outcome = string(outcome)
	return string(outcome), nil
}
