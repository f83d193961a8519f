package avro

import "github.com/hopluu/hopluu/schemas/event"

// Message is a logical message that an application wrote to the source's log,
// as Debezium writes them to <source>.message
// (https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-message-events).
type Message struct {
	Prefix  string
	Content []byte
	// LSN is its own place in the log. Position is that of the event before it
	// in its transaction, with the transaction's commit, or its own when it is
	// of none.
	LSN      event.LSN
	Position event.Position
	// TxID and CommitMicros are 0 for a message that is of no transaction: the
	// log has neither for it.
	TxID         uint32
	CommitMicros int64
}

const messageNamespace = "io.debezium.connector.postgresql"

// Messages writes the keys and values of one source's messages. It may be used
// by many goroutines.
type Messages struct {
	keySchema, valueSchema string
	source                 Encoder // the constant parts of the source block
}

// CompileMessages makes the writer of a source's messages.
func CompileMessages(source, database string) (*Messages, error) {
	m := &Messages{}
	var err error
	if m.keySchema, err = schemaText(record(messageNamespace, "MessageKey", "", []object{optional("prefix", "string")})); err != nil {
		return nil, err
	}
	m.valueSchema, err = schemaText(record(messageNamespace, "MessageValue", "", []object{
		required("op", "string"),
		optional("ts_ms", "long"),
		required("source", sourceSchema()),
		required("message", record(messageNamespace, "Message", "", []object{optional("prefix", "string"), optional("content", "bytes")})),
	}))
	if err != nil {
		return nil, err
	}
	m.source.compileSource(Table{Source: source, Database: database})
	return m, nil
}

// KeySchema is the Avro schema of the key: the prefix.
func (m *Messages) KeySchema() string { return m.keySchema }

// ValueSchema is the Avro schema of the value.
func (m *Messages) ValueSchema() string { return m.valueSchema }

// AppendKey writes the key of a message in wire format.
func (m *Messages) AppendKey(dst []byte, schemaID uint32, msg *Message) []byte {
	dst = append(appendHeader(dst, schemaID), branchValue)
	return AppendBytes(dst, msg.Prefix)
}

// AppendValue writes a message in wire format.
func (m *Messages) AppendValue(dst []byte, schemaID uint32, msg *Message) []byte {
	dst = AppendBytes(appendHeader(dst, schemaID), "m")
	if msg.TxID == 0 {
		dst = append(dst, branchNull)
	} else {
		dst = AppendLong(append(dst, branchValue), floorMillis(msg.CommitMicros))
	}
	dst = m.source.appendSource(dst, &event.Event{Position: msg.Position, TxID: msg.TxID, CommitMicros: msg.CommitMicros}, msg.LSN)
	dst = AppendBytes(append(dst, branchValue), msg.Prefix)
	return AppendBytes(append(dst, branchValue), msg.Content)
}
