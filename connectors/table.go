package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// table is one captured table with its encoders for the columns that it has
// now.
type table struct {
	sector   sectors.Table
	relation postgres.Relation
	// key are the columns of the message key, as indexes into the relation.
	key []int

	public lane
	vault  lane // topic "" when the table has no vault

	quarantined string
}

// lane is one topic that the table's events go to.
type lane struct {
	topic      string
	partitions int32
	encoder    *avro.Encoder
	keyID      uint32
	valueID    uint32
}

func (t *table) name() string { return t.relation.Name() }

// QuarantineError says why a table cannot be captured as it is, while the
// others flow.
type QuarantineError struct {
	Table string
	Err   error
}

func (e *QuarantineError) Error() string { return "table " + e.Table + ": " + e.Err.Error() }
func (e *QuarantineError) Unwrap() error { return e.Err }

// fields makes the Avro fields of both lanes from the relation's columns.
func fields(relation postgres.Relation, sector sectors.Table, tokens *token.Tokenizer) (public, vault []avro.Field, key []int, err error) {
	keyNames := sector.Key
	if len(keyNames) == 0 {
		keyNames = relation.Primary
	}
	for _, name := range keyNames {
		i := slices.IndexFunc(relation.Columns, func(c pgvalue.Column) bool { return c.Name == name })
		if i < 0 {
			return nil, nil, nil, fmt.Errorf("key column %s is not in the table", name)
		}
		key = append(key, i)
	}
	seen := map[string]string{}
	for i, column := range relation.Columns {
		codec, err := pgvalue.Lookup(column)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("column %s: %w", column.Name, err)
		}
		name := avro.SafeName(column.Name)
		if other, taken := seen[name]; taken {
			return nil, nil, nil, fmt.Errorf("columns %s and %s have one Avro name, %s: rename one", other, column.Name, name)
		}
		seen[name] = column.Name
		isKey := slices.Contains(key, i)
		plain := avro.Field{Name: name, Column: i, Type: codec.Avro, Nullable: !isKey, Append: codec.Append}
		described, ok := sector.Column(column.Name)
		if !ok {
			public = append(public, plain)
			if isKey {
				vault = append(vault, plain)
			}
			continue
		}
		plain.Doc = described.Meaning.Vi + " — " + described.Meaning.En
		field := plain
		if described.Identifier != "" {
			// P11: the plaintext goes to the vault lane only.
			field.Type = map[string]any{"type": "string", "connect.name": "hopluu.token"}
			field.Append = tokenAppend(tokens, described.Identifier)
		}
		public = append(public, field)
		switch {
		case isKey:
			vault = append(vault, field)
			if described.Identifier != "" {
				plain.Name += "_plain"
				plain.Nullable = true
				vault = append(vault, plain)
			}
		case described.Identifier != "" || described.Match != "":
			vault = append(vault, plain)
		}
	}
	return public, vault, key, nil
}

// tokenAppend writes the token of a text as an Avro string.
func tokenAppend(tokens *token.Tokenizer, domain string) func(dst, text []byte) ([]byte, error) {
	var scratch []byte
	return func(dst, text []byte) ([]byte, error) {
		scratch = tokens.Append(scratch[:0], domain, text)
		return avro.AppendBytes(dst, scratch), nil
	}
}

// compile makes the table ready for events of the relation's columns: encoders,
// and schemas registered under <topic>-key and <topic>-value. A
// *QuarantineError means that this table alone cannot go on.
func (s *session) compile(ctx context.Context, relation postgres.Relation) (*table, error) {
	sector, ok := s.sectorTable(relation)
	if !ok {
		return nil, fmt.Errorf("table %s is published but not described in sector %s", relation.Name(), s.Sector.Sector)
	}
	t := &table{sector: sector, relation: relation, quarantined: s.checkpoint.Tables[relation.Name()].Quarantined}
	t.public.topic = topic.Public(s.Source, relation.Schema, relation.Table)
	names := []string{t.public.topic}
	if sector.Vault() {
		t.vault.topic = topic.Vault(s.Source, relation.Schema, relation.Table)
		names = append(names, t.vault.topic)
	}
	counts, err := s.Kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return nil, err
	}
	t.public.partitions, t.vault.partitions = counts[t.public.topic], counts[t.vault.topic]

	public, vault, key, err := fields(relation, sector, s.Tokens)
	if err != nil {
		return t, &QuarantineError{Table: relation.Name(), Err: err}
	}
	t.key = key
	if t.public.encoder, err = s.encoder(relation, s.Source, public, key, sector.Meaning.Vi+" — "+sector.Meaning.En); err != nil {
		return t, &QuarantineError{Table: relation.Name(), Err: err}
	}
	if err := s.register(ctx, &t.public, t.public.encoder.KeySchema()); err != nil {
		return t, refused(relation, err)
	}
	if t.vault.topic != "" {
		if t.vault.encoder, err = s.encoder(relation, "vault."+s.Source, vault, key, ""); err != nil {
			return t, &QuarantineError{Table: relation.Name(), Err: err}
		}
		// The vault's key is the public key, byte for byte: the two topics can
		// be joined by key, and share its partition.
		if err := s.register(ctx, &t.vault, t.public.encoder.KeySchema()); err != nil {
			return t, refused(relation, err)
		}
	}
	return t, nil
}

func (s *session) encoder(relation postgres.Relation, source string, fields []avro.Field, key []int, doc string) (*avro.Encoder, error) {
	table := avro.Table{Source: source, Database: s.database, Schema: relation.Schema, Name: relation.Table, Doc: doc, Fields: fields}
	for _, column := range key {
		table.Key = append(table.Key, slices.IndexFunc(fields, func(f avro.Field) bool { return f.Column == column }))
	}
	return avro.Compile(table)
}

func (s *session) register(ctx context.Context, l *lane, keySchema string) (err error) {
	if keySchema != "" {
		if l.keyID, err = s.Registry.Register(ctx, l.topic+"-key", keySchema); err != nil {
			return err
		}
	}
	l.valueID, err = s.Registry.Register(ctx, l.topic+"-value", l.encoder.ValueSchema())
	return err
}

// refused makes a schema that the registry refuses a matter of its table; a
// registry that is down is not.
func refused(relation postgres.Relation, err error) error {
	var incompatible *registry.IncompatibleError
	if errors.As(err, &incompatible) {
		return &QuarantineError{Table: relation.Name(), Err: err}
	}
	return err
}

func (s *session) sectorTable(relation postgres.Relation) (sectors.Table, bool) {
	for _, t := range s.Sector.Tables {
		if t.Schema == relation.Schema && t.Name == relation.Table {
			return t, true
		}
	}
	return sectors.Table{}, false
}
