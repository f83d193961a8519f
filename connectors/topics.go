package connectors

import (
	"strconv"
	"time"

	"github.com/hopluu/hopluu/schemas/accepted"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Topics says how topics are made.
type Topics struct {
	Partitions  int32
	Replication int16
	// MinISR is min.insync.replicas: how many brokers must have an event before
	// it counts as durable (P1).
	MinISR int
	// Retention of public topics; 0 keeps for ever.
	Retention time.Duration
}

// maxMessageBytes lets a batch hold one row of the greatest MaxRowBytes.
const maxMessageBytes = "17825792"

// Specs are the topics of one source.
func (t Topics) Specs(source string, sector sectors.Sector) []topic.Spec {
	var specs []topic.Spec
	for _, table := range sector.Tables {
		specs = append(specs, t.spec(topic.Public(source, table.Schema, table.Name), t.Partitions, t.retention()))
		// Dead letters of a connector are raw rows: plaintext, so they stay in
		// the vault (P11).
		specs = append(specs, t.deadLetterSpec(DeadLetters(source, table)))
		if table.Vault() {
			specs = append(specs, t.spec(topic.Vault(source, table.Schema, table.Name), t.Partitions, map[string]string{"cleanup.policy": "compact"}))
		}
	}
	return specs
}

// StreamSpecs are the topics of a source's transactions and logical messages,
// for those that are asked for.
func (t Topics) StreamSpecs(source string, transactions, messages bool) []topic.Spec {
	var specs []topic.Spec
	if transactions {
		specs = append(specs, t.spec(topic.Transactions(source), 1, t.retention()))
	}
	if messages {
		specs = append(specs, t.spec(topic.Messages(source), t.Partitions, t.retention()), t.deadLetterSpec(messageLetters(source)))
	}
	return specs
}

// retention is the setting of topics that people read.
func (t Topics) retention() map[string]string {
	if t.Retention > 0 {
		return map[string]string{"retention.ms": strconv.FormatInt(t.Retention.Milliseconds(), 10)}
	}
	return map[string]string{"retention.ms": "-1"}
}

func (t Topics) deadLetterSpec(name string) topic.Spec {
	return t.spec(name, 1, map[string]string{"retention.ms": "-1"})
}

// StateSpec is the topic of a source's checkpoint: one partition, the last
// record of each key.
func (t Topics) StateSpec(source string) topic.Spec {
	return t.spec(StateTopic(source), 1, map[string]string{"cleanup.policy": "compact"})
}

func (t Topics) spec(name string, partitions int32, config map[string]string) topic.Spec {
	config["max.message.bytes"] = maxMessageBytes
	config["min.insync.replicas"] = strconv.Itoa(t.MinISR)
	return topic.Spec{Name: name, Partitions: partitions, Replication: t.Replication, Config: config}
}

// DeadLetters is the topic of a table's events that could not be encoded.
func DeadLetters(source string, table sectors.Table) string {
	return topic.DeadLetter(topic.Vault(source, table.Schema, table.Name))
}

// messageLetters is the topic of logical messages that are too large: plain
// text of an application, so it stays in the vault (P11).
func messageLetters(source string) string {
	return topic.DeadLetter("vault." + topic.Messages(source))
}

// ErasureSpec is the topic of who is erased: one partition, for one order, and
// kept for good (P12).
func (t Topics) ErasureSpec() topic.Spec {
	return t.spec(topic.IdentityErasure, 1, map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"})
}

// edgePartitions are fixed: with another number the pairs are shared out anew,
// and every edge is told again.
const edgePartitions = 4

// IdentitySpecs are the topics that the matcher writes; identity.decision is
// also its input.
func (t Topics) IdentitySpecs() []topic.Spec {
	return []topic.Spec{
		t.ErasureSpec(),
		// As many matchers as it has partitions share the comparing.
		t.spec(topic.IdentityEdge, edgePartitions, map[string]string{"cleanup.policy": "compact"}),
		t.spec(topic.IdentityLink, t.Partitions, map[string]string{"cleanup.policy": "compact"}),
		// Kept for good: it says which person a record was of on any day.
		// What people said is kept for good.
		t.spec(topic.IdentityDecision, 1, map[string]string{"cleanup.policy": "compact"}),
		t.deadLetterSpec(topic.DeadLetter(topic.IdentityDecision)),
		t.spec(topic.IdentityReview, 1, map[string]string{"cleanup.policy": "compact"}),
		// Every line has a key of its own: an erasure replaces those that name
		// the person, and compaction takes what was there (P12).
		t.spec(topic.IdentityAudit, 1, map[string]string{"cleanup.policy": "compact"}),
		t.spec(topic.IdentityEvent, 1, map[string]string{"cleanup.policy": "compact"}),
		// A decision is an operator's action, too.
		t.AuditSpec(),
	}
}

// PauseSpec is the topic of what operators hold still.
func (t Topics) PauseSpec() topic.Spec {
	return t.spec(pause.Topic, 1, map[string]string{"cleanup.policy": "compact"})
}

// ModelSpec is the topic of the model that was accepted.
func (t Topics) ModelSpec() topic.Spec {
	return t.spec(accepted.Topic, 1, map[string]string{"cleanup.policy": "compact"})
}

// AuditSpec is the topic of what operators did, which is kept for good.
func (t Topics) AuditSpec() topic.Spec {
	return t.spec(topic.Audit, 1, map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"})
}
