package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// PersonID names a person: 12 bytes of the SHA-256 of the ID of the person's
// first record, where records of the register come before all others. It is
// made from no identifier and no token, so that a rotated key moves nothing.
type PersonID [12]byte

// String writes "p" and 24 hexadecimal digits.
func (p PersonID) String() string { return "p" + hex.EncodeToString(p[:]) }

// ParsePersonID reads what String writes.
func ParsePersonID(s string) (PersonID, error) {
	var p PersonID
	if len(s) != 1+2*len(p) || s[0] != 'p' {
		return p, fmt.Errorf("person id of %d characters: want p and %d hexadecimal digits", len(s), 2*len(p))
	}
	if _, err := hex.Decode(p[:], []byte(s[1:])); err != nil {
		return PersonID{}, fmt.Errorf("person id: %w", err)
	}
	return p, nil
}

// PersonOf makes the person's name from the first of its records.
func PersonOf(record string) PersonID {
	sum := sha256.Sum256([]byte(record))
	return PersonID(sum[:len(PersonID{})])
}

// What a record's link says of how it came about.
const (
	DecisionLink   = "link"   // one person with other records, or a record of the register itself
	DecisionReview = "review" // alone until a person has looked at it
	DecisionApart  = "apart"  // alone: it shares a number with somebody else
	DecisionSingle = "single" // alone: it shares no number that says anything
)

// RuleRegister is the rule of the register's own records.
const RuleRegister = "register"

// Link is what is published of a record. It holds no identifier (P11): the
// reasons are levels and the ID of the other record.
type Link struct {
	Record, Source, Sector, Table string
	Person                        PersonID
	// Citizen is the ID of the person's record in the population register, ""
	// when there is none.
	Citizen string
	// Decision is one of the constants above, Rule what decided, "" for a single
	// record.
	Decision, Rule string
	// Weight is the match weight in bits that decided, 0 where none did.
	Weight float64
	// Reasons is JSON: {"with": record ID, "evidence": {comparison: level}}, ""
	// when there was nothing to compare.
	Reasons string
	Model   string // the model's version
	// Node is what the record speaks of. Of what is no person, Person is the id of
	// that node, and no person's.
	Node Node
}

// NodeID is the id of a node of a kind: as a person's, with its own letter.
func (n Node) NodeID(id PersonID) string {
	return string(n.letter()) + id.String()[1:]
}

// ParseNodeID reads what NodeID writes.
func (n Node) ParseNodeID(s string) (PersonID, error) {
	if s == "" || s[0] != n.letter() {
		return PersonID{}, fmt.Errorf("id of a %s begins with %c", n, n.letter())
	}
	return ParsePersonID("p" + s[1:])
}

func (n Node) letter() byte {
	switch n {
	case HouseholdNode:
		return 'h'
	case HouseholdBusinessNode, OrganisationNode:
		return 'o'
	}
	return 'p'
}

// Digest tells whether two links are the same. It lives in memory only.
func (l *Link) Digest(buf []byte) (digest uint64, scratch []byte) {
	buf = append(buf[:0], l.Person[:]...)
	buf = append(binary.BigEndian.AppendUint64(buf, math.Float64bits(l.Weight)), byte(l.Node))
	for _, s := range [...]string{l.Record, l.Source, l.Sector, l.Table, l.Citizen, l.Decision, l.Rule, l.Reasons, l.Model} {
		buf = append(buf, s...)
		buf = append(buf, 0xff) // in no UTF-8 text
	}
	return xxhash.Sum64(buf), buf
}
