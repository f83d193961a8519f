package matcher

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/identity/review"
	"github.com/hopluu/hopluu/schemas/erasure"
)

// Reviewer is somebody who may ask the API.
type Reviewer struct {
	// Name stands in decisions and in the audit.
	Name string
	// Token is the SHA-256 of the token that the reviewer shows.
	Token [sha256.Size]byte
	// Decides allows to decide; without it, to look only.
	Decides bool
	// Personal allows to see the columns that are no identifiers, such as names
	// and dates of birth. Identifiers are shown to nobody (P11).
	Personal bool
}

// ReviewJSON is a pair of the review queue.
type ReviewJSON struct {
	A        string          `json:"a"`
	B        string          `json:"b"`
	Rule     string          `json:"rule"`
	Weight   *float64        `json:"weight"`
	Rank     float64         `json:"rank"`
	Figures  []string        `json:"figures"`
	Records  [2]int          `json:"records"`
	Sectors  [2][]string     `json:"sectors"`
	Register bool            `json:"register"`
	Died     bool            `json:"died"`
	Evidence json.RawMessage `json:"evidence"`
	// Proposed is what waits for a second person.
	Proposed *ProposalJSON `json:"proposed"`
}

// ProposalJSON is a verdict that waits for a second person.
type ProposalJSON struct {
	Verdict string    `json:"verdict"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
}

// ListJSON is a part of the review queue, the greatest rank first.
type ListJSON struct {
	You     string         `json:"you"`
	Total   int            `json:"total"`
	Rules   map[string]int `json:"rules"`
	Reviews []ReviewJSON   `json:"reviews"`
}

// RecordJSON is a record as a reviewer may see it.
type RecordJSON struct {
	Record   string       `json:"record"`
	Known    bool         `json:"known"`
	Source   string       `json:"source,omitempty"`
	Sector   string       `json:"sector,omitempty"`
	Table    string       `json:"table,omitempty"`
	Register bool         `json:"register"`
	Person   string       `json:"person_id,omitempty"`
	Columns  []ColumnJSON `json:"columns,omitempty"`
}

// ColumnJSON is a column that has a value. Text is normalised; it is empty for
// identifiers, and for those who may not see personal columns.
type ColumnJSON struct {
	Name       string `json:"name"`
	Identifier bool   `json:"identifier"`
	Text       string `json:"text,omitempty"`
}

// PairJSON is two records side by side.
type PairJSON struct {
	A            RecordJSON           `json:"a"`
	B            RecordJSON           `json:"b"`
	Personal     bool                 `json:"personal"`
	Review       *ReviewJSON          `json:"review"`
	Explanation  *linkage.Explanation `json:"explanation"`
	Decision     *DecisionJSON        `json:"decision"`
	ModelVersion string               `json:"model_version"`
	Thresholds   linkage.Thresholds   `json:"thresholds"`
}

// DecisionJSON is what was said of a pair.
type DecisionJSON struct {
	A          string        `json:"a"`
	B          string        `json:"b"`
	Version    uint64        `json:"version"`
	Verdict    string        `json:"verdict"`
	By         string        `json:"by,omitempty"`
	At         *time.Time    `json:"at,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	ApprovedBy string        `json:"approved_by,omitempty"`
	ApprovedAt *time.Time    `json:"approved_at,omitempty"`
	Model      string        `json:"model_version,omitempty"`
	Proposed   *ProposalJSON `json:"proposed,omitempty"`
	// Conflict tells that the decision is Same and something forbids it.
	Conflict bool `json:"conflict"`
}

// SayJSON is what a reviewer says of two records.
type SayJSON struct {
	A       string `json:"a"`
	B       string `json:"b"`
	Verdict string `json:"verdict"` // same, different, or undo
	Reason  string `json:"reason"`
	// Version, when it is there, is the version that the reviewer saw, 0 for
	// none: if somebody spoke since, the statement is refused.
	Version *uint64 `json:"version,omitempty"`
}

// SaidJSON is what became of it.
type SaidJSON struct {
	Outcome  string       `json:"outcome"` // decided, proposed, approved, withdrawn or unchanged
	Decision DecisionJSON `json:"decision"`
	// Persons are those of the two records now; empty for one that is not there.
	Persons [2]string `json:"persons"`
}

// undo is the verdict that takes back.
const undo = "undo"

// askBound is how long somebody waits for an answer: the desk answers between
// two batches of records.
const askBound = 30 * time.Second

// refusal is an error with the status that tells it.
type refusal struct {
	status int
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Errorf(format, args...)}
}

// Handler serves the review queue and decisions over HTTP, under /identity/.
func (m *Matcher) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /identity/reviews", m.asking(m.list))
	mux.HandleFunc("GET /identity/pair", m.asking(m.pair))
	mux.HandleFunc("GET /identity/decisions", m.asking(m.decided))
	mux.HandleFunc("POST /identity/decisions", m.asking(m.decide))
	mux.HandleFunc("GET /identity/erasures", m.asking(m.erasures))
	mux.HandleFunc("POST /identity/erasures", m.asking(m.erase))
	mux.HandleFunc("POST /identity/erasures/lift", m.asking(m.lift))
	for path, methods := range map[string]string{"reviews": "GET", "pair": "GET", "decisions": "GET or POST", "erasures": "GET or POST", "erasures/lift": "POST", "": ""} {
		mux.HandleFunc("/identity/"+path, m.asking(func(r *http.Request, _ *Reviewer) (any, error) {
			if methods == "" {
				return nil, refuse(http.StatusNotFound, "there is no %s: ask for /identity/reviews, pair, decisions, erasures or erasures/lift", r.URL.Path)
			}
			return nil, refuse(http.StatusMethodNotAllowed, "%s does not take %s: send %s", r.URL.Path, r.Method, methods)
		}))
	}
	return mux
}

// asking finds who asks, and answers in JSON.
func (m *Matcher) asking(answer func(*http.Request, *Reviewer) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := m.reviewer(r)
		var result any
		if err == nil {
			if ready := m.Ready(); ready != nil {
				err = refuse(http.StatusServiceUnavailable, "%w: try again when /readyz says ready", ready)
			} else {
				result, err = answer(r, who)
			}
		}
		status := http.StatusOK
		if err != nil {
			status = statusOf(err)
			result = map[string]string{"error": err.Error()}
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="hopluu"`)
				m.log.Warn("a reviewer's request is refused", "remote", r.RemoteAddr, "path", r.URL.Path, "reason", err)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		// The client went away: there is no one left to tell.
		_ = json.NewEncoder(w).Encode(result)
	}
}

// statusOf is the status of an error: what the user did is 4xx, what we did 5xx.
func statusOf(err error) int {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.status
	case errors.Is(err, review.ErrSecondPerson), errors.Is(err, review.ErrNothingSaid), errors.Is(err, erasure.ErrSecondPerson), errors.Is(err, erasure.ErrNotInForce):
		return http.StatusConflict
	case errors.Is(err, review.ErrOneRecord), errors.Is(err, review.ErrNoReason), errors.Is(err, review.ErrLongReason), errors.Is(err, review.ErrNumbers):
		return http.StatusUnprocessableEntity
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, errUnknown), errors.Is(err, errStandby):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// reviewer finds who shows this token. All are compared, in constant time.
func (m *Matcher) reviewer(r *http.Request) (*Reviewer, error) {
	if len(m.config.Reviewers) == 0 {
		return nil, refuse(http.StatusUnauthorized, "nobody may review yet: add identity.reviewers to the matcher's configuration, with what 'hopluu identity token' prints")
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, refuse(http.StatusUnauthorized, "a token is needed: send the header 'Authorization: Bearer TOKEN'")
	}
	sum := sha256.Sum256([]byte(token))
	var found *Reviewer
	for i := range m.config.Reviewers {
		if subtle.ConstantTimeCompare(sum[:], m.config.Reviewers[i].Token[:]) == 1 {
			found = &m.config.Reviewers[i]
		}
	}
	if found == nil {
		return nil, refuse(http.StatusUnauthorized, "nobody has this token: ask for a new one, whose sha256 belongs in identity.reviewers of the matcher's configuration")
	}
	return found, nil
}

// acting has something done with the desk, and notes who did it with the
// outcome that it gives. What is refused is noted too.
func (m *Matcher) acting(r *http.Request, who *Reviewer, x *act, do func(context.Context, *desk) (outcome string, err error), after func(*desk)) error {
	ctx, cancel := context.WithTimeout(r.Context(), askBound)
	defer cancel()
	x.at, x.who, x.remote = time.Now().UnixMilli(), who.Name, r.RemoteAddr
	var refused error
	err := m.calls.ask(ctx, func(ctx context.Context, d *desk) error {
		outcome, err := do(ctx, d)
		var ends *fatalError
		if errors.As(err, &ends) {
			return err
		}
		noted := *x
		noted.outcome, refused = outcome, err
		if err != nil {
			noted.outcome, noted.reason = "refused", err.Error()
		}
		if statusOf(err) == http.StatusNotFound {
			// P11: what is no record's name may be anything, a number too.
			noted.a, noted.b, noted.reason = "", "", "there is no such record"
		}
		m.log.Info("reviewer", "who", who.Name, "action", noted.action, "outcome", noted.outcome, "a", noted.a, "b", noted.b, "verdict", noted.verdict, "personal", noted.personal, "remote", noted.remote)
		return d.note(ctx, &noted)
	}, after)
	if err != nil {
		return err // what was asked may still be done: its results are not looked at
	}
	return refused
}

const (
	listed    = 50 // reviews that a list has when nobody says how many
	mostLists = 1000
)

func (m *Matcher) list(r *http.Request, who *Reviewer) (any, error) {
	limit, err := countOf(r, "limit", listed, mostLists)
	if err != nil {
		return nil, err
	}
	offset, err := countOf(r, "offset", 0, 1<<31)
	if err != nil {
		return nil, err
	}
	rule := r.URL.Query().Get("rule")
	var out ListJSON
	err = m.acting(r, who, &act{action: "list"}, func(_ context.Context, d *desk) (string, error) {
		out = d.list(rule, offset, limit)
		out.You = who.Name
		return "shown", nil
	}, nil)
	return &out, err
}

func countOf(r *http.Request, name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, refuse(http.StatusBadRequest, "%s is %q: give a number from 0 to %d", name, text, most)
	}
	return n, nil
}

// list gives a part of the queue. Of one rank, the names decide.
func (d *desk) list(rule string, offset, limit int) ListJSON {
	out := ListJSON{Rules: map[string]int{}, Reviews: []ReviewJSON{}}
	var all []asked
	for _, a := range d.open {
		out.Rules[a.review.Rule]++
		if rule == "" || rule == a.review.Rule {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(x, y asked) int {
		return cmp.Or(-cmp.Compare(x.Rank, y.Rank), cmp.Compare(x.review.A, y.review.A), cmp.Compare(x.review.B, y.review.B))
	})
	out.Total = len(all)
	for i := offset; i < min(offset+limit, len(all)); i++ {
		out.Reviews = append(out.Reviews, d.reviewJSON(&all[i]))
	}
	return out
}

func (d *desk) reviewJSON(a *asked) ReviewJSON {
	r := a.review
	out := ReviewJSON{
		A: r.A, B: r.B, Rule: r.Rule, Rank: a.Rank, Figures: append([]string{}, a.Figures...), Records: r.Effect.Records, Sectors: r.Effect.Sectors,
		Register: r.Effect.Register, Died: r.Effect.Died, Evidence: json.RawMessage(r.Evidence),
	}
	if r.Weight != 0 {
		out.Weight = &r.Weight
	}
	e := d.book.Of(r.A, r.B)
	out.Proposed = proposalJSON(e.Proposed)
	return out
}

func proposalJSON(p *review.Proposal) *ProposalJSON {
	if p == nil {
		return nil
	}
	return &ProposalJSON{Verdict: verdictJSON(p.Verdict), By: p.By, At: time.UnixMilli(p.At).UTC(), Reason: p.Reason}
}

// verdictJSON names a verdict that somebody proposes: to take back is to undo.
func verdictJSON(v linkage.Verdict) string {
	if v == linkage.Unsaid {
		return undo
	}
	return v.String()
}

func (d *desk) decisionJSON(e *review.Entry) DecisionJSON {
	moment := func(millis int64) *time.Time {
		if millis == 0 {
			return nil
		}
		t := time.UnixMilli(millis).UTC()
		return &t
	}
	out := DecisionJSON{
		A: e.A, B: e.B, Version: e.Version, Verdict: e.Verdict.String(), By: e.By, At: moment(e.At), Reason: e.Reason,
		ApprovedBy: e.ApprovedBy, ApprovedAt: moment(e.ApprovedAt), Model: e.Model, Proposed: proposalJSON(e.Proposed),
	}
	if a, ok := d.open[review.Pair(e.A, e.B)]; ok {
		out.Conflict = a.review.Rule == linkage.RuleConflict
	}
	return out
}

func (m *Matcher) pair(r *http.Request, who *Reviewer) (any, error) {
	a, b := r.URL.Query().Get("a"), r.URL.Query().Get("b")
	var out PairJSON
	err := m.acting(r, who, &act{action: "show", a: a, b: b, personal: who.Personal}, func(_ context.Context, d *desk) (string, error) {
		if err := d.mustKnow(a, b); err != nil {
			return "", err
		}
		out = PairJSON{
			A: d.recordJSON(a, who.Personal), B: d.recordJSON(b, who.Personal), Personal: who.Personal,
			ModelVersion: d.engine.Model(), Thresholds: m.model.Thresholds,
		}
		if q, ok := d.open[review.Pair(a, b)]; ok {
			asked := d.reviewJSON(&q)
			out.Review = &asked
		}
		if e := d.book.Of(a, b); e.Version > 0 {
			said := d.decisionJSON(&e)
			out.Decision = &said
		}
		if !out.A.Known || !out.B.Known {
			return "shown", nil
		}
		x, err := d.engine.Explain(a, b)
		out.Explanation = &x
		return "shown", err
	}, nil)
	return &out, err
}

// mustKnow refuses a pair of which neither the records nor a decision are known.
func (d *desk) mustKnow(a, b string) error {
	if a == b {
		return refuse(http.StatusUnprocessableEntity, "%w", review.ErrOneRecord)
	}
	if e := d.book.Of(a, b); e.Version > 0 {
		return nil
	}
	for _, id := range [2]string{a, b} {
		if !d.engine.Known(id) {
			return refuse(http.StatusNotFound, "there is no record %q: name it as identity.link does, <source>.<table>:<key>", id)
		}
	}
	return nil
}

func (d *desk) recordJSON(id string, personal bool) RecordJSON {
	s, ok := d.engine.Show(id)
	if !ok {
		return RecordJSON{Record: id}
	}
	out := RecordJSON{Record: id, Known: true, Source: s.Source, Sector: s.Sector, Table: s.Table, Register: s.Register, Person: s.Person.String()}
	for _, c := range s.Columns {
		column := ColumnJSON{Name: c.Name, Identifier: c.Identifier}
		if personal {
			column.Text = c.Text
		}
		out.Columns = append(out.Columns, column)
	}
	return out
}

func (m *Matcher) decided(r *http.Request, who *Reviewer) (any, error) {
	out := []DecisionJSON{}
	err := m.acting(r, who, &act{action: "decisions"}, func(_ context.Context, d *desk) (string, error) {
		for _, e := range d.book.All() {
			out = append(out, d.decisionJSON(&e))
		}
		return "shown", nil
	}, nil)
	return &out, err
}

// maxBody bounds what a reviewer may send.
const maxBody = 64 << 10

func (m *Matcher) decide(r *http.Request, who *Reviewer) (any, error) {
	var said SayJSON
	decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&said); err != nil {
		return nil, refuse(http.StatusBadRequest, `the body cannot be read (%w): send {"a", "b", "verdict", "reason"}`, err)
	}
	s := review.Statement{A: said.A, B: said.B, By: who.Name, At: time.Now().UnixMilli(), Reason: said.Reason, Model: m.model.Version}
	switch said.Verdict {
	case undo:
	case linkage.Same.String():
		s.Verdict = linkage.Same
	case linkage.Different.String():
		s.Verdict = linkage.Different
	default:
		return nil, refuse(http.StatusUnprocessableEntity, "there is no verdict %q: write same, different or undo", said.Verdict)
	}
	x := act{action: "decide", a: said.A, b: said.B, verdict: said.Verdict, reason: strings.TrimSpace(said.Reason)}
	var out SaidJSON
	err := m.acting(r, who, &x, func(ctx context.Context, d *desk) (string, error) {
		if !who.Decides {
			return "", refuse(http.StatusForbidden, "%s may look but not decide: 'decides: true' in identity.reviewers allows it", who.Name)
		}
		if err := d.mustKnow(s.A, s.B); err != nil {
			return "", err
		}
		before := d.book.Of(s.A, s.B)
		if said.Version != nil && *said.Version != before.Version {
			return "", refuse(http.StatusConflict, "somebody spoke of this pair since you looked at it (version %d, not %d): look again", before.Version, *said.Version)
		}
		_, outcome, err := d.say(ctx, s, m.config.TwoPersons)
		out.Outcome = string(outcome)
		return string(outcome), err
	}, func(d *desk) {
		e := d.book.Of(s.A, s.B)
		out.Decision = d.decisionJSON(&e)
		for i, id := range [2]string{s.A, s.B} {
			if shown, ok := d.engine.Show(id); ok {
				out.Persons[i] = shown.Person.String()
			}
		}
	})
	return &out, err
}
