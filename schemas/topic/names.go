package topic

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Topics of the matcher.
const (
	// IdentityLink is the compacted topic that links each source record to its
	// person.
	IdentityLink = "identity.link"
	// IdentityEdge is the compacted topic of the pairs of records that may be one
	// person: what comparing hands to solving. Its partitions are the shares of
	// the comparing.
	IdentityEdge = "identity.edge"
	// IdentityEvent is the log of merges and splits of persons.
	IdentityEvent = "identity.event"
	// IdentityDecision is the compacted topic of what people said of pairs of
	// records: an input of the matcher.
	IdentityDecision = "identity.decision"
	// IdentityReview is the compacted topic of the pairs to be looked at.
	IdentityReview = "identity.review"
	// IdentityAudit is the topic of what reviewers did.
	IdentityAudit = "identity.audit"
	// IdentityErasure is the compacted topic of who is erased, and must never
	// come back (P12); see package erasure.
	IdentityErasure = "identity.erasure"
)

// Audit is the topic of what operators did; package audit says what it holds.
const Audit = "hopluu.audit"

// Public is the name of a table's topic of change events,
// "<source>.<schema>.<table>" as Debezium has it.
func Public(source, schema, table string) string {
	return part(source) + "." + part(schema) + "." + part(table)
}

// Vault is the name of the topic that holds a table's plain identifiers and
// matching columns, which the matcher alone may read (P11).
func Vault(source, schema, table string) string {
	return "vault." + Public(source, schema, table)
}

// Transactions is the name of the topic of the beginnings and ends of a
// source's transactions, "<source>.transaction" as Debezium has it.
func Transactions(source string) string { return part(source) + ".transaction" }

// Messages is the name of the topic of logical messages of a source,
// "<source>.message" as Debezium has it.
func Messages(source string) string { return part(source) + ".message" }

// DeadLetter is the name of the topic for what could not be handled of topic.
func DeadLetter(topic string) string { return topic + ".dlq" }

// State is the name of the compacted topic in which the stage name keeps what
// must outlive its process.
func State(name string) string { return "hopluu.state." + name }

// part makes one part of a name fit for Kafka, which knows letters, digits,
// '_' and '-' besides the dots that divide the parts
// (org.apache.kafka.common.internals.Topic). Anything else becomes '_', as
// Debezium does, and the part then ends in a hash of what it was, so that two
// tables never share a topic.
func part(s string) string {
	ok := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
	}
	plain := s != ""
	for i := range len(s) {
		plain = plain && ok(s[i])
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && ok(byte(r)) {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	h := sha256.Sum256([]byte(s))
	return b.String() + "_" + hex.EncodeToString(h[:4])
}
