package review

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// Entry is all that counts of what was said of a pair: what is in force, and
// what waits for a second person. The zero Entry but for its pair is one of
// which nothing was said.
type Entry struct {
	A, B string // in order
	// Version counts what was said, from 1 on.
	Version uint64
	// Verdict is in force, Unsaid where none is or it was taken back; By whom, At
	// when (milliseconds since 1970) and why tell of it.
	Verdict linkage.Verdict
	By      string
	At      int64
	Reason  string
	// ApprovedBy is the second person, "" where one was enough.
	ApprovedBy string
	ApprovedAt int64
	// Model is the version of the model that the decision was made beside. It
	// outlives it.
	Model    string
	Proposed *Proposal
}

// Proposal is a verdict that a second person has to approve.
type Proposal struct {
	Verdict linkage.Verdict
	By      string
	At      int64
	Reason  string
}

// Decision is what an engine takes of an entry.
func (e *Entry) Decision() linkage.Decision {
	return linkage.Decision{A: e.A, B: e.B, Verdict: e.Verdict, Version: e.Version}
}

// Check refuses an entry that Say never makes.
func (e *Entry) Check() error {
	switch {
	case e.A == "" || e.B == "" || e.A >= e.B:
		return errors.New("the records are not two in order")
	case e.Version == 0:
		return errors.New("version is 0: versions begin at 1")
	case e.Verdict > linkage.Different:
		return errors.New("there is no such verdict")
	case e.Verdict != linkage.Unsaid && e.By == "":
		return errors.New("nobody's decision")
	case e.ApprovedBy != "" && samePerson(e.By, e.ApprovedBy):
		return errors.New("approved by the person who proposed it")
	case e.Proposed != nil && (e.Proposed.By == "" || e.Proposed.Verdict > linkage.Different || e.Proposed.Verdict == e.Verdict):
		return errors.New("the proposal is nobody's, or says what is in force")
	}
	return nil
}

// replaces tells whether an entry counts instead of another of the same pair.
// Of one version, which only a writer beside the matcher makes, any order does
// that knows no time of arrival.
func (e *Entry) replaces(f *Entry) bool {
	return cmp.Or(cmp.Compare(e.Version, f.Version), cmp.Compare(e.Verdict, f.Verdict), cmp.Compare(e.At, f.At),
		cmp.Compare(e.text(), f.text())) > 0
}

// text tells entries apart.
func (e *Entry) text() string {
	proposed := ""
	if e.Proposed != nil {
		proposed = fmt.Sprintf("%+v", *e.Proposed)
	}
	f := *e
	f.Proposed = nil
	return fmt.Sprintf("%+v%s", f, proposed)
}

// Statement is what a person says of two records.
type Statement struct {
	A, B    string
	Verdict linkage.Verdict // Unsaid takes back
	By      string
	At      int64
	Reason  string
	Model   string
}

// Outcome is what became of a statement.
type Outcome string

// The outcomes.
const (
	Decided   Outcome = "decided"   // it is in force
	Proposed  Outcome = "proposed"  // it waits for a second person
	Approved  Outcome = "approved"  // it is in force, as this was the second person
	Withdrawn Outcome = "withdrawn" // what waited for a second person does no more
	Unchanged Outcome = "unchanged" // it was in force
)

// Errors of Say.
var (
	ErrOneRecord    = errors.New("both are the same record: name two")
	ErrNoReason     = errors.New("a reason is needed: say in a few words why, such as \"same address and mother's name, seen in the file\"")
	ErrLongReason   = errors.New("the reason is longer than 500 letters: shorten it")
	ErrNumbers      = errors.New("the reason holds a number of 9 digits or more: leave numbers of people out, they are kept nowhere but in the vault")
	ErrNothingSaid  = errors.New("nothing was said of this pair, so there is nothing to take back")
	ErrSecondPerson = errors.New("a second person has to approve this: you proposed it")
)

const maxReason = 500

// Reason is a reason as it is kept, or why it is refused.
func Reason(said string) (string, error) {
	reason := strings.TrimSpace(said)
	switch {
	case reason == "":
		return "", ErrNoReason
	case utf8.RuneCountInString(reason) > maxReason:
		return "", ErrLongReason
	case holdsNumber(reason):
		return "", ErrNumbers
	}
	return reason, nil
}

// Say gives what is known of a pair after somebody spoke. old is what was known
// before, of the same pair or the zero Entry. twoPersons asks that somebody else
// says the same before it is in force.
func Say(old Entry, s Statement, twoPersons bool) (Entry, Outcome, error) {
	a, b := min(s.A, s.B), max(s.A, s.B)
	if a == b {
		return old, "", ErrOneRecord
	}
	reason, err := Reason(s.Reason)
	if err != nil {
		return old, "", err
	}
	next := old
	next.A, next.B, next.Version, next.Proposed = a, b, old.Version+1, nil
	p := old.Proposed
	switch {
	case s.Verdict == old.Verdict && p != nil:
		return next, Withdrawn, nil
	case s.Verdict == old.Verdict && s.Verdict == linkage.Unsaid:
		return old, "", ErrNothingSaid
	case s.Verdict == old.Verdict:
		return old, Unchanged, nil
	case !twoPersons:
		next.Verdict, next.By, next.At, next.Reason, next.Model = s.Verdict, s.By, s.At, reason, s.Model
		next.ApprovedBy, next.ApprovedAt = "", 0
		return next, Decided, nil
	case p == nil || p.Verdict != s.Verdict:
		next.Proposed = &Proposal{Verdict: s.Verdict, By: s.By, At: s.At, Reason: reason}
		return next, Proposed, nil
	case samePerson(p.By, s.By):
		return old, "", ErrSecondPerson
	}
	next.Verdict, next.By, next.At, next.Reason, next.Model = p.Verdict, p.By, p.At, p.Reason, s.Model
	next.ApprovedBy, next.ApprovedAt = s.By, s.At
	return next, Approved, nil
}

func samePerson(x, y string) bool {
	return strings.EqualFold(strings.TrimSpace(x), strings.TrimSpace(y))
}

// holdsNumber finds what may be somebody's number: 9 digits or more, with no
// more than a space or a mark between them (P11).
func holdsNumber(text string) bool {
	digits, gap := 0, 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits, gap = digits+1, 0
			if digits >= 9 {
				return true
			}
		case gap == 0 && (unicode.IsSpace(r) || unicode.IsPunct(r)):
			gap++
		default:
			digits, gap = 0, 0
		}
	}
	return false
}
