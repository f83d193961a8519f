package avro

import (
	"strconv"

	"github.com/hopluu/hopluu/schemas/event"
)

// Boundary is the beginning or the end of a transaction of a source, as
// Debezium writes them to <source>.transaction
// (https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-transaction-metadata).
type Boundary struct {
	TxID uint32
	// LSN of its commit.
	LSN          event.LSN
	CommitMicros int64
	// End is false for its beginning, which has no counts.
	End    bool
	Tables []TableEvents
}

// TableEvents is how many events of a transaction are of one table.
type TableEvents struct {
	Table  string // "schema.table"
	Events int64
}

const transactionNamespace = "io.debezium.connector.common"

// The schemas of the key and the value of a boundary.
var (
	boundaryKey = record(transactionNamespace, "TransactionMetadataKey", "", []object{required("id", "string")})

	boundaryValue = record(transactionNamespace, "TransactionMetadataValue", "", []object{
		required("status", "string"),
		required("id", "string"),
		optional("event_count", "long"),
		optional("data_collections", object{{"type", "array"}, {"items", record("event", "collection", "", []object{
			required("data_collection", "string"),
			required("event_count", "long"),
		})}}),
		required("ts_ms", "long"),
	})
)

// BoundarySchemas are the Avro schemas of a boundary's key and value.
func BoundarySchemas() (key, value string, err error) {
	if key, err = schemaText(boundaryKey); err != nil {
		return "", "", err
	}
	value, err = schemaText(boundaryValue)
	return key, value, err
}

// AppendBoundaryKey writes the key of a boundary in wire format.
func AppendBoundaryKey(dst []byte, schemaID uint32, b *Boundary) []byte {
	return appendTransactionID(appendHeader(dst, schemaID), transactionName{b.TxID, b.LSN})
}

// AppendBoundaryValue writes a boundary in wire format.
func AppendBoundaryValue(dst []byte, schemaID uint32, b *Boundary) []byte {
	dst = appendHeader(dst, schemaID)
	status := "BEGIN"
	if b.End {
		status = "END"
	}
	dst = AppendBytes(dst, status)
	dst = appendTransactionID(dst, transactionName{b.TxID, b.LSN})
	if !b.End {
		dst = append(dst, branchNull, branchNull)
		return AppendLong(dst, floorMillis(b.CommitMicros))
	}
	var all int64
	for _, t := range b.Tables {
		all += t.Events
	}
	dst = AppendLong(append(dst, branchValue), all)
	dst = append(dst, branchValue)
	if len(b.Tables) > 0 {
		dst = AppendLong(dst, int64(len(b.Tables)))
		for _, t := range b.Tables {
			dst = AppendLong(AppendBytes(dst, t.Table), t.Events)
		}
	}
	return AppendLong(append(dst, 0), floorMillis(b.CommitMicros))
}

// appendTransactionID writes the id of a transaction as an Avro string:
// "<txId>:<lsn>" as Debezium does, the LSN that of its commit, so that all that
// speaks of one transaction has one id.
func appendTransactionID(dst []byte, t transactionName) []byte {
	var text [32]byte // at most 10 digits, a colon, 20 digits
	id := strconv.AppendUint(text[:0], uint64(t.xid), 10)
	id = strconv.AppendUint(append(id, ':'), uint64(t.lsn), 10)
	return AppendBytes(dst, id)
}
