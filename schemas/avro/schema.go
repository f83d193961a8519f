package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a JSON object whose members keep their order, so that the same
// table always gives the same schema, byte for byte: registries compare text.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeJSON(&b, m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := writeJSON(&b, m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeJSON writes v without the newline and without the HTML escapes of
// encoding/json: a doc string stays readable.
func writeJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

func schemaText(v any) (string, error) {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}

// keyProperty marks the fields of a Value record that are its key, in the
// key's order from 1. Avro allows properties that it does not know.
const keyProperty = "hopluu.key"

func required(name string, typ any) object {
	return object{{"name", name}, {"type", typ}}
}

func optional(name string, typ any) object {
	return object{{"name", name}, {"type", []any{"null", typ}}, {"default", nil}}
}

func defaulted(name string, typ, value any) object {
	return object{{"name", name}, {"type", typ}, {"default", value}}
}

func record(namespace, name, doc string, fields []object) object {
	o := object{{"type", "record"}, {"name", name}, {"namespace", namespace}}
	if doc != "" {
		o = append(o, member{"doc", doc})
	}
	return append(o, member{"fields", fields}, member{"connect.name", namespace + "." + name})
}

// fieldSchema is a column of a Value or Key record; key is its place in the
// key from 1, 0 when it is not in it.
func fieldSchema(f *Field, key int) object {
	o := optional(f.Name, f.Type)
	if !f.Nullable {
		o = required(f.Name, f.Type)
	}
	if f.Doc != "" {
		o = append(o, member{"doc", f.Doc})
	}
	if key > 0 {
		o = append(o, member{keyProperty, key})
	}
	return o
}

// sourceSchema is Debezium's source block of its PostgreSQL connector, and our
// three fields at its end, from which the position of the event comes (P6).
func sourceSchema() object {
	return record("io.debezium.connector.postgresql", "Source", "", []object{
		required("version", "string"),
		required("connector", "string"),
		required("name", "string"),
		required("ts_ms", "long"),
		defaulted("snapshot", "string", "false"),
		required("db", "string"),
		optional("sequence", "string"),
		optional("ts_us", "long"),
		optional("ts_ns", "long"),
		required("schema", "string"),
		required("table", "string"),
		optional("txId", "long"),
		optional("lsn", "long"),
		optional("xmin", "long"),
		defaulted("epoch", "long", 0),
		defaulted("commitLsn", "long", 0),
		defaulted("ordinal", "long", 0),
	})
}

// transactionSchema is Debezium's transaction block.
func transactionSchema() object {
	return record("event", "block", "", []object{
		required("id", "string"),
		required("total_order", "long"),
		required("data_collection_order", "long"),
	})
}

// opDoc tells readers of the schema what Debezium's does not have. A marker is
// in every partition of the topic, without before and after: see event.Marker
// for why it is an 'm'.
const opDoc = "c created, u updated, d deleted, r read by a snapshot, t table truncated; m: a new snapshot of the table, or of the range that the event names, is complete in this partition, and rows of it below the position of this event (source.epoch, commitLsn, ordinal) are gone; consumers that know no m may pass over it"

// rangeDoc tells readers how to compare with the ends of a range.
const rangeDoc = "of an m: the rows that it speaks of, by a column of the key, both ends included and a null one open, as text of the source; integers and dates compare by value, texts byte by byte; null: all rows"

// rangeName is the full name of rangeSchema.
const rangeName = "hopluu.Range"

// rangeSchema is event.Range.
func rangeSchema() object {
	return record("hopluu", "Range", "", []object{required("column", "string"), optional("from", "string"), optional("to", "string")})
}

// envelopeSchema is Debezium's envelope and the additional fields "unchanged"
// and "range".
func envelopeSchema(namespace string, value object) object {
	return record(namespace, "Envelope", "", []object{
		optional("before", value),
		optional("after", namespace+".Value"),
		required("source", sourceSchema()),
		optional("transaction", transactionSchema()),
		append(required("op", "string"), member{"doc", opDoc}),
		optional("ts_ms", "long"),
		optional("ts_us", "long"),
		optional("ts_ns", "long"),
		append(optional("unchanged", object{{"type", "array"}, {"items", "string"}}),
			member{"doc", "columns whose value the update did not send: neither NULL nor missing"}),
		append(optional("range", rangeSchema()), member{"doc", rangeDoc}),
	})
}
