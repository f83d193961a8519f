package connectors

import (
	"context"
	"strconv"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// quarantine sets a table aside: from here on its raw events go to its
// dead-letter topic and the LSN goes on, so one bad table never holds the slot
// (P3, P7).
func (s *session) quarantine(name string, err error) {
	state := s.checkpoint.Tables[name]
	state.Quarantined = err.Error()
	s.setTable(name, state)
	s.metrics.quarantined.WithLabelValues(name).Set(1)
	s.Log.Error("table quarantined: its events go to the dead-letter topic, the other tables flow",
		"table", name, "error", err,
		"mend", "remove the cause, then: hopluu connector resnapshot "+s.Source+" "+name)
}

// letterBytes is how much of an event one dead letter holds; a larger one is
// divided.
const letterBytes = 8 << 20

// Headers of a dead letter.
const (
	headerReason   = "hopluu.reason"
	headerPosition = "hopluu.position"
	// headerFormat says how to read the value: "pgoutput" is a change as the
	// source sent it, "pgoutput-relation" the description of its table that
	// goes before the first change of a session.
	headerFormat = "hopluu.format"
	// headerRedacted names the columns, with commas between, of which the value
	// is not what the source sent: their owner keeps it back. What is dropped
	// is null there, the rest masked or a token.
	headerRedacted = "hopluu.redacted"
	// headerPart is "n/m" when an event is divided over m letters.
	headerPart = "hopluu.part"
	// headerSealed is there when the value is sealed with a key of the vault.
	headerSealed = "hopluu.sealed"
)

// letter puts a raw event into the table's dead-letter topic, which is a vault
// topic because it has the identifiers (P11), but for those that their owner keeps
// back. It has no key: dead letters are not compacted.
func (s *session) letter(ctx context.Context, t *table, frame []byte, p event.Position, micros int64, reason string) error {
	frame, redacted, err := t.redactFrame(frame)
	if err != nil {
		return err
	}
	s.metrics.letters.WithLabelValues(t.name()).Inc()
	if !t.explained && t.frame != nil {
		t.explained = true
		if err := s.addLetter(ctx, DeadLetters(s.Source, t.sector), "pgoutput-relation", t.frame, p, micros, reason, ""); err != nil {
			return err
		}
	}
	return s.addLetter(ctx, DeadLetters(s.Source, t.sector), "pgoutput", frame, p, micros, reason, redacted)
}

func (s *session) addLetter(ctx context.Context, letters, format string, data []byte, p event.Position, micros int64, reason, redacted string) error {
	parts := max(1, (len(data)+letterBytes-1)/letterBytes)
	for i := range parts {
		headers := []topic.Header{
			{Key: headerReason, Value: []byte(reason)},
			{Key: headerPosition, Value: []byte(p.String())},
			{Key: headerFormat, Value: []byte(format)},
		}
		if redacted != "" {
			headers = append(headers, topic.Header{Key: headerRedacted, Value: []byte(redacted)})
		}
		if parts > 1 {
			headers = append(headers, topic.Header{Key: headerPart, Value: []byte(strconv.Itoa(i+1) + "/" + strconv.Itoa(parts))})
		}
		part := data[i*letterBytes : min(len(data), (i+1)*letterBytes)]
		if s.Vault.Seals() {
			part = s.Vault.Append(nil, part, letters, nil)
			headers = append(headers, topic.Header{Key: headerSealed, Value: []byte("1")})
		}
		if err := s.producer.Add(ctx, topic.Partition{Topic: letters}, nil, part, micros/1000, headers...); err != nil {
			return err
		}
	}
	return nil
}
