package matcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// staff makes a matcher that an and binh may decide with, and mai may ask.
func staff(twoPersons bool) func(*matcher.Config) {
	return func(c *matcher.Config) {
		c.TwoPersons = twoPersons
		for _, r := range []matcher.Reviewer{{Name: "an", Decides: true, Personal: true}, {Name: "binh", Decides: true}, {Name: "mai"}} {
			r.Token = sha256.Sum256([]byte("token of " + r.Name))
			c.Reviewers = append(c.Reviewers, r)
		}
	}
}

// api is the matcher's API as somebody sees it.
type api struct {
	r   *rig
	url string
}

func (r *rig) serve(m *matcher.Matcher) *api {
	server := httptest.NewServer(m.Handler())
	r.t.Cleanup(server.Close)
	return &api{r, server.URL}
}

// ask gives the status and reads the answer into into, the error's text when
// there is one.
func (a *api) ask(who, method, path string, body any, into any) (int, string) {
	text, err := json.Marshal(body)
	require.NoError(a.r.t, err)
	request, err := http.NewRequestWithContext(a.r.t.Context(), method, a.url+path, bytes.NewReader(text))
	require.NoError(a.r.t, err)
	if who != "" {
		request.Header.Set("Authorization", "Bearer token of "+who)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(a.r.t, err)
	text, err = io.ReadAll(answer.Body)
	require.NoError(a.r.t, err)
	require.NoError(a.r.t, answer.Body.Close())
	// P11: whoever asks whatever, no identifier comes back.
	for _, secret := range secrets {
		require.NotContains(a.r.t, string(text), secret)
	}
	if answer.StatusCode != http.StatusOK {
		var told struct{ Error string }
		require.NoError(a.r.t, json.Unmarshal(text, &told), "%s", text)
		return answer.StatusCode, told.Error
	}
	require.NoError(a.r.t, json.Unmarshal(text, into), "%s", text)
	return answer.StatusCode, ""
}

// secrets are the identifiers of the records of these tests.
var secrets = []string{"079085001234", "079085009999", "7912345670"}

func (a *api) list(who string) (out matcher.ListJSON) {
	status, told := a.ask(who, http.MethodGet, "/identity/reviews", nil, &out)
	require.Equal(a.r.t, http.StatusOK, status, told)
	return out
}

func (a *api) pair(who, x, y string) (out matcher.PairJSON) {
	status, told := a.ask(who, http.MethodGet, "/identity/pair?"+url.Values{"a": {x}, "b": {y}}.Encode(), nil, &out)
	require.Equal(a.r.t, http.StatusOK, status, told)
	return out
}

func (a *api) say(who, x, y, verdict string) (out matcher.SaidJSON) {
	status, told := a.ask(who, http.MethodPost, "/identity/decisions", matcher.SayJSON{A: x, B: y, Verdict: verdict, Reason: "seen in the file"}, &out)
	require.Equal(a.r.t, http.StatusOK, status, told)
	return out
}

// view reads a compacted topic of pairs: the last value of each, nil for a
// tombstone.
func (r *rig) view(ctx context.Context, name string) (map[[2]string]map[string]string, error) {
	all := map[[2]string]map[string]string{}
	err := r.kafka.ReadAll(ctx, name, func(rec topic.Record) error {
		key, err := r.flat(ctx, rec.Key)
		if err != nil {
			return nil // a message that is none, which the matcher has to bear
		}
		pair := [2]string{key["record_a"], key["record_b"]}
		if all[pair] = nil; rec.Value == nil {
			return nil
		}
		value, err := r.flat(ctx, rec.Value)
		if err == nil {
			all[pair] = value
		}
		return nil
	})
	return all, err
}

// holds waits until a topic's view holds a condition.
func (r *rig) holds(name string, condition func(map[[2]string]map[string]string) error) {
	r.t.Helper()
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		all, err := r.view(ctx, name)
		if err != nil {
			return err
		}
		return condition(all)
	})
}

// open waits until identity.review asks of these pairs, each by its rule.
func (r *rig) open(want map[[2]string]string) {
	r.t.Helper()
	r.holds(topic.IdentityReview, func(all map[[2]string]map[string]string) error {
		got := map[[2]string]string{}
		for pair, value := range all {
			if value != nil {
				got[pair] = value["rule"]
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("it asks %v, not %v", got, want)
		}
		return nil
	})
}

const (
	citizen = "population.citizen:1"
	other   = "population.citizen:2"
	patient = "health.patient:1"
	bridge  = "health.patient:2"
)

// doubt writes a citizen, another, and a patient whose birth is known by its
// year only: whether that is the citizen is for a person to say.
func (r *rig) doubt() {
	r.citizens()
	r.patients("health")
	r.add("population.citizen", event.Read, 1, "1", "079085001234", "", "Nguyễn Văn An", "1985-03-20")
	r.add("population.citizen", event.Read, 1, "2", "079085009999", "", "Trần Thị Hoà", "1990-10-11")
	r.add("health.patient", event.Read, 1, "1", "", "", "7912345670", "Nguyễn Văn An", "1985-01-01")
	r.commit()
}

func TestReviewers(t *testing.T) {
	r := newRig(t)
	r.doubt()
	pair := [2]string{patient, citizen}
	m, stop := r.start(staff(false))
	a := r.serve(m)
	r.ready(m)
	r.open(map[[2]string]string{pair: "weights"})

	t.Run("who may", func(t *testing.T) {
		var none any
		for name, c := range map[string]struct {
			who, method, path string
			body              any
			status            int
			told              string
		}{
			"no token":      {"", http.MethodGet, "/identity/reviews", nil, 401, "Authorization: Bearer"},
			"wrong token":   {"nobody", http.MethodGet, "/identity/reviews", nil, 401, "ask for a new one"},
			"may only look": {"mai", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Verdict: "same", Reason: "x"}, 403, "decides: true"},
			"no such record": {"an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: "health.patient:77", Verdict: "same", Reason: "x"}, 404,
				"<source>.<table>:<key>"},
			"no such pair":      {"an", http.MethodGet, "/identity/pair?a=x&b=y", nil, 404, "there is no record"},
			"no reason":         {"an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Verdict: "same"}, 422, "reason is needed"},
			"a number":          {"an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Verdict: "same", Reason: "CCCD " + secrets[0]}, 422, "leave numbers"},
			"no verdict":        {"an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Reason: "x"}, 422, "same, different or undo"},
			"no body":           {"an", http.MethodPost, "/identity/decisions", "x", 400, `send {"a"`},
			"nothing to undo":   {"an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Verdict: "undo", Reason: "x"}, 409, "nothing was said"},
			"seen too long ago": {"an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Verdict: "same", Reason: "x", Version: new(uint64(4))}, 409, "look again"},
			"no such method":    {"an", http.MethodDelete, "/identity/decisions", nil, 405, "send GET or POST"},
			"no such path":      {"an", http.MethodGet, "/identity/pairs", nil, 404, "/identity/reviews"},
			"a wrong limit":     {"an", http.MethodGet, "/identity/reviews?limit=many", nil, 400, "limit"},
		} {
			status, told := a.ask(c.who, c.method, c.path, c.body, &none)
			require.Equal(t, c.status, status, name)
			require.Contains(t, told, c.told, name)
		}
		r.open(map[[2]string]string{pair: "weights"})
	})

	t.Run("what is shown", func(t *testing.T) {
		list := a.list("mai")
		require.Equal(t, "mai", list.You)
		require.Len(t, list.Reviews, 1)
		require.Equal(t, [2]string{list.Reviews[0].A, list.Reviews[0].B}, pair)
		require.True(t, list.Reviews[0].Register)
		require.Equal(t, []string{"insured"}, list.Reviews[0].Figures)
		require.NotEmpty(t, list.Reviews[0].Evidence)

		columns := func(p matcher.PairJSON) map[string]string {
			out := map[string]string{}
			for _, c := range p.A.Columns {
				out[c.Name] = c.Text
			}
			return out
		}
		full := a.pair("an", patient, citizen)
		require.Equal(t, map[string]string{"insurance": "", "full_name": "nguyễn văn an", "birth_date": "1985-01-01"}, columns(full))
		require.NotNil(t, full.Explanation)
		require.NotNil(t, full.Review)
		require.Nil(t, full.Decision)
		redacted := a.pair("binh", patient, citizen)
		require.Equal(t, map[string]string{"insurance": "", "full_name": "", "birth_date": ""}, columns(redacted), "binh sees no personal column")
		require.Equal(t, full.Explanation, redacted.Explanation)
	})

	t.Run("case30: a no holds", func(t *testing.T) {
		said := a.say("binh", citizen, patient, "different")
		require.Equal(t, "decided", said.Outcome)
		require.Equal(t, "binh", said.Decision.By)
		require.NotEqual(t, said.Persons[0], said.Persons[1])
		r.open(map[[2]string]string{})
		// It would link both: the citizen's number, the patient's insurance.
		r.add("health.patient", event.Create, 5, "2", "079085001234", "", "7912345670", "Nguyễn Văn An", "1985-03-20")
		r.commit()
		r.isPerson(bridge, citizen)
		r.isPerson(patient, patient)
	})

	t.Run("a restart publishes nothing", func(t *testing.T) {
		links := r.messages()
		reviews := r.count(topic.IdentityReview)
		require.NoError(t, stop())
		m, stop = r.start(staff(false))
		a = r.serve(m)
		r.ready(m)
		require.Equal(t, links, r.messages())
		require.Equal(t, reviews, r.count(topic.IdentityReview))
		p := a.pair("an", patient, citizen)
		require.Equal(t, "different", p.Decision.Verdict, "it survives")
		require.EqualValues(t, 1, p.Decision.Version)
	})

	t.Run("undone", func(t *testing.T) {
		said := a.say("an", patient, citizen, "undo")
		require.Equal(t, "unsaid", said.Decision.Verdict)
		r.isPerson(patient, citizen)
		r.happened(identity.PersonOf(patient).String(), func(e map[string]string) bool { return e["kind"] == "merge" })
	})

	t.Run("against the register", func(t *testing.T) {
		said := a.say("an", citizen, other, "same")
		require.True(t, said.Decision.Conflict, "it is told at once")
		require.NotEqual(t, said.Persons[0], said.Persons[1], "two of the register stay two")
		r.open(map[[2]string]string{{citizen, other}: "conflict"})
		require.Equal(t, map[string]int{"conflict": 1}, a.list("mai").Rules)
		require.Equal(t, "decided", a.say("binh", citizen, other, "undo").Outcome)
		r.open(map[[2]string]string{})
	})

	// Everything above is in the audit, and no plaintext anywhere (P11).
	acts := map[string]int{}
	harness.Eventually(t, within, func(ctx context.Context) error {
		clear(acts)
		err := r.kafka.ReadAll(ctx, topic.IdentityAudit, func(rec topic.Record) error {
			x, err := r.flat(ctx, rec.Value)
			acts[x["who"]+" "+x["action"]+" "+x["outcome"]]++
			return err
		})
		if err == nil && acts["binh decide decided"] < 2 {
			err = fmt.Errorf("not all is there: %v", acts)
		}
		return err
	})
	require.Equal(t, 2, acts["an decide decided"], "undo and same")
	require.Equal(t, 1, acts["mai decide refused"])
	require.Positive(t, acts["an show shown"])
	require.Positive(t, acts["mai list shown"])
	require.Positive(t, acts["an show refused"])
	// Decisions are actions of operators, too.
	recorded, err := audit.Read(t.Context(), r.kafka, time.Time{})
	require.NoError(t, err)
	var decided int
	for _, e := range recorded {
		require.Equal(t, "identity decide", e.Command)
		if e.Who == "an" && e.Outcome == audit.Done && slices.Contains(e.Touched, "outcome decided") {
			decided++
		}
	}
	require.Equal(t, 2, decided, "%+v", recorded)
	r.noPlaintext()
}

func TestTwoPersonsDecide(t *testing.T) {
	r := newRig(t)
	r.doubt()
	pair := [2]string{patient, citizen}
	m, stop := r.start(staff(true))
	a := r.serve(m)
	r.ready(m)
	require.Equal(t, "proposed", a.say("an", citizen, patient, "same").Outcome)
	var none any
	status, told := a.ask("an", http.MethodPost, "/identity/decisions", matcher.SayJSON{A: citizen, B: patient, Verdict: "same", Reason: "again"}, &none)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, told, "second person")
	require.Equal(t, "an", a.list("binh").Reviews[0].Proposed.By, "it waits in the queue")
	r.isPerson(patient, patient)

	require.NoError(t, stop())
	m, _ = r.start(staff(true))
	a = r.serve(m)
	r.ready(m)
	r.open(map[[2]string]string{pair: "weights"})
	said := a.say("binh", citizen, patient, "same")
	require.Equal(t, "approved", said.Outcome, "the proposal survives a restart")
	require.Equal(t, "an", said.Decision.By)
	require.Equal(t, "binh", said.Decision.ApprovedBy)
	require.Equal(t, said.Persons[0], said.Persons[1])
	r.isPerson(patient, citizen)
	r.open(map[[2]string]string{})
	var decisions []matcher.DecisionJSON
	status, told = a.ask("mai", http.MethodGet, "/identity/decisions", nil, &decisions)
	require.Equal(t, http.StatusOK, status, told)
	require.Equal(t, []matcher.DecisionJSON{said.Decision}, decisions)
}

// decider writes decisions beside the matcher, as an older program would: with
// the fields alone that a decision cannot be without.
type decider struct {
	r              *rig
	key, value     *avro.Flat
	keyID, valueID uint32
}

func (r *rig) decider() *decider {
	d := &decider{r: r}
	text := func(names ...string) (all []avro.FlatField) {
		for _, n := range names {
			all = append(all, avro.FlatField{Name: n, Type: "string"})
		}
		return all
	}
	var err error
	d.key, err = avro.CompileFlat(topic.IdentityDecision, "Key", text("record_a", "record_b"))
	require.NoError(r.t, err)
	d.value, err = avro.CompileFlat(topic.IdentityDecision, "Value", append(text("record_a", "record_b", "verdict", "who"), avro.FlatField{Name: "version", Type: "long"}))
	require.NoError(r.t, err)
	d.keyID, err = r.schemas.Register(r.t.Context(), topic.IdentityDecision+"-key", d.key.Schema())
	require.NoError(r.t, err)
	d.valueID, err = r.schemas.Register(r.t.Context(), topic.IdentityDecision+"-value", d.value.Schema())
	require.NoError(r.t, err)
	return d
}

// keyOf is the key of a pair.
func (d *decider) keyOf(a, b string) []byte {
	key, err := d.key.Append(nil, d.keyID, []avro.Cell{{B: []byte(a)}, {B: []byte(b)}})
	require.NoError(d.r.t, err)
	return key
}

func (d *decider) add(a, b, verdict string, version int64) {
	value, err := d.value.Append(nil, d.valueID, []avro.Cell{{B: []byte(a)}, {B: []byte(b)}, {B: []byte(verdict)}, {B: []byte("an")}, {N: version}})
	require.NoError(d.r.t, err)
	d.r.raw(topic.IdentityDecision, d.keyOf(a, b), value)
}

// TestDecisionsAreInputs: decisions that come before their records, late, again
// or spoiled end as the greatest version says (P9, P3).
func TestDecisionsAreInputs(t *testing.T) {
	r := newRig(t)
	d := r.decider()
	d.add(patient, citizen, "same", 2)
	r.raw(topic.IdentityDecision, d.keyOf("x", "y"), []byte("no decision"))
	d.add(citizen, patient, "same", 3) // not in order
	r.commit()
	r.citizens()
	r.patients("health")
	m, stop := r.start(staff(false))
	r.ready(m)
	r.add("population.citizen", event.Read, 1, "1", "079085001234", "", "Nguyễn Văn An", "1985-03-20")
	r.add("health.patient", event.Read, 1, "1", "", "", "7912345670", "Nguyễn Văn An", "1985-01-01")
	r.commit()
	r.isPerson(patient, citizen)
	letters := 0
	harness.Eventually(t, within, func(ctx context.Context) error {
		letters = 0
		err := r.kafka.ReadAll(ctx, topic.DeadLetter(topic.IdentityDecision), func(topic.Record) error { letters++; return nil })
		if err == nil && letters < 2 {
			err = fmt.Errorf("%d dead letters", letters)
		}
		return err
	})
	require.Equal(t, 2, letters)

	// What comes late counts no more, and the topic says so again: compaction
	// leaves the last message of a pair alone.
	d.add(patient, citizen, "different", 1)
	r.commit()
	r.holds(topic.IdentityDecision, func(all map[[2]string]map[string]string) error {
		if got := all[[2]string{patient, citizen}]["verdict"]; got != "same" {
			return fmt.Errorf("the last message says %q", got)
		}
		return nil
	})
	r.isPerson(patient, citizen)

	d.add(patient, citizen, "different", 3)
	r.commit()
	r.isPerson(patient, patient)
	// A tombstone takes the decision back, as the next start would not know it.
	r.raw(topic.IdentityDecision, d.keyOf(patient, citizen), nil)
	r.commit()
	r.open(map[[2]string]string{{patient, citizen}: "weights"})
	require.NoError(t, stop())
	m, _ = r.start(staff(false))
	a := r.serve(m)
	r.ready(m)
	require.Equal(t, "unsaid", a.pair("an", patient, citizen).Decision.Verdict)
	require.Equal(t, 2, r.count(topic.DeadLetter(topic.IdentityDecision)), "each is written once")
}

// Decisions that are lost are told before a link forgets them: nothing can write
// them again.
func TestLostDecisionsAreTold(t *testing.T) {
	r := newRig(t)
	r.doubt()
	m, stop := r.start(staff(false))
	r.ready(m)
	r.serve(m).say("an", citizen, patient, "same")
	r.isPerson(patient, citizen)
	require.NoError(t, stop())
	messages := r.messages()
	r.deleteTopic(topic.IdentityDecision)
	r.topics(topic.IdentityDecision)
	m, err := matcher.New(config(r.kafka, r.schemas, r.set, slog.New(slog.NewTextHandler(t.Output(), nil))))
	require.NoError(t, err)
	require.ErrorContains(t, m.Run(t.Context()), "restore the topic from a backup")
	require.Equal(t, messages, r.messages(), "no link was touched")
}

// TestSIGKILLBetweenDecisionAndLinks is P2: a decision is committed, and the
// matcher is killed before it could change a link.
func TestSIGKILLBetweenDecisionAndLinks(t *testing.T) {
	r := newRig(t)
	d := r.decider()
	r.doubt()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childEnv+"="+r.broker.Addr+" "+r.url)
	command.Stderr = t.Output()
	require.NoError(t, command.Start())
	killed := false
	kill := func() {
		if !killed {
			killed = true
			require.NoError(t, command.Process.Kill())
			require.Error(t, command.Wait())
		}
	}
	t.Cleanup(kill)
	r.isPerson(patient, patient)
	// It stands still: what is written now it has not read.
	require.NoError(t, command.Process.Signal(syscall.SIGSTOP))
	d.add(patient, citizen, "same", 1)
	r.commit()
	kill()
	m, _ := r.start()
	r.ready(m)
	r.isPerson(patient, citizen)
	r.open(map[[2]string]string{})
}

// Nobody is answered by a matcher that is not ready, or that has no reviewers.
func TestNobodyReviewsYet(t *testing.T) {
	r := newRig(t)
	r.citizens()
	running, _ := r.start()
	var none any
	status, told := r.serve(running).ask("an", http.MethodGet, "/identity/reviews", nil, &none)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, told, "hopluu identity token")

	c := config(r.kafka, r.schemas, r.set, nil)
	staff(false)(&c)
	idle, err := matcher.New(c)
	require.NoError(t, err)
	status, told = r.serve(idle).ask("an", http.MethodGet, "/identity/reviews", nil, &none)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, told, "has not started")
}
