package connectors

import (
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Letter is a dead letter of a connector: a change of a quarantined table, or a
// part of one.
type Letter struct {
	Offset      int64
	TimestampMs int64  // of the change's commit
	Position    string // of the change at its source
	Format      string // "pgoutput", or "pgoutput-relation": its table as it was described
	Reason      string
	Redacted    string // columns of which the value is not what the source sent, with commas between
	Part        string // "n/m" of a change that is divided
	Value       []byte // the change as the source sent it
}

// ReadLetter reads a record of a topic of dead letters, and opens it with the
// vault's key where it is sealed.
func ReadLetter(r *topic.Record, vault *seal.Ring) (Letter, error) {
	l := Letter{Offset: r.Offset, TimestampMs: r.TimestampMs, Value: r.Value}
	sealed := false
	for _, h := range r.Headers {
		text := string(h.Value)
		switch h.Key {
		case headerPosition:
			l.Position = text
		case headerFormat:
			l.Format = text
		case headerReason:
			l.Reason = text
		case headerRedacted:
			l.Redacted = text
		case headerPart:
			l.Part = text
		case headerSealed:
			sealed = true
		}
	}
	if !sealed {
		return l, nil // what a change begins with may look like a seal
	}
	var err error
	l.Value, err = vault.Open(r.Value, r.Topic, nil)
	return l, err
}
