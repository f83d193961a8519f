package file

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// table is one table of the drop.
type table struct {
	sector  sectors.Table
	config  Table
	columns *column.Table

	public lane
	vault  lane // topic "" when the table has no vault
	// keyFields are the key's columns as the public lane carries them.
	keyFields []avro.Field
	// rules are what its owner keeps back, shape a hash of all that decides what
	// a row becomes.
	rules, shape string
	// stopped is why its files wait; nil when they are taken in.
	stopped error

	// known is the digest of every row that was produced, by key.
	known *diff.Run
	// guard finds the rows of erased people (P12).
	guard *connectors.Guard
}

// lane is one topic that the table's events go to.
type lane struct {
	topic      string
	partitions int32
	encoder    *avro.Encoder
	// gone encodes the deletes: of a row that is gone there are only the key's
	// columns, encoded already.
	gone           *avro.Encoder
	keyID, valueID uint32
	// former are the forms that keys of a compacted topic had before.
	former *connectors.FormerKeys
}

func (t *table) name() string { return t.sector.Schema + "." + t.sector.Name }

// fields makes the Avro fields of both lanes, as the database connector does
// from a relation: identifiers are tokens in the public one, and the vault has
// the key, the identifiers and the matching columns in plain text, but for what
// the owner keeps back (P11).
func fields(t *column.Table, sector *sectors.Table, tokens, records *token.Tokenizer) (public, vault []avro.Field, err error) {
	key := keyNames(t)
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Privacy == sectors.Drop {
			continue
		}
		codec := c.Codec()
		plain := avro.Field{
			Name: avro.SafeName(c.Name), Column: i, Type: codec.Avro, Nullable: !c.IsKey, Append: codec.Append,
			Doc: c.Meaning.Vi + " — " + c.Meaning.En,
		}
		field := plain
		if c.Identifier != "" || c.Privacy != "" {
			of, err := connectors.TokenizerOf(sector, c.Name, key, tokens, records)
			if err != nil {
				return nil, nil, err
			}
			field.Type, field.Append = connectors.Private(&c.Column, codec, of)
		}
		public = append(public, field)
		switch {
		case c.IsKey:
			vault = append(vault, field)
			if c.Identifier != "" && c.Privacy == "" {
				plain.Name += "_plain"
				plain.Nullable = true
				vault = append(vault, plain)
			}
		case sector.InVault(&c.Column):
			vault = append(vault, plain)
		}
	}
	return public, vault, nil
}

// keyNames are the columns of the table's key.
func keyNames(t *column.Table) (names []string) {
	for _, i := range t.Key {
		names = append(names, t.Columns[i].Name)
	}
	return names
}

// compileAll makes the tables ready, and notes which are set aside and that the
// connector lives.
func (s *session) compileAll(ctx context.Context) error {
	stopped := map[string]string{}
	for _, t := range s.tables {
		if err := s.compile(ctx, t); err != nil {
			return err
		}
		if t.stopped != nil {
			stopped[t.name()] = t.stopped.Error()
		}
	}
	s.checkpoint.Stopped = stopped
	return s.save(ctx)
}

// compile makes the table ready: topics, encoders, schemas registered under
// <topic>-key and <topic>-value. What is wrong with this table alone stops its
// files; they wait where they are, and the other tables go on.
func (s *session) compile(ctx context.Context, t *table) error {
	t.public.topic = topic.Public(s.Source, t.sector.Schema, t.sector.Name)
	names := []string{t.public.topic}
	if t.sector.Vault() {
		t.vault.topic = topic.Vault(s.Source, t.sector.Schema, t.sector.Name)
		names = append(names, t.vault.topic)
	}
	partitions, err := s.Kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return err
	}
	t.public.partitions, t.vault.partitions = partitions[t.public.topic], partitions[t.vault.topic]

	public, vault, err := fields(t.columns, &t.sector, s.Tokens, s.Records)
	if err != nil {
		return &ConfigError{fmt.Sprintf("source %s: table %s: %v", s.Source, t.name(), err)}
	}
	for _, i := range t.columns.Key {
		t.keyFields = append(t.keyFields, public[slices.IndexFunc(public, func(f avro.Field) bool { return f.Column == i })])
	}
	var columns []string
	for i := range t.columns.Columns {
		columns = append(columns, t.columns.Columns[i].Name)
	}
	if t.guard, err = connectors.NewGuard(s.ledger, connectors.Tokenizers(s.Tokens, s.Records, s.OldTokens), s.Source, t.sector, columns, public, t.columns.Key); err != nil {
		return err
	}
	err = s.sameKey(t)
	if err == nil {
		err = s.compileLane(ctx, t, &t.public, s.Source, public, t.sector.Meaning.Vi+" — "+t.sector.Meaning.En)
	}
	if err == nil && t.vault.topic != "" {
		err = s.compileLane(ctx, t, &t.vault, "vault."+s.Source, vault, "")
	}
	if err == nil && t.vault.topic != "" {
		t.vault.former, err = connectors.ReadFormerKeys(ctx, s.Registry, t.vault.topic, t.vault.keyID, t.public.encoder.KeySchema())
	}
	var stopped *connectors.QuarantineError
	s.metrics.stopped.WithLabelValues(t.name()).Set(0)
	if errors.As(err, &stopped) {
		t.stopped = stopped
		s.metrics.stopped.WithLabelValues(t.name()).Set(1)
		s.Log.Error("the files of a table wait until its cause is removed and the connector is started again; the other tables are taken in", "table", t.name(), "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	shape := sha256.New()
	// Under another key of tokens the rest of a file would be other events (P6).
	for _, part := range []string{t.public.encoder.ValueSchema(), t.public.encoder.KeySchema(), strconv.FormatBool(t.config.Full), t.rules, s.Tokens.Name()} {
		shape.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) // a hash.Hash never returns an error
		shape.Write([]byte(part))
	}
	t.shape = hex.EncodeToString(shape.Sum(nil)[:16])
	return nil
}

// sameKey stops a table whose rows are known by another key: they could be
// neither changed nor removed.
func (s *session) sameKey(t *table) error {
	names := keyNames(t.columns)
	before := s.checkpoint.Keys[t.name()]
	if before != nil && !slices.Equal(before, names) && t.known.Count() > 0 {
		return &connectors.QuarantineError{Table: t.name(), Err: fmt.Errorf("its key is %s now, its rows were taken in by %s: give it that key, or take the files in under another source name", strings.Join(names, ", "), strings.Join(before, ", "))}
	}
	s.checkpoint.Keys[t.name()] = names
	return nil
}

func (s *session) compileLane(ctx context.Context, t *table, l *lane, source string, fields []avro.Field, doc string) (err error) {
	stopped := func(err error) error {
		var incompatible *registry.IncompatibleError
		if l.encoder == nil || l.gone == nil || errors.As(err, &incompatible) {
			return &connectors.QuarantineError{Table: t.name(), Err: err}
		}
		return err // a registry that is down is not the table's matter
	}
	compiled := avro.Table{Source: source, Database: s.Source, Schema: t.sector.Schema, Name: t.sector.Name, Doc: doc, Fields: fields}
	for _, key := range t.columns.Key {
		compiled.Key = append(compiled.Key, slices.IndexFunc(fields, func(f avro.Field) bool { return f.Column == key }))
	}
	if l.encoder, err = avro.Compile(compiled); err != nil {
		return stopped(err)
	}
	compiled.Fields = goneFields(fields, len(t.columns.Columns))
	if l.gone, err = avro.Compile(compiled); err != nil {
		return stopped(err)
	}
	if l.gone.ValueSchema() != l.encoder.ValueSchema() {
		return fmt.Errorf("table %s: deletes would have a schema of their own", t.name())
	}
	// The vault's key is the public key, byte for byte: the two topics can be
	// joined by key, and share its partition.
	if l.keyID, err = s.Registry.Register(ctx, l.topic+"-key", t.public.encoder.KeySchema()); err != nil {
		return stopped(err)
	}
	if l.valueID, err = s.Registry.Register(ctx, l.topic+"-value", l.encoder.ValueSchema()); err != nil {
		return stopped(err)
	}
	return nil
}

// goneFields are the fields for rows whose key is encoded already and whose
// other columns are NULL: so are those at index null.
func goneFields(fields []avro.Field, null int) []avro.Field {
	gone := slices.Clone(fields)
	for i := range gone {
		if gone[i].Nullable {
			gone[i].Column = null
		}
		gone[i].Append = func(dst, encoded []byte) ([]byte, error) { return append(dst, encoded...), nil }
	}
	return gone
}

// appendKey writes the key of a row in the form that the state keeps: the
// columns as the public topic carries them, each behind its length. An
// identifier in it is a token (P11).
func (t *table) appendKey(dst []byte, row event.Row) ([]byte, error) {
	var cell []byte
	for _, f := range t.keyFields {
		var err error
		if cell, err = f.Append(cell[:0], row[f.Column].Text); err != nil {
			return dst, fmt.Errorf("column %s: %w", f.Name, err)
		}
		dst = binary.AppendUvarint(dst, uint64(len(cell)))
		dst = append(dst, cell...)
	}
	return dst, nil
}

// goneRow makes the row of a delete from a key that appendKey wrote. It aliases
// the key.
func (t *table) goneRow(key []byte) (event.Row, error) {
	row := make(event.Row, len(t.columns.Columns)+1)
	for _, f := range t.keyFields {
		n, size := binary.Uvarint(key)
		if size <= 0 || n > uint64(len(key)-size) {
			return nil, fmt.Errorf("table %s: a key in its source's state topic is not what this version wrote: was the table's key changed?", t.name())
		}
		row[f.Column] = event.Value{State: event.Present, Text: key[size : size+int(n)]}
		key = key[size+int(n):]
	}
	return row, nil
}
