package erasure

import (
	"errors"
	"slices"
	"strings"
)

// Outcome is what became of what a person said.
type Outcome string

// The outcomes.
const (
	Erased    Outcome = "erased"    // it is in force
	Proposed  Outcome = "proposed"  // it waits for a second person
	Approved  Outcome = "approved"  // it is in force, as this was the second person
	Lifted    Outcome = "lifted"    // it holds no more
	Unchanged Outcome = "unchanged" // it was so
)

// Errors of Say and SayLift.
var (
	ErrSecondPerson = errors.New("a second person has to approve this: you proposed it")
	ErrNotInForce   = errors.New("this erasure is not in force, so there is nothing to lift")
)

// Statement is what a person says.
type Statement struct {
	Reason, By string
	At         int64
}

// Say gives an erasure after somebody asked for it: known is what is in the
// ledger of it, nil for nothing; asked has its ID, Person and Records. With
// twoPersons it is in force when a second person asks for the same.
func Say(known *Erasure, asked Erasure, s Statement, twoPersons bool) (Erasure, Outcome, error) {
	if known == nil {
		asked.Version, asked.Reason, asked.By, asked.At, asked.Pending = 1, s.Reason, s.By, s.At, twoPersons
		if twoPersons {
			return asked, Proposed, nil
		}
		return asked, Erased, nil
	}
	next := *known
	switch {
	case !known.Pending || known.Lift != nil:
		return next, Unchanged, nil
	case samePerson(known.By, s.By):
		return next, "", ErrSecondPerson
	}
	// What the person has come to have since it was proposed goes too.
	next.Records = append(slices.Clone(known.Records), asked.Records...)
	slices.Sort(next.Records)
	next.Records = slices.Compact(next.Records)
	next.Version, next.Pending, next.ApprovedBy, next.ApprovedAt = known.Version+1, false, s.By, s.At
	return next, Approved, nil
}

// SayLift gives an erasure after somebody took it back, or withdrew what was
// only proposed.
func SayLift(known Erasure, s Statement, twoPersons bool) (Erasure, Outcome, error) {
	next := known
	next.Version++
	switch {
	case known.Lift != nil && !known.Lift.Pending:
		return known, Unchanged, nil
	case known.Pending:
		next.Lift = &Lift{Reason: s.Reason, By: s.By, At: s.At}
		return next, Lifted, nil
	case !known.Holds():
		return known, "", ErrNotInForce
	case !twoPersons:
		next.Lift = &Lift{Reason: s.Reason, By: s.By, At: s.At}
		return next, Lifted, nil
	case known.Lift == nil:
		next.Lift = &Lift{Reason: s.Reason, By: s.By, At: s.At, Pending: true}
		return next, Proposed, nil
	case samePerson(known.Lift.By, s.By):
		return known, "", ErrSecondPerson
	}
	lift := *known.Lift
	lift.Pending, lift.ApprovedBy, lift.ApprovedAt = false, s.By, s.At
	next.Lift = &lift
	return next, Approved, nil
}

func samePerson(x, y string) bool {
	return strings.EqualFold(strings.TrimSpace(x), strings.TrimSpace(y))
}
