package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// NoRecordKeyError says that records of a table are named by numbers, and that
// there is no key to make names of them with that stay (P11).
type NoRecordKeyError struct{ Table, Column string }

func (e *NoRecordKeyError) Error() string {
	return fmt.Sprintf("column %s of table %s is an identifier that names records, whose tokens need a key that no rotation changes: make one with 'openssl rand -hex 32', keep it for good, and name its file in tokens.record_key_file (docs/setup.md)", e.Column, e.Table)
}

// TokenizerOf gives what makes the tokens of a column: records where they name
// records, tokens elsewhere. key are the columns of the table's key; records may
// be nil, which a column that names records is refused for.
func TokenizerOf(sector *sectors.Table, column string, key []string, tokens, records *token.Tokenizer) (*token.Tokenizer, error) {
	switch {
	case !sector.NamesRecord(column, key):
		return tokens, nil
	case records == nil:
		return nil, &NoRecordKeyError{Table: sector.Schema + "." + sector.Name, Column: column}
	}
	return records, nil
}

// Tokenizers are all that erased people may be known by: those of the key in
// force, of the record key (nil for none) and of the keys before.
func Tokenizers(tokens, records *token.Tokenizer, old []*token.Tokenizer) []*token.Tokenizer {
	all := append([]*token.Tokenizer{tokens}, old...)
	if records != nil {
		all = append(all, records)
	}
	return all
}

func (c *Connector) tokenizers() []*token.Tokenizer {
	return Tokenizers(c.Tokens, c.Records, c.OldTokens)
}

// Naming gives the columns of a sector's tables whose tokens name records, by
// "schema.table". primary gives the primary key of a table, nil of one that is
// not there.
func Naming(sector sectors.Sector, primary func(schema, table string) ([]string, error)) (map[string][]string, error) {
	all := map[string][]string{}
	for i := range sector.Tables {
		t := &sector.Tables[i]
		if !slices.ContainsFunc(t.Columns, func(c sectors.Column) bool { return c.TokenDomain() != "" }) {
			continue
		}
		key := t.Key
		if len(key) == 0 {
			var err error
			if key, err = primary(t.Schema, t.Name); err != nil {
				return nil, err
			}
		}
		for _, c := range t.Columns {
			if name := t.Schema + "." + t.Name; t.NamesRecord(c.Name, key) {
				all[name] = append(all[name], c.Name)
			}
		}
	}
	return all, nil
}

// NamingOf is Naming of a database.
func NamingOf(ctx context.Context, catalog *postgres.Catalog, sector sectors.Sector) (map[string][]string, error) {
	return Naming(sector, func(schema, table string) ([]string, error) {
		relation, err := catalog.Relation(ctx, schema, table)
		if errors.Is(err, postgres.ErrNoTable) {
			return nil, nil // told when it is read
		}
		return relation.Primary, err
	})
}

// NeedRecordKey refuses to go without a record key where a table needs one.
func NeedRecordKey(naming map[string][]string, records *token.Tokenizer) error {
	if records != nil || len(naming) == 0 {
		return nil
	}
	table := slices.Sorted(maps.Keys(naming))[0]
	return &NoRecordKeyError{Table: table, Column: naming[table][0]}
}

// Fingerprints are what a source's state keeps of the keys that its tokens were
// made with (token.Tokenizer.Fingerprint), and never of a secret: a key file that
// was mixed up would part every table from its past, and nobody would see it.
type Fingerprints struct {
	// Version is that of the token key in force.
	Version uint8 `json:"version,omitempty"`
	// Tokens has each token key by its version.
	Tokens map[uint8]string `json:"tokens,omitempty"`
	// Record is of the record key; empty when there was none.
	Record string `json:"record,omitempty"`
}

// Check refuses token keys that are not those of before.
func (f Fingerprints) Check(source string, tokens *token.Tokenizer, old []*token.Tokenizer) error {
	if tokens.Version() < f.Version {
		return fmt.Errorf("tokens.version is %d, but source %s has tokens of version %d already: put that key and its version back, or give a new key a version above %d", tokens.Version(), source, f.Version, f.Version)
	}
	for i, t := range append([]*token.Tokenizer{tokens}, old...) {
		known, ok := f.Tokens[t.Version()]
		if !ok || known == t.Fingerprint() {
			continue
		}
		if i > 0 {
			return fmt.Errorf("the key of version %d under tokens.old is not the one that source %s was captured with: name the right file there", t.Version(), source)
		}
		return fmt.Errorf("the token key (tokens.key_file) is not the one of version %d that source %s was captured with, so its tokens would not join with those that are there: put that key back, or, for a new one, raise tokens.version (docs/setup.md)", t.Version(), source)
	}
	return nil
}

// CheckRecord refuses another record key than the one that records were named
// with. named are the tables that have rows with such names, "schema.table".
func (f Fingerprints) CheckRecord(source string, records *token.Tokenizer, named []string, mend string) error {
	if records == nil || len(named) == 0 || f.Record == records.Fingerprint() {
		return nil
	}
	slices.Sort(named)
	if f.Record == "" {
		return fmt.Errorf("records of source %s in %s have names from before there was a record key: to name them with it, which links them anew, %s", source, strings.Join(named, ", "), mend)
	}
	return fmt.Errorf("the record key (tokens.record_key_file, tokens.record_version) is not the one that records of source %s in %s are named with: put that key back; or, to name them anew, which links them anew, %s", source, strings.Join(named, ", "), mend)
}

// CheckErased refuses another record key than the one of before, where people are
// erased by what that one made: they would come back (P12). naming are the tables
// whose records it names.
func (f Fingerprints) CheckErased(source string, records *token.Tokenizer, naming map[string][]string, ledger *erasure.Ledger) error {
	if f.Record == "" || records != nil && f.Record == records.Fingerprint() {
		return nil
	}
	erased := slices.ContainsFunc(ledger.TokenVersions(), func(name string) bool { return strings.HasPrefix(name, "k") })
	for table := range naming {
		_, name, _ := strings.Cut(table, ".")
		erased = erased || slices.ContainsFunc(ledger.Records(), func(record string) bool { return strings.HasPrefix(record, source+"."+name+":") })
	}
	if !erased {
		return nil
	}
	return fmt.Errorf("the record key (tokens.record_key_file, tokens.record_version) is not the one that source %s was captured with, and people are erased by tokens of that one, who would come back: put that key back", source)
}

// Same tells whether both are of the same keys.
func (f Fingerprints) Same(o Fingerprints) bool {
	return f.Version == o.Version && f.Record == o.Record && maps.Equal(f.Tokens, o.Tokens)
}

// With is what is kept after a start with these keys.
func (f Fingerprints) With(tokens, records *token.Tokenizer, old []*token.Tokenizer) Fingerprints {
	now := Fingerprints{Version: tokens.Version(), Tokens: map[uint8]string{}, Record: f.Record}
	maps.Copy(now.Tokens, f.Tokens)
	for _, t := range append([]*token.Tokenizer{tokens}, old...) {
		now.Tokens[t.Version()] = t.Fingerprint()
	}
	if records != nil {
		now.Record = records.Fingerprint()
	}
	return now
}

// ReadFingerprints gives what the state of a source has; nothing of one that was
// never captured.
func ReadFingerprints(ctx context.Context, kafka *topic.Client, source string) (Fingerprints, error) {
	s, err := readState(ctx, kafka, source)
	return s.keys, err
}

// sameKeys refuses keys that are not those of the source's state.
func (s *session) sameKeys(of state, naming map[string][]string) error {
	if err := of.keys.Check(s.Source, s.Tokens, s.OldTokens); err != nil {
		return &postgres.ConfigError{Reason: err.Error()}
	}
	var named []string
	for table := range naming {
		// One that is marked to be read anew, and not begun, takes any names: those
		// of before go with the marker at its end.
		if of.checkpoint.Tables[table].Columns != nil {
			named = append(named, table)
		}
	}
	mend := fmt.Sprintf("run 'hopluu connector resnapshot %s %s', then start the connector", s.Source, strings.Join(slices.Sorted(slices.Values(named)), " "))
	if err := of.keys.CheckRecord(s.Source, s.Records, named, mend); err != nil {
		return &postgres.ConfigError{Reason: err.Error()}
	}
	return nil
}

// noteKeys writes down which keys tokens are made with, before there is one.
func (s *session) noteKeys(ctx context.Context, before Fingerprints) error {
	now := before.With(s.Tokens, s.Records, s.OldTokens)
	if now.Same(before) {
		return nil
	}
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if err := s.producer.Add(ctx, topic.Partition{Topic: StateTopic(s.Source)}, []byte(keysKey), data, time.Now().UnixMilli()); err != nil {
		return err
	}
	return s.producer.Commit(ctx)
}
