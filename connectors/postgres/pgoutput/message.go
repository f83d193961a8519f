package pgoutput

import "github.com/hopluu/hopluu/schemas/event"

// Message is one of the types of this file, behind a pointer. All but Relation
// are memory of the Decoder: they and what they point to last until its next
// Decode, and alias the frame.
type Message interface{ kind() byte }

// The first byte of each message, "Byte1('B') Identifies the message as a
// begin message" and so on.
const (
	kindBegin            = 'B'
	kindCommit           = 'C'
	kindOrigin           = 'O'
	kindRelation         = 'R'
	kindType             = 'Y'
	kindInsert           = 'I'
	kindUpdate           = 'U'
	kindDelete           = 'D'
	kindTruncate         = 'T'
	kindMessage          = 'M'
	kindStreamStart      = 'S'
	kindStreamStop       = 'E'
	kindStreamCommit     = 'c'
	kindStreamAbort      = 'A'
	kindBeginPrepare     = 'b'
	kindPrepare          = 'P'
	kindCommitPrepared   = 'K'
	kindRollbackPrepared = 'r'
	kindStreamPrepare    = 'p'
)

// Times are microseconds since 1970-01-01 UTC; the protocol counts "in number
// of microseconds since PostgreSQL epoch (2000-01-01)".

// Begin starts a transaction that is sent whole, at its commit.
type Begin struct {
	FinalLSN     event.LSN // "The final LSN of the transaction": that of its commit
	CommitMicros int64     // "Commit timestamp of the transaction"
	Xid          uint32    // "Xid of the transaction"
}

// Commit ends what Begin started.
type Commit struct {
	Flags        uint8     // "Flags; currently unused"
	CommitLSN    event.LSN // "The LSN of the commit"
	EndLSN       event.LSN // "The end LSN of the transaction": what is confirmed to the server
	CommitMicros int64     // "Commit timestamp of the transaction"
}

// Origin says that the transaction was itself replicated. "Note that there can
// be multiple Origin messages inside a single transaction."
type Origin struct {
	CommitLSN event.LSN // "The LSN of the commit on the origin server"
	Name      string    // "Name of the origin"
}

// Relation describes a table before the first change of it, and after each
// change of its shape. It is new memory: keep it.
type Relation struct {
	// Xid: "Xid of the transaction (only present for streamed transactions)";
	// else 0. So it is in every message that has it.
	Xid             uint32
	OID             uint32 // "OID of the relation"
	Namespace       string // "Namespace (empty string for pg_catalog)"
	Name            string // "Relation name"
	ReplicaIdentity byte   // "(same as relreplident in pg_class)": d(efault), n(othing), f(ull), i(ndex)
	Columns         []RelationColumn
}

// RelationColumn is a column of a Relation, "except generated columns" unless
// they are published.
type RelationColumn struct {
	Key    bool   // "1 which marks the column as part of the key", of the replica identity, that is
	Name   string // "Name of the column"
	OID    uint32 // "OID of the column's data type"
	Typmod int32  // "Type modifier of the column (atttypmod)"
}

// Type names a type that is not built in.
type Type struct {
	Xid       uint32
	OID       uint32 // "OID of the data type"
	Namespace string // "Namespace (empty string for pg_catalog)"
	Name      string // "Name of the data type"
}

// Insert is a new row.
type Insert struct {
	Xid      uint32
	Relation uint32    // "OID of the relation corresponding to the ID in the relation message"
	New      event.Row // "TupleData message part representing the contents of new tuple"
}

// The sorts of old image that an Update or a Delete may have.
const (
	OldNone = 0   // the key did not change
	OldKey  = 'K' // the columns of the replica identity, the others null
	OldFull = 'O' // the whole row: REPLICA IDENTITY FULL
)

// Update is a changed row.
type Update struct {
	Xid      uint32
	Relation uint32
	// OldKind: "Byte1('K') Identifies the following TupleData submessage as a
	// key. This field is optional and is only present if the update changed
	// data in any of the column(s) that are part of the REPLICA IDENTITY
	// index", or "Byte1('O')", or OldNone.
	OldKind byte
	Old     event.Row // nil with OldNone
	// New is the new row. An unchanged TOAST value that the old image holds is
	// filled in from there; one that it does not hold stays Unchanged (P4).
	New event.Row
}

// Delete is a row that went away.
type Delete struct {
	Xid      uint32
	Relation uint32
	OldKind  byte // OldKey or OldFull
	Old      event.Row
}

// Truncate empties tables.
type Truncate struct {
	Xid             uint32
	Cascade         bool     // "1 for CASCADE"
	RestartIdentity bool     // "2 for RESTART IDENTITY"
	Relations       []uint32 // "OID of the relation corresponding to the ID in the relation message"
}

// LogicalMessage is what pg_logical_emit_message wrote.
type LogicalMessage struct {
	Xid           uint32
	Transactional bool      // "Flags; Either 0 for no flags or 1 if the logical decoding message is transactional"
	LSN           event.LSN // "The LSN of the logical decoding message"
	Prefix        string    // "The prefix of the logical decoding message"
	Content       []byte    // "The content of the logical decoding message"
}

// StreamStart begins a segment of a transaction that is still in progress.
type StreamStart struct {
	Xid uint32
	// First: "A value of 1 indicates this is the first stream segment for this
	// XID, 0 for any other stream segment".
	First bool
}

// StreamStop ends a segment.
type StreamStop struct{}

// StreamCommit commits a transaction that was sent in segments.
type StreamCommit struct {
	Xid          uint32
	Flags        uint8 // "Flags; currently unused"
	CommitLSN    event.LSN
	EndLSN       event.LSN
	CommitMicros int64
}

// StreamAbort rolls back a transaction that was sent in segments, or, with a
// Subxid that is not Xid, a savepoint of it. Servers may send one for a
// transaction of which they sent nothing (case 4).
type StreamAbort struct {
	Xid    uint32 // "Xid of the transaction"
	Subxid uint32 // "Xid of the subtransaction (will be same as xid of the transaction for top-level transactions)"
	// HasAbort: AbortLSN and AbortMicros are "only present when streaming is
	// set to parallel. This field is available since protocol version 4".
	HasAbort    bool
	AbortLSN    event.LSN // "The LSN of the abort operation"
	AbortMicros int64     // "Abort timestamp of the transaction"
}

// BeginPrepare starts a transaction that is sent at its PREPARE.
type BeginPrepare struct {
	PrepareLSN    event.LSN // "The LSN of the prepare"
	EndLSN        event.LSN // "The end LSN of the prepared transaction"
	PrepareMicros int64     // "Prepare timestamp of the transaction"
	Xid           uint32
	GID           string // "The user defined GID of the prepared transaction"
}

// Prepare ends what BeginPrepare started.
type Prepare struct {
	Flags         uint8
	PrepareLSN    event.LSN
	EndLSN        event.LSN
	PrepareMicros int64
	Xid           uint32
	GID           string
}

// CommitPrepared is COMMIT PREPARED.
type CommitPrepared struct {
	Flags        uint8
	CommitLSN    event.LSN // "The LSN of the commit of the prepared transaction"
	EndLSN       event.LSN // "The end LSN of the commit of the prepared transaction"
	CommitMicros int64
	Xid          uint32
	GID          string
}

// RollbackPrepared is ROLLBACK PREPARED.
type RollbackPrepared struct {
	Flags          uint8
	PrepareEndLSN  event.LSN // "The end LSN of the prepared transaction"
	RollbackEndLSN event.LSN // "The end LSN of the rollback of the prepared transaction"
	PrepareMicros  int64
	RollbackMicros int64
	Xid            uint32
	GID            string
}

// StreamPrepare is the PREPARE of a transaction that was sent in segments.
type StreamPrepare struct {
	Flags         uint8
	PrepareLSN    event.LSN
	EndLSN        event.LSN
	PrepareMicros int64
	Xid           uint32
	GID           string
}

func (*Begin) kind() byte            { return kindBegin }
func (*Commit) kind() byte           { return kindCommit }
func (*Origin) kind() byte           { return kindOrigin }
func (*Relation) kind() byte         { return kindRelation }
func (*Type) kind() byte             { return kindType }
func (*Insert) kind() byte           { return kindInsert }
func (*Update) kind() byte           { return kindUpdate }
func (*Delete) kind() byte           { return kindDelete }
func (*Truncate) kind() byte         { return kindTruncate }
func (*LogicalMessage) kind() byte   { return kindMessage }
func (*StreamStart) kind() byte      { return kindStreamStart }
func (*StreamStop) kind() byte       { return kindStreamStop }
func (*StreamCommit) kind() byte     { return kindStreamCommit }
func (*StreamAbort) kind() byte      { return kindStreamAbort }
func (*BeginPrepare) kind() byte     { return kindBeginPrepare }
func (*Prepare) kind() byte          { return kindPrepare }
func (*CommitPrepared) kind() byte   { return kindCommitPrepared }
func (*RollbackPrepared) kind() byte { return kindRollbackPrepared }
func (*StreamPrepare) kind() byte    { return kindStreamPrepare }
