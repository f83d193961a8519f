package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
)

// table is one captured table with its encoders for the columns that it has
// now.
type table struct {
	sector   sectors.Table
	relation postgres.Relation
	tokens   *token.Tokenizer
	records  *token.Tokenizer // nil when there is no record key
	// key are the columns of the message key, as indexes into the relation.
	key []int

	public lane
	vault  lane // topic "" when the table has no vault

	// reason is why its events are dead letters; empty when they flow.
	// provisional: it is not quarantined yet, because none of its changes has
	// come, or a snapshot that was taken later has what they say.
	reason      string
	provisional bool
	// message and frame are the stream's description of the table, read and
	// raw; explained: it went to the dead letters already.
	message   *pgoutput.Relation
	frame     []byte
	explained bool
	// order counts the table's events in the stream; nil in a snapshot.
	order *order

	// seals is the ring of the vault's keys, nil for none.
	seals *seal.Ring
	// guard finds the rows of erased people (P12); nil when nobody is erased.
	guard *Guard

	metrics  *metrics
	counters map[event.Op]prometheus.Counter
}

// lane is one topic that the table's events go to.
type lane struct {
	topic      string
	partitions int32
	encoder    *avro.Encoder
	keyID      uint32
	valueID    uint32
	// former are the forms that keys of a compacted topic had before.
	former *FormerKeys
}

func (t *table) name() string { return t.relation.Name() }

// produced is the counter of the table's events; looking it up by its labels
// would cost more than encoding a row.
func (t *table) produced(op event.Op) prometheus.Counter {
	c := t.counters[op]
	if c == nil {
		c = t.metrics.events.WithLabelValues(t.name(), op.String())
		t.counters[op] = c
	}
	return c
}

// keyNames are the columns of a table's key: those that the sector file declares,
// else the primary key.
func keyNames(relation postgres.Relation, sector sectors.Table) []string {
	if len(sector.Key) > 0 {
		return sector.Key
	}
	return relation.Primary
}

func (t *table) keyNames() []string { return keyNames(t.relation, t.sector) }

// fields makes the Avro fields of both lanes from the relation's columns. records
// may be nil where no column of it names records.
func fields(relation postgres.Relation, sector sectors.Table, tokens, records *token.Tokenizer) (public, vault []avro.Field, key []int, err error) {
	keyNames := keyNames(relation, sector)
	for _, name := range keyNames {
		i := slices.IndexFunc(relation.Columns, func(c pgvalue.Column) bool { return c.Name == name })
		if i < 0 {
			return nil, nil, nil, fmt.Errorf("key column %s is not in the table", name)
		}
		if described, ok := sector.Column(name); !sector.Captures(name) || ok && described.Privacy == sectors.Mask {
			return nil, nil, nil, fmt.Errorf("key column %s is kept back by the sector file, but a row is known by its key: give it privacy: token there, or name another key", name)
		}
		key = append(key, i)
	}
	seen := map[string]string{}
	for i, column := range relation.Columns {
		if !sector.Captures(column.Name) {
			continue // also when the publication sends it (P11)
		}
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
		if described.Identifier != "" || described.Privacy != "" {
			// P11: the plaintext goes to the vault lane only, if its owner lets
			// it go there.
			of, err := TokenizerOf(&sector, column.Name, keyNames, tokens, records)
			if err != nil {
				return nil, nil, nil, err
			}
			field.Type, field.Append = Private(described, codec, of)
		}
		var unfit avro.Field
		if name := described.UnfitName(); name != "" {
			if isKey {
				return nil, nil, nil, fmt.Errorf("column %s is of the key, whose values all have to be in one field: take unfit out of the sector file, or name another key", column.Name)
			}
			if slices.ContainsFunc(relation.Columns, func(c pgvalue.Column) bool { return avro.SafeName(c.Name) == name }) {
				return nil, nil, nil, fmt.Errorf("column %s has unfit in the sector file, whose values go to %s, and the table has a column of that name: rename it", column.Name, name)
			}
			typed, text := pgvalue.Unfit(codec)
			field.Append = typed.Append
			unfit = avro.Field{Name: avro.SafeName(name), Column: i, Type: text.Avro, Nullable: true, Append: text.Append,
				Doc: fmt.Sprintf("%s — what its type cannot hold, as text (kiểu của cột không chứa được)", column.Name)}
		}
		public = append(public, field)
		if unfit.Append != nil {
			public = append(public, unfit)
		}
		switch {
		case isKey:
			vault = append(vault, field)
			if described.Identifier != "" && described.Privacy == "" {
				plain.Name += "_plain"
				plain.Nullable = true
				vault = append(vault, plain)
			}
		case sector.InVault(described):
			vault = append(vault, plain)
		}
	}
	return public, vault, key, nil
}

// bare is a table without encoders: all that its dead letters need.
func (s *session) bare(relation postgres.Relation) *table {
	sector, ok := s.sectorTable(relation)
	if !ok {
		sector = sectors.Table{Schema: relation.Schema, Name: relation.Table}
		if slices.ContainsFunc(s.Sector.Tables, func(t sectors.Table) bool { return t.Private() || t.Where != "" }) {
			// It may be one of these under another name: its dead letters have
			// no values.
			sector.Undescribed = sectors.Drop
		}
	}
	return &table{sector: sector, relation: relation, tokens: s.Tokens, records: s.Records, seals: s.Vault, reason: s.checkpoint.Tables[relation.Name()].Quarantined,
		metrics: s.metrics, counters: map[event.Op]prometheus.Counter{}}
}

// compile makes the table ready for events of the relation's columns: encoders,
// and schemas registered under <topic>-key and <topic>-value. A
// *QuarantineError means that this table alone cannot go on.
func (s *session) compile(ctx context.Context, relation postgres.Relation) (*table, error) {
	t := s.bare(relation)
	sector, ok := s.sectorTable(relation)
	if !ok {
		return t, &QuarantineError{Table: t.name(), Err: fmt.Errorf("it is published but not described in sector %s: describe it, or take it out of publication %s", s.Sector.Sector, s.Publication)}
	}
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
	for _, name := range names {
		if counts[name] == 0 {
			return nil, fmt.Errorf("topic %s is gone: it was removed while the connector ran", name)
		}
	}
	t.public.partitions, t.vault.partitions = counts[t.public.topic], counts[t.vault.topic]

	public, vault, key, err := fields(relation, sector, s.Tokens, s.Records)
	if err != nil {
		return t, &QuarantineError{Table: relation.Name(), Err: err}
	}
	t.key = key
	if t.guard, err = s.guardOf(t, public, s.tokenizers()); err != nil {
		return t, &QuarantineError{Table: relation.Name(), Err: err}
	}
	if t.vault.topic != "" && len(key) == 0 {
		return t, &QuarantineError{Table: relation.Name(), Err: errors.New("it has identifiers or matching columns but no key, and the compacted vault topic needs one: give it a primary key, or name `key` in the sector file")}
	}
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
		if t.vault.former, err = ReadFormerKeys(ctx, s.Registry, t.vault.topic, t.vault.keyID, t.public.encoder.KeySchema()); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// guardOf makes the guard of a table.
func (s *session) guardOf(t *table, public []avro.Field, tokenizers []*token.Tokenizer) (*Guard, error) {
	var columns []string
	for _, c := range t.relation.Columns {
		columns = append(columns, c.Name)
	}
	return NewGuard(s.ledger, tokenizers, s.Source, t.sector, columns, public, t.key)
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
