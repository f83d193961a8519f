package file

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// stateKeys keeps the fingerprints of the keys that tokens are made with.
const stateKeys = "keys"

// Naming gives the columns of the drop's tables whose tokens name records, by
// "schema.table".
func (c *Config) Naming() (map[string][]string, error) {
	tables, err := c.declared()
	if err != nil {
		return nil, err
	}
	return connectors.Naming(c.Captured(), func(schema, name string) ([]string, error) {
		for _, t := range tables {
			if t.sector.Schema == schema && t.sector.Name == name {
				return keyNames(t.columns), nil
			}
		}
		return nil, nil
	})
}

// ReadFingerprints gives what the state of a source has; nothing of one that never
// took a file in.
func ReadFingerprints(ctx context.Context, kafka *topic.Client, source string) (keys connectors.Fingerprints, err error) {
	err = readState(ctx, kafka, source, func(kind, _ string, value []byte) error {
		if kind != stateKeys {
			return nil
		}
		keys = connectors.Fingerprints{}
		return json.Unmarshal(value, &keys)
	})
	return keys, err
}

// sameKeys refuses token keys that are not those of the source's state.
func (c *Connector) sameKeys(keys connectors.Fingerprints) error {
	if err := keys.Check(c.Source, c.Tokens, c.OldTokens); err != nil {
		return &ConfigError{err.Error()}
	}
	return nil
}

// checkKeys refuses keys that are not those of the source's state, and writes down
// which they are before there is a token.
func (s *session) checkKeys(ctx context.Context) error {
	if err := s.sameKeys(s.keys); err != nil {
		return err
	}
	naming, err := s.Naming()
	if err != nil {
		return err
	}
	var named []string
	for _, t := range s.tables {
		if naming[t.name()] != nil && t.known.Count() > 0 {
			named = append(named, t.name())
		}
	}
	if err := s.keys.CheckRecord(s.Source, s.Records, named, "take the files in under another source name"); err != nil {
		return &ConfigError{err.Error()}
	}
	if err := s.keys.CheckErased(s.Source, s.Records, naming, s.ledger); err != nil {
		return &ConfigError{err.Error()}
	}
	now := s.keys.With(s.Tokens, s.Records, s.OldTokens)
	if now.Same(s.keys) {
		return nil
	}
	if err := s.putJSON(ctx, stateKeys, "", now); err != nil {
		return err
	}
	s.keys = now
	return s.commit(ctx)
}

// needRecordKey refuses to begin without a record key where a table needs one.
func (c *Config) needRecordKey() error {
	naming, err := c.Naming()
	if err == nil {
		err = connectors.NeedRecordKey(naming, c.Records)
	}
	if err != nil {
		return &ConfigError{fmt.Sprintf("source %s: %v", c.Source, err)}
	}
	return nil
}
