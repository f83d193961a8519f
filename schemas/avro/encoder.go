package avro

import (
	"errors"
	"fmt"
	"math"

	"github.com/hopluu/hopluu/schemas/event"
)

// Field is one column of a table as its messages carry it.
type Field struct {
	Name   string // a valid Avro name; SafeName makes one
	Column int    // index into event.Row
	// Type is the Avro schema of a value that is not null, as encoding/json
	// would write it: "long", or map[string]any{"type": "int", "connect.name":
	// "io.debezium.time.Date"}.
	Type     any
	Doc      string
	Nullable bool // false for the columns of the key, and for no other
	// Append writes the Avro binary of a value that is not null from the
	// source's text. It neither keeps nor changes text. Of a value that another
	// field of the column has it says ErrAbsent, if it is Nullable.
	Append func(dst, text []byte) ([]byte, error)
}

// Table is what Compile needs to know of a relation.
type Table struct {
	Source, Database, Schema, Name, Doc string
	Fields                              []Field
	Key                                 []int // indexes into Fields, in the key's order; empty for a table without a key
}

// Placeholder stands in a string column whose value the update did not send,
// as Debezium has it; the column is named in the envelope's "unchanged" too.
const Placeholder = "__debezium_unavailable_value"

// formatVersion is written as source.version. It is the version of the form
// of our envelope and not of the program: the same event gives the same bytes
// whichever release encodes it (P6).
const formatVersion = "1"

// ErrAbsent says that a field has no place for a value, which another field of
// the same column has: this one is null.
var ErrAbsent = errors.New("the value is in another field")

var (
	errNull         = errors.New("NULL in a column of the key: does the replica identity of the table hold the columns of its key?")
	errUnchangedKey = errors.New("the update did not send a column of the key: give the table a replica identity that holds its key, or REPLICA IDENTITY FULL")
	errUnchangedOld = errors.New("an unchanged value in an old image: the source never sends one")
)

// Encoder writes the keys and values of one relation. It has scratch space:
// one goroutine at a time.
type Encoder struct {
	table     string // "<source>.<schema>.<table>", for errors
	keySchema string
	valSchema string
	fields    []encField
	key       []int
	columns   int // cells that a row must have at least

	// The constant parts of the source block, already encoded.
	beforeTS, afterSnapshot, afterTS []byte

	unchanged []int // scratch: indexes into fields

	// transactionID is the encoded id of the transaction that inTransaction
	// names: most events are of the one before them.
	inTransaction transactionName
	transactionID []byte
}

// transactionName names a transaction of a source.
type transactionName struct {
	xid uint32
	lsn event.LSN
}

type encField struct {
	name        string
	encodedName []byte // as an Avro string
	column      int
	nullable    bool
	isString    bool
	append      func(dst, text []byte) ([]byte, error)
}

// Compile makes the encoder of a table. Errors name the field that is wrong.
func Compile(t Table) (*Encoder, error) {
	table := t.Source + "." + t.Schema + "." + t.Name
	namespace := SafeName(t.Source) + "." + SafeName(t.Schema) + "." + SafeName(t.Name)
	if len(t.Fields) == 0 {
		return nil, fmt.Errorf("%s has no column to encode", table)
	}
	place, err := keyPlaces(t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", table, err)
	}
	e := &Encoder{table: table, key: append([]int(nil), t.Key...)}
	seen := make(map[string]bool, len(t.Fields))
	fields := make([]object, 0, len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		switch {
		case !validName(f.Name):
			return nil, fmt.Errorf("%s: column %q is no Avro name", table, f.Name)
		case seen[f.Name]:
			return nil, fmt.Errorf("%s: two columns have the Avro name %s", table, f.Name)
		case f.Append == nil:
			return nil, fmt.Errorf("%s: column %s has no Append", table, f.Name)
		case f.Column < 0:
			return nil, fmt.Errorf("%s: column %s has the index %d", table, f.Name, f.Column)
		case f.Nullable == (place[i] > 0):
			return nil, fmt.Errorf("%s: column %s: the columns of the key, and only those, are not nullable", table, f.Name)
		}
		seen[f.Name] = true
		fields = append(fields, fieldSchema(f, place[i]))
		e.columns = max(e.columns, f.Column+1)
	}
	if err := e.compileSchemas(t, namespace, fields); err != nil {
		return nil, fmt.Errorf("%s: %w", table, err)
	}
	// What we write we must be able to read; this also tells the types.
	env, err := ParseEnvelope(e.valSchema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", table, err)
	}
	for i := range t.Fields {
		f := &t.Fields[i]
		e.fields = append(e.fields, encField{
			name:        f.Name,
			encodedName: AppendBytes(nil, f.Name),
			column:      f.Column,
			nullable:    f.Nullable,
			isString:    env.Columns()[i].Type.Kind == String,
			append:      f.Append,
		})
	}
	e.compileSource(t)
	return e, nil
}

// keyPlaces gives for each field its place in the key from 1, or 0.
func keyPlaces(t Table) ([]int, error) {
	place := make([]int, len(t.Fields))
	for n, i := range t.Key {
		if i < 0 || i >= len(t.Fields) {
			return nil, fmt.Errorf("the key names field %d of %d", i, len(t.Fields))
		}
		if place[i] > 0 {
			return nil, fmt.Errorf("column %s is twice in the key", t.Fields[i].Name)
		}
		place[i] = n + 1
	}
	return place, nil
}

func (e *Encoder) compileSchemas(t Table, namespace string, fields []object) error {
	var err error
	if e.valSchema, err = schemaText(envelopeSchema(namespace, record(namespace, "Value", t.Doc, fields))); err != nil {
		return err
	}
	if len(t.Key) == 0 {
		return nil
	}
	key := make([]object, 0, len(t.Key))
	for n, i := range t.Key {
		key = append(key, fieldSchema(&t.Fields[i], n+1))
	}
	e.keySchema, err = schemaText(record(namespace, "Key", t.Doc, key))
	return err
}

func (e *Encoder) compileSource(t Table) {
	e.beforeTS = AppendBytes(nil, formatVersion)
	e.beforeTS = AppendBytes(e.beforeTS, "postgresql")
	e.beforeTS = AppendBytes(e.beforeTS, t.Source)

	e.afterSnapshot = AppendBytes(nil, t.Database)
	e.afterSnapshot = append(e.afterSnapshot, branchNull) // sequence

	e.afterTS = AppendBytes(nil, t.Schema)
	e.afterTS = AppendBytes(e.afterTS, t.Name)
}

// KeySchema is the Avro schema of the key, "" for a table without one.
func (e *Encoder) KeySchema() string { return e.keySchema }

// ValueSchema is the Avro schema of the value: Debezium's envelope.
func (e *Encoder) ValueSchema() string { return e.valSchema }

// The index of the branch in a union ["null", T], as Avro writes it.
const (
	branchNull  = 0
	branchValue = 2 // zig-zag of 1
)

// AppendKey writes the key of a row in wire format. On an error (*CellError)
// dst is given back as it was.
func (e *Encoder) AppendKey(dst []byte, schemaID uint32, row event.Row) ([]byte, error) {
	if len(e.key) == 0 {
		return dst, e.rowError("the table has no key")
	}
	if len(row) < e.columns {
		return dst, e.rowError(fmt.Sprintf("a row of %d cells where the relation has %d", len(row), e.columns))
	}
	start := len(dst)
	dst = appendHeader(dst, schemaID)
	var err error
	for _, i := range e.key {
		f := &e.fields[i]
		if dst, err = e.appendCell(dst, f, &row[f.column]); err != nil {
			return dst[:start], err
		}
	}
	return dst, nil
}

// AppendValue writes the envelope of an event in wire format. On an error
// (*CellError) dst is given back as it was.
func (e *Encoder) AppendValue(dst []byte, schemaID uint32, ev *event.Event) ([]byte, error) {
	if err := e.checkImages(ev); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = appendHeader(dst, schemaID)
	e.unchanged = e.unchanged[:0]
	var err error
	if dst, err = e.appendImage(dst, ev.Before, false); err != nil {
		return dst[:start], err
	}
	if dst, err = e.appendImage(dst, ev.After, true); err != nil {
		return dst[:start], err
	}
	dst = e.appendSource(dst, ev, ev.Position.LSN)
	dst = e.appendTransaction(dst, ev)
	dst = append(dst, 2, byte(ev.Op))
	dst = append(dst, branchValue)
	dst = AppendLong(dst, floorMillis(ev.CommitMicros))
	dst = appendTimes(dst, ev.CommitMicros)
	return appendRange(e.appendUnchanged(dst), ev.Range), nil
}

func (e *Encoder) checkImages(ev *event.Event) error {
	switch ev.Op {
	case event.Create, event.Update, event.Read:
		if ev.After == nil {
			return e.rowError(fmt.Sprintf("an event %q without a new row", ev.Op))
		}
	case event.Delete:
		if ev.Before == nil {
			return e.rowError("a delete without its old row: give the table a primary key or REPLICA IDENTITY FULL")
		}
		if ev.After != nil {
			return e.rowError("a delete with a new row")
		}
	case event.Truncate, event.Marker:
		if ev.Before != nil || ev.After != nil {
			return e.rowError(fmt.Sprintf("an event %q with a row", ev.Op))
		}
	default:
		return e.rowError(fmt.Sprintf("unknown operation %#02x", byte(ev.Op)))
	}
	if ev.Range != nil && ev.Op != event.Marker {
		return e.rowError(fmt.Sprintf("an event %q of a range", ev.Op))
	}
	for _, row := range [...]event.Row{ev.Before, ev.After} {
		if row != nil && len(row) < e.columns {
			return e.rowError(fmt.Sprintf("a row of %d cells where the relation has %d", len(row), e.columns))
		}
	}
	return nil
}

func (e *Encoder) rowError(reason string) error {
	return &CellError{Table: e.table, Err: errors.New(reason)}
}

// appendImage writes before or after: null | Value.
func (e *Encoder) appendImage(dst []byte, row event.Row, isAfter bool) ([]byte, error) {
	if row == nil {
		return append(dst, branchNull), nil
	}
	dst = append(dst, branchValue)
	var err error
	for i := range e.fields {
		f := &e.fields[i]
		v := &row[f.column]
		switch {
		case v.State == event.Present:
			if f.nullable {
				dst = append(dst, branchValue)
			}
			start := len(dst)
			if dst, err = f.append(dst, v.Text); err == nil {
				continue
			}
			if f.nullable && errors.Is(err, ErrAbsent) {
				dst = append(dst[:start-1], branchNull)
			} else {
				return dst, &CellError{Table: e.table, Column: f.name, Text: shorten(v.Text), Err: err}
			}
		case !f.nullable || v.State == event.Unchanged && !isAfter:
			return e.appendCell(dst, f, v) // tells what is wrong
		case v.State == event.Unchanged:
			// P4: neither NULL nor missing. The name says so; the placeholder
			// is for consumers that know Debezium only.
			e.unchanged = append(e.unchanged, i)
			if f.isString {
				dst = append(dst, branchValue)
				dst = AppendBytes(dst, Placeholder)
			} else {
				dst = append(dst, branchNull)
			}
		default:
			dst = append(dst, branchNull)
		}
	}
	return dst, nil
}

// appendCell writes a cell that must have a value.
func (e *Encoder) appendCell(dst []byte, f *encField, v *event.Value) ([]byte, error) {
	var err error
	switch v.State {
	case event.Present:
		if dst, err = f.append(dst, v.Text); err != nil {
			return dst, &CellError{Table: e.table, Column: f.name, Text: shorten(v.Text), Err: err}
		}
		return dst, nil
	case event.Unchanged:
		err = errUnchangedKey
		if f.nullable {
			err = errUnchangedOld
		}
	default:
		err = errNull
	}
	return dst, &CellError{Table: e.table, Column: f.name, Err: err}
}

var (
	snapshotTrue  = AppendBytes(nil, "true")
	snapshotFalse = AppendBytes(nil, "false")
)

// appendSource writes the source block of an event whose own place in the log,
// as far as it is known, is lsn.
func (e *Encoder) appendSource(dst []byte, ev *event.Event, lsn event.LSN) []byte {
	dst = append(dst, e.beforeTS...)
	dst = AppendLong(dst, floorMillis(ev.CommitMicros))
	if ev.Snapshot {
		dst = append(dst, snapshotTrue...)
	} else {
		dst = append(dst, snapshotFalse...)
	}
	dst = append(dst, e.afterSnapshot...)
	dst = appendTimes(dst, ev.CommitMicros)
	dst = append(dst, e.afterTS...)
	if ev.TxID == 0 {
		dst = append(dst, branchNull)
	} else {
		dst = append(dst, branchValue)
		dst = AppendLong(dst, int64(ev.TxID))
	}
	dst = append(dst, branchValue)
	dst = AppendLong(dst, int64(lsn)) // lsn
	dst = append(dst, branchNull)     // xmin
	// P6: the position, and with it the event's identity and version.
	dst = AppendLong(dst, int64(ev.Position.Epoch))
	dst = AppendLong(dst, int64(ev.Position.LSN))
	return AppendLong(dst, int64(ev.Position.Ordinal))
}

// appendTransaction writes null | Debezium's transaction block. What is in it
// comes from the source's log alone (P6).
func (e *Encoder) appendTransaction(dst []byte, ev *event.Event) []byte {
	if ev.TableOrder == 0 {
		return append(dst, branchNull)
	}
	if name := (transactionName{ev.TxID, ev.Position.LSN}); name != e.inTransaction {
		e.inTransaction = name
		e.transactionID = appendTransactionID(e.transactionID[:0], name)
	}
	dst = append(dst, branchValue)
	dst = append(dst, e.transactionID...)
	dst = AppendLong(dst, int64(ev.Position.Ordinal))
	return AppendLong(dst, int64(ev.TableOrder))
}

// appendTimes writes ts_us and ts_ns, both null | long, from the commit time
// at the source and from no clock (P6). Past the year 2262 nanoseconds do not
// fit a long and are null.
func appendTimes(dst []byte, micros int64) []byte {
	dst = append(dst, branchValue)
	dst = AppendLong(dst, micros)
	if micros > math.MaxInt64/1000 || micros < math.MinInt64/1000 {
		return append(dst, branchNull)
	}
	dst = append(dst, branchValue)
	return AppendLong(dst, micros*1000)
}

func floorMillis(micros int64) int64 {
	ms := micros / 1000
	if micros%1000 < 0 {
		ms--
	}
	return ms
}

// appendUnchanged writes null | array of string: one block of names, then the
// empty block that ends an array.
func (e *Encoder) appendUnchanged(dst []byte) []byte {
	if len(e.unchanged) == 0 {
		return append(dst, branchNull)
	}
	dst = append(dst, branchValue)
	dst = AppendLong(dst, int64(len(e.unchanged)))
	for _, i := range e.unchanged {
		dst = append(dst, e.fields[i].encodedName...)
	}
	return append(dst, 0)
}

// appendRange writes null | Range.
func appendRange(dst []byte, r *event.Range) []byte {
	if r == nil {
		return append(dst, branchNull)
	}
	dst = AppendBytes(append(dst, branchValue), r.Column)
	for _, end := range [...]*string{r.From, r.To} {
		if end == nil {
			dst = append(dst, branchNull)
			continue
		}
		dst = AppendBytes(append(dst, branchValue), *end)
	}
	return dst
}
