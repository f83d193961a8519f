package matcher

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// undecodableError says why a message goes to the dead letters. It holds no
// value of any column (P11).
type undecodableError struct{ err error }

func (e *undecodableError) Error() string { return e.err.Error() }
func (e *undecodableError) Unwrap() error { return e.err }

func undecodable(format string, args ...any) error {
	return &undecodableError{fmt.Errorf(format, args...)}
}

// registryPatience is how long the registry may stay away before the matcher
// gives up.
const registryPatience = time.Minute

// message is what a vault message says. raw and its slices are valid until the
// next message.
type message struct {
	op        event.Op
	tombstone bool
	raw       identity.Raw // ID always but of a truncation or marker; the rest of a row
	position  event.Position
	micros    int64
	// buries: a tombstone under a former form of the record's key, which says no
	// more than that the record was deleted at its position.
	buries bool
	// part is the range that a marker speaks of, and within finds its records;
	// empty and nil for the whole table.
	part   string
	within *avro.Span
}

// decoder reads vault messages. It keeps what it compiled by schema id.
type decoder struct {
	registry *registry.Client
	vault    *seal.Ring
	keys     map[uint32]*keyReader
	rows     map[rowSchema]*rowReader

	decoded avro.Decoded
	cells   []avro.Cell
	id      []byte
	texts   [roles][]byte
}

// rowSchema is a schema as one lane reads it.
type rowSchema struct {
	lane *lane
	id   uint32
}

// keyReader and rowReader hold the compiled schema, or why it cannot be read.
type keyReader struct {
	record *avro.Record
	err    error
}

type rowReader struct {
	envelope *avro.Envelope
	columns  []roleColumn
	err      error
}

// roleColumn is a column that says something of the row's person.
type roleColumn struct {
	index int
	name  string
	role  role
	typ   avro.Type
}

// role is what a column says of the row's person.
type role uint8

const (
	roleCCCD role = iota
	roleCMND
	roleInsurance
	roleTaxCode
	rolePhone
	roleName
	roleSex
	roleWard
	roleAddress
	roleBirth
	roleDied

	// What is not said of the row's person.
	roleOrganisation // the name of the organisation
	roleKind         // which kind of node the row is
	roleWritten      // when the ward was written
	roles
)

// roleOf are the matching fields that the model looks at.
var roleOf = map[string]role{
	sectors.CCCD: roleCCCD, sectors.CMND: roleCMND, sectors.Insurance: roleInsurance, sectors.TaxCode: roleTaxCode, sectors.Phone: rolePhone,
	sectors.FullName: roleName, sectors.Sex: roleSex, sectors.Ward: roleWard, sectors.Address: roleAddress, sectors.BirthDate: roleBirth, sectors.DiedOn: roleDied,
}

func newDecoder(r *registry.Client, vault *seal.Ring) *decoder {
	return &decoder{registry: r, vault: vault, keys: map[uint32]*keyReader{}, rows: map[rowSchema]*rowReader{}}
}

// decode reads a message of a lane. An *undecodableError is the message's own
// fault; any other error is the registry's or the context's.
func (d *decoder) decode(ctx context.Context, l *lane, rec *topic.Record, into *message) error {
	*into = message{raw: identity.Raw{Origin: l.origin}}
	if rec.Value == nil {
		into.tombstone = true
		into.position, into.buries = topic.ReadDeletedAt(rec.Headers)
		return d.decodeKey(ctx, l, rec.Key, into)
	}
	value, err := d.vault.Open(rec.Value, rec.Topic, rec.Key)
	if err != nil {
		// The message has no fault, and without its key all of them would go to
		// the dead letters and their links be withdrawn.
		return fmt.Errorf("%s, offset %d: %w", rec.Partition, rec.Offset, err)
	}
	id, payload, err := avro.SplitWire(value)
	if err != nil {
		return undecodable("value: %w", err)
	}
	reader, err := d.row(ctx, l, id)
	if err != nil {
		return err
	}
	if reader.err != nil {
		return undecodable("value schema %d: %w", id, reader.err)
	}
	if err := reader.envelope.Decode(payload, &d.decoded); err != nil {
		return undecodable("value: %w", err)
	}
	into.op, into.position, into.micros = d.decoded.Op, d.decoded.Position, d.decoded.CommitMicros
	if r := d.decoded.Range; r != nil && into.op == event.Marker {
		into.part = r.String()
		into.within, err = avro.CompileSpan(l.origin.Source, l.origin.Table, reader.envelope.Columns(), *r)
		if err != nil {
			return undecodable("value: %w", err)
		}
	}
	if into.op == event.Truncate || into.op == event.Marker {
		return nil
	}
	if err := d.decodeKey(ctx, l, rec.Key, into); err != nil {
		return err
	}
	if into.op == event.Delete {
		return nil
	}
	if !d.decoded.HasAfter {
		return undecodable("value: an event %q without the row after it", into.op)
	}
	return d.gather(l, reader, &into.raw, into.position)
}

// decodeKey makes the record's ID of the key, which is that of the public topic.
func (d *decoder) decodeKey(ctx context.Context, l *lane, key []byte, into *message) error {
	if key == nil {
		return undecodable("the message has no key: declare `key` for table %s in its sector's file", l.name())
	}
	id, payload, err := avro.SplitWire(key)
	if err != nil {
		return undecodable("key: %w", err)
	}
	reader, ok := d.keys[id]
	if !ok {
		schema, err := d.schema(ctx, id)
		var bad *undecodableError
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		reader = &keyReader{err: err}
		if err == nil {
			reader.record, reader.err = avro.ParseRecord(schema)
		}
		d.keys[id] = reader
	}
	if reader.err != nil {
		return undecodable("key schema %d: %w", id, reader.err)
	}
	if d.cells, err = reader.record.Decode(payload, d.cells); err != nil {
		return undecodable("key: %w", err)
	}
	d.id = avro.AppendRecordID(d.id[:0], l.origin.Source, l.origin.Table, reader.record.Columns(), d.cells)
	into.raw.ID = d.id
	return nil
}

func (d *decoder) row(ctx context.Context, l *lane, id uint32) (*rowReader, error) {
	if reader, ok := d.rows[rowSchema{l, id}]; ok {
		return reader, nil
	}
	schema, err := d.schema(ctx, id)
	var bad *undecodableError
	if err != nil && !errors.As(err, &bad) {
		return nil, err
	}
	reader := &rowReader{err: err}
	if err == nil {
		reader.envelope, reader.err = avro.ParseEnvelope(schema)
	}
	if reader.err == nil {
		reader.columns, reader.err = roleColumns(l, reader.envelope.Columns())
	}
	d.rows[rowSchema{l, id}] = reader
	return reader, nil
}

// tokenType marks a column that holds tokens: a key column that is an
// identifier stands once more, in plaintext, under its name and plainSuffix.
const (
	tokenType   = "hopluu.token"
	plainSuffix = "_plain"
)

// roleColumns finds the columns of a schema that say something of the person.
func roleColumns(l *lane, columns []avro.Column) ([]roleColumn, error) {
	var found []roleColumn
	for i, column := range columns {
		if r, ok := roleOf[l.matches[column.Name]]; ok && column.Type.Logical != tokenType {
			found = append(found, roleColumn{i, column.Name, r, column.Type})
		}
		for _, also := range l.beside {
			if also.column == column.Name {
				found = append(found, roleColumn{i, column.Name, also.role, column.Type})
			}
		}
		if l.matches[column.Name] != "" {
			continue
		}
		base := len(column.Name) - len(plainSuffix)
		if base <= 0 || column.Name[base:] != plainSuffix {
			continue
		}
		if r, ok := roleOf[l.matches[column.Name[:base]]]; ok {
			found = append(found, roleColumn{i, column.Name, r, column.Type})
		}
	}
	for _, c := range found {
		if c.role == roleBirth || c.role == roleDied || c.role == roleWritten {
			if _, ok := dateOf(&c.typ, &avro.Cell{Null: true}); !ok {
				return nil, fmt.Errorf("column %s is matched as a date but is an Avro %s of %q: match a column of type date, timestamp or text", c.name, c.typ.Kind, c.typ.Logical)
			}
		}
	}
	return found, nil
}

// gather gathers what the row says of its person, or of an organisation when it
// names nobody who answers for it.
func (d *decoder) gather(l *lane, reader *rowReader, raw *identity.Raw, at event.Position) error {
	raw.Position = at
	named := l.organisation == identity.AnyNode
	for i := range d.texts {
		d.texts[i] = d.texts[i][:0]
	}
	for i := range reader.columns {
		c := &reader.columns[i]
		for _, unchanged := range d.decoded.Unchanged {
			if unchanged == c.index {
				// P4: what the update did not send is neither null nor the
				// placeholder, and the record cannot be judged without it.
				return undecodable("column %s was not sent with the update, as it is stored out of line: run ALTER TABLE ... ALTER COLUMN %s SET STORAGE MAIN, then a new snapshot", c.name, c.name)
			}
		}
		cell := &d.decoded.After[c.index]
		switch c.role {
		case roleBirth:
			raw.Birth, _ = dateOf(&c.typ, cell)
		case roleDied:
			raw.Died, _ = dateOf(&c.typ, cell)
		case roleWritten:
			raw.Written, _ = dateOf(&c.typ, cell)
		default:
			d.texts[c.role] = appendText(d.texts[c.role], &c.typ, cell)
		}
		named = named || c.role < roleOrganisation && !l.own[c.name] && !cell.Null && (len(d.texts[c.role]) > 0 || raw.Birth != 0 || raw.Died != 0)
	}
	raw.CCCD, raw.CMND, raw.Insurance = d.texts[roleCCCD], d.texts[roleCMND], d.texts[roleInsurance]
	raw.TaxCode, raw.Phone = d.texts[roleTaxCode], d.texts[rolePhone]
	raw.FullName, raw.Ward, raw.Address = d.texts[roleName], d.texts[roleWard], d.texts[roleAddress]
	raw.Sex = identity.ParseSex(d.texts[roleSex])
	if raw.Node = identity.PersonNode; !named {
		raw.Node = l.node(d.texts[roleKind])
		if raw.Node != identity.PersonNode && len(d.texts[roleOrganisation]) > 0 {
			raw.FullName = d.texts[roleOrganisation]
		}
	}
	return nil
}

// appendText writes a cell as text: identifiers may be stored as numbers.
func appendText(dst []byte, t *avro.Type, c *avro.Cell) []byte {
	switch {
	case c.Null:
		return dst
	case t.Logical == "decimal":
		return avro.AppendDecimal(dst, c.B, t.Scale)
	case t.Kind == avro.Int || t.Kind == avro.Long:
		return strconv.AppendInt(dst, c.N, 10)
	}
	return append(dst, c.B...)
}

const dayMicros = 86_400_000_000

// dateOf reads a date; ok is false when the column's type is none that holds one.
func dateOf(t *avro.Type, c *avro.Cell) (d identity.Date, ok bool) {
	switch {
	case t.Logical == "io.debezium.time.Date" || t.Logical == "date":
		if c.Null {
			return 0, true
		}
		return identity.DateOfDays(c.N), true
	case t.Logical == "io.debezium.time.MicroTimestamp":
		if c.Null {
			return 0, true
		}
		days := c.N / dayMicros
		if c.N%dayMicros < 0 {
			days--
		}
		return identity.DateOfDays(days), true
	case t.Logical == "io.debezium.time.ZonedTimestamp":
		// The day that it was here, where its owner wrote it: events have UTC.
		return identity.DateWritten(c.B), true
	case t.Kind == avro.String:
		return identity.ParseDate(c.B), true
	case t.Kind == avro.Int || t.Kind == avro.Long: // a year
		if c.Null || c.N < 0 || c.N > 9999 {
			return 0, true
		}
		return identity.NewDate(int(c.N), 0, 0), true
	}
	return 0, false
}

// schema asks the registry, again and again while it is away. A schema that it
// does not have makes the message undecodable.
func (d *decoder) schema(ctx context.Context, id uint32) (string, error) {
	return backoff.Retry(ctx, func() (string, error) {
		schema, err := d.registry.Schema(ctx, id)
		var answer *sr.ResponseError
		if errors.As(err, &answer) && answer.ErrorCode == sr.ErrSchemaNotFound.Code {
			return "", backoff.Permanent(undecodable("%w: was the registry's topic lost? register the schema again under its id", err))
		}
		return schema, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(registryPatience))
}
