package avro

import (
	"fmt"

	"github.com/hopluu/hopluu/schemas/event"
)

// Decoded is an envelope that was read. Decode reuses its slices; cells alias
// the payload.
type Decoded struct {
	Op                  event.Op
	HasBefore, HasAfter bool
	Before, After       []Cell // one for each of Columns when HasBefore, HasAfter; else empty
	Position            event.Position
	TxID                int64 // 0 when there is none
	CommitMicros        int64 // microseconds since 1970-01-01 UTC
	Snapshot            bool
	// Source is the name of the database's connector, Schema and Table where
	// the row is.
	Source, Schema, Table string
	// Unchanged are the indexes of the columns of After that the update did
	// not send; their cells hold nothing of worth (P4).
	Unchanged []int
	// Range is what a marker speaks of; nil for the whole table.
	Range *event.Range
}

// Envelope reads the envelopes of one writer schema: ours, or another of
// Debezium's form. It may be used by many goroutines.
type Envelope struct {
	row    rowType
	before rowType // may be another record of the same columns
	steps  []step
	source []step
	ranges []step // of the field range
	// hasUnchanged: the schema names unchanged columns itself. Else Debezium's
	// placeholder in a string column says it.
	hasUnchanged bool
}

// step reads one field of the envelope or of its source block.
type step struct {
	field field
	name  string
	node  *node    // fieldSkip
	cell  cellType // the others
}

type field uint8

const (
	fieldSkip field = iota
	fieldBefore
	fieldAfter
	fieldSource
	fieldOp
	fieldUnchanged
	fieldRange
	fieldTSMillis // of the envelope
	fieldSourceName
	fieldSourceSchema
	fieldSourceTable
	fieldSourceMillis
	fieldSourceMicros
	fieldSnapshot
	fieldTxID
	fieldLSN
	fieldEpoch
	fieldCommitLSN
	fieldOrdinal
	fieldRangeColumn
	fieldRangeFrom
	fieldRangeTo
)

// known are the fields that we read, by name, with the types they must have to
// be read; a field of another type is skipped like an unknown one.
type known struct {
	field field
	types []avroType
}

var (
	numbers = []avroType{avroInt, avroLong}
	texts   = []avroType{avroString, avroEnum}

	envelopeFields = map[string]known{
		"op":        {fieldOp, texts},
		"unchanged": {fieldUnchanged, []avroType{avroArray}},
		"ts_ms":     {fieldTSMillis, numbers},
	}
	sourceFields = map[string]known{
		"name":      {fieldSourceName, texts},
		"schema":    {fieldSourceSchema, texts},
		"table":     {fieldSourceTable, texts},
		"ts_ms":     {fieldSourceMillis, numbers},
		"ts_us":     {fieldSourceMicros, numbers},
		"snapshot":  {fieldSnapshot, []avroType{avroString, avroEnum, avroBoolean}},
		"txId":      {fieldTxID, numbers},
		"lsn":       {fieldLSN, numbers},
		"epoch":     {fieldEpoch, numbers},
		"commitLsn": {fieldCommitLSN, numbers},
		"ordinal":   {fieldOrdinal, numbers},
	}
	rangeFields = map[string]known{
		"column": {fieldRangeColumn, texts},
		"from":   {fieldRangeFrom, texts},
		"to":     {fieldRangeTo, texts},
	}
)

// ParseEnvelope reads the schema of an envelope: a record with at least
// "after" and "op", its fields in any order. Errors hold a *SchemaError.
func ParseEnvelope(schemaJSON string) (*Envelope, error) {
	n, err := parseSchema(schemaJSON)
	if err != nil {
		return nil, err
	}
	if n.typ != avroRecord {
		return nil, schemaErrorf("not a record")
	}
	e := &Envelope{}
	have := map[field]bool{}
	for _, f := range n.fields {
		s, err := e.envelopeStep(f)
		if err != nil {
			return nil, fmt.Errorf("%s, field %s: %w", n.name, f.name, err)
		}
		have[s.field] = true
		e.steps = append(e.steps, s)
	}
	if !have[fieldAfter] || !have[fieldOp] {
		return nil, schemaErrorf("%s is no change envelope: it needs the fields after (a record or null) and op (a string)", n.name)
	}
	e.hasUnchanged = have[fieldUnchanged]
	if have[fieldBefore] && !sameColumns(e.before.columns, e.row.columns) {
		return nil, schemaErrorf("%s: before and after differ in their columns", n.name)
	}
	return e, nil
}

func (e *Envelope) envelopeStep(f nodeField) (step, error) {
	switch f.name {
	case "before", "after":
		s := step{field: fieldBefore, name: f.name}
		var err error
		if s.cell, f.node, err = recordOf(f.node); err != nil {
			return s, err
		}
		row, err := compileRow(f.node)
		if err != nil {
			return s, err
		}
		if f.name == "after" {
			s.field, e.row = fieldAfter, row
		} else {
			e.before = row
		}
		return s, nil
	case "source":
		cell, n, err := recordOf(f.node)
		if err != nil {
			return step{}, err
		}
		for _, sf := range n.fields {
			e.source = append(e.source, knownStep(sf, sourceFields))
		}
		return step{field: fieldSource, name: f.name, cell: cell}, nil
	case "range":
		if cell, n, err := recordOf(f.node); err == nil && n.name == rangeName {
			for _, rf := range n.fields {
				e.ranges = append(e.ranges, knownStep(rf, rangeFields))
			}
			return step{field: fieldRange, name: f.name, cell: cell}, nil
		}
	}
	return knownStep(f, envelopeFields), nil
}

// recordOf takes a record or null | record apart.
func recordOf(n *node) (cellType, *node, error) {
	c := cellType{null: -1, avro: avroRecord}
	if n.typ == avroUnion {
		c.union = true
		var err error
		if c.null, c.value, n, err = splitUnion(n); err != nil {
			return c, nil, err
		}
	}
	if n.typ != avroRecord {
		return c, nil, schemaErrorf("not a record")
	}
	return c, n, nil
}

func knownStep(f nodeField, all map[string]known) step {
	if k, ok := all[f.name]; ok {
		if cell, typ, err := compileCell(f.node, 0); err == nil && oneOf(cell.avro, k.types) {
			if k.field != fieldUnchanged || typ.Elem.Kind == String {
				return step{field: k.field, name: f.name, cell: cell}
			}
		}
	}
	return step{field: fieldSkip, name: f.name, node: f.node}
}

func oneOf(t avroType, types []avroType) bool {
	for _, o := range types {
		if t == o {
			return true
		}
	}
	return false
}

func sameColumns(a, b []Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Type.Kind != b[i].Type.Kind || a[i].Type.Logical != b[i].Type.Logical {
			return false
		}
	}
	return true
}

// Columns are the columns of the row in their order. They are not to be
// changed.
func (e *Envelope) Columns() []Column { return e.row.columns }

// decoding is the state of one Decode.
type decoding struct {
	reader
	env  *Envelope
	into *Decoded
	tmp  Cell
	// What may come in any order, and which of them wins.
	lsn, commitLSN                           int64
	hasCommitLSN, hasMicros, hasSourceMillis bool
}

// Decode reads a payload into into, whatever it held. The error is a
// *DecodeError; into then holds nothing of worth.
func (e *Envelope) Decode(payload []byte, into *Decoded) error {
	d := decoding{reader: newReader(payload), env: e, into: into}
	d.tmp.Elems = nil
	into.Op, into.HasBefore, into.HasAfter = 0, false, false
	into.Before, into.After, into.Unchanged = into.Before[:0], into.After[:0], into.Unchanged[:0]
	into.Position, into.TxID, into.CommitMicros, into.Snapshot, into.Range = event.Position{}, 0, 0, false, nil
	for i := range e.steps {
		d.step(&e.steps[i])
	}
	if into.Op == 0 {
		d.field = "op"
		d.fail("there is no operation")
	}
	if !e.hasUnchanged {
		d.findPlaceholders()
	}
	into.Position.LSN = event.LSN(d.lsn)
	if d.hasCommitLSN {
		into.Position.LSN = event.LSN(d.commitLSN)
	}
	return d.finish()
}

func (d *decoding) step(s *step) {
	if d.err != nil {
		return
	}
	d.field = s.name
	switch s.field {
	case fieldSkip:
		d.skip(s.node, 0)
	case fieldBefore:
		if d.into.HasBefore = d.present(&s.cell); d.into.HasBefore {
			d.into.Before = d.env.before.read(&d.reader, d.into.Before)
		}
	case fieldAfter:
		if d.into.HasAfter = d.present(&s.cell); d.into.HasAfter {
			d.into.After = d.env.row.read(&d.reader, d.into.After)
		}
	case fieldSource:
		if d.present(&s.cell) {
			for i := range d.env.source {
				d.step(&d.env.source[i])
			}
		}
	case fieldRange:
		if d.present(&s.cell) && d.err == nil {
			d.into.Range = &event.Range{}
			for i := range d.env.ranges {
				d.step(&d.env.ranges[i])
			}
		}
	case fieldUnchanged:
		d.unchanged(&s.cell)
	default:
		d.cell(&s.cell, &d.tmp)
		if d.err == nil && !d.tmp.Null {
			d.scalar(s)
		}
	}
}

// present reads the union around a record, if there is one.
func (d *decoding) present(t *cellType) bool {
	if !t.union {
		return true
	}
	switch i := d.long(); {
	case d.err != nil:
	case i == t.value:
		return true
	case i != t.null:
		d.fail("a union branch that the schema does not have")
	}
	return false
}

func (d *decoding) scalar(s *step) {
	into, c := d.into, &d.tmp
	switch s.field {
	case fieldOp:
		if len(c.B) != 1 || !event.Op(c.B[0]).Valid() {
			d.fail("an operation that is none of c, u, d, r, t and m")
			return
		}
		into.Op = event.Op(c.B[0])
	case fieldTSMillis:
		if !d.hasMicros && !d.hasSourceMillis {
			into.CommitMicros = c.N * 1000
		}
	case fieldSourceName:
		setString(&into.Source, c.B)
	case fieldSourceSchema:
		setString(&into.Schema, c.B)
	case fieldSourceTable:
		setString(&into.Table, c.B)
	case fieldSourceMillis:
		if !d.hasMicros {
			into.CommitMicros, d.hasSourceMillis = c.N*1000, true
		}
	case fieldSourceMicros:
		into.CommitMicros, d.hasMicros = c.N, true
	case fieldSnapshot:
		// Debezium also says "first", "last" and "incremental".
		into.Snapshot = c.N == 1 || len(c.B) > 0 && string(c.B) != "false"
	case fieldTxID:
		into.TxID = c.N
	case fieldLSN:
		d.lsn = c.N
	case fieldCommitLSN:
		d.commitLSN, d.hasCommitLSN = c.N, true
	case fieldEpoch:
		into.Position.Epoch = d.uint32(c.N)
	case fieldOrdinal:
		into.Position.Ordinal = d.uint32(c.N)
	case fieldRangeColumn:
		into.Range.Column = string(c.B)
	case fieldRangeFrom:
		into.Range.From = textOf(c.B)
	case fieldRangeTo:
		into.Range.To = textOf(c.B)
	}
}

func textOf(b []byte) *string {
	s := string(b)
	return &s
}

func (d *decoding) uint32(n int64) uint32 {
	if n != int64(uint32(n)) {
		d.fail("a number outside 32 bits")
		return 0
	}
	return uint32(n)
}

// setString keeps the string that is there when it is the same: the names of
// a topic hardly ever change.
func setString(s *string, b []byte) {
	if *s != string(b) {
		*s = string(b)
	}
}

// unchanged reads null | array of string and finds the columns (P4).
func (d *decoding) unchanged(t *cellType) {
	if !d.present(t) {
		return
	}
	var name Cell
	for n := d.block(); n > 0; n = d.block() {
		for ; n > 0 && d.err == nil; n-- {
			if d.cell(t.elem, &name); d.err != nil {
				return
			}
			i := d.column(name.B)
			if i < 0 {
				d.fail("it names a column that the schema does not have")
				return
			}
			d.into.Unchanged = append(d.into.Unchanged, i)
		}
	}
}

func (d *decoding) column(name []byte) int {
	for i := range d.env.row.columns {
		if d.env.row.columns[i].Name == string(name) {
			return i
		}
	}
	return -1
}

// findPlaceholders marks the unchanged columns of topics that another
// connector of Debezium's kind wrote (P4).
func (d *decoding) findPlaceholders() {
	for i := range d.into.After {
		if d.env.row.cells[i].avro == avroString && string(d.into.After[i].B) == Placeholder {
			d.into.Unchanged = append(d.into.Unchanged, i)
		}
	}
}
