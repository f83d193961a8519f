package registry

import (
	"encoding/json"
	"fmt"
)

// The records of the topic _schemas, as Confluent's registry writes them
// (io.confluent.kafka.schemaregistry.storage), so that either can go on where
// the other stopped.
const (
	keySchema        = "SCHEMA"
	keyConfig        = "CONFIG"
	keyMode          = "MODE"
	keyDeleteSubject = "DELETE_SUBJECT"
	keyNoop          = "NOOP"
)

// version is one schema under a subject.
type version struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
	Type    string `json:"schemaType,omitempty"` // empty: AVRO
	Deleted bool   `json:"deleted"`
}

// The members stand in Confluent's order: a compacted topic compares keys as
// bytes.
type schemaKey struct {
	KeyType string `json:"keytype"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
	Magic   int    `json:"magic"`
}

// subjectKey is the key of a CONFIG, MODE or DELETE_SUBJECT record; a nil
// subject stands for all.
type subjectKey struct {
	KeyType string  `json:"keytype"`
	Subject *string `json:"subject"`
	Magic   int     `json:"magic"`
}

type noopKey struct {
	KeyType string `json:"keytype"`
	Magic   int    `json:"magic"`
}

type configValue struct {
	Level Level `json:"compatibilityLevel"`
}

type modeValue struct {
	Mode Mode `json:"mode"`
}

type deleteSubjectValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"` // and all below
}

// noopValue is ours: Confluent's registry ignores it. It keeps the largest id
// ever given when the schema that had it is deleted for good, since events may
// still bear the id.
type noopValue struct {
	MaxID int `json:"maxId"`
}

// Entry is one record of the log; a nil value deletes its key.
type Entry struct {
	Key, Value []byte
}

func entry(key, value any) (Entry, error) {
	k, err := json.Marshal(key)
	if err != nil {
		return Entry{}, fmt.Errorf("key: %w", err)
	}
	if value == nil {
		return Entry{Key: k}, nil
	}
	v, err := json.Marshal(value)
	if err != nil {
		return Entry{}, fmt.Errorf("value: %w", err)
	}
	return Entry{Key: k, Value: v}, nil
}

func schemaEntry(v version) (Entry, error) {
	return entry(schemaKey{keySchema, v.Subject, v.Version, 1}, v)
}

func schemaTombstone(subject string, v int) (Entry, error) {
	return entry(schemaKey{keySchema, subject, v, 1}, nil)
}

func subjectEntry(kind, subject string, value any) (Entry, error) {
	k := subjectKey{KeyType: kind}
	if subject != "" {
		k.Subject = &subject
	}
	return entry(k, value)
}
