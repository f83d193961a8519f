// Package reconcile compares a source with its topics and with ClickHouse,
// table by table: by count, by checksum over key ranges, and where these differ
// by key.
//
// The source is read as one snapshot at an LSN, which a message of a few bytes in
// its log marks. Silver is read once it has applied that LSN: the slot's
// confirmed position has passed it, and the sink has committed every offset that
// the topics then had. Keys that differ may have changed after the LSN; they are
// looked at again under a later snapshot, and only those that still differ are
// reported, but for those of which bronze shows that they changed once more.
//
// Both sides write every cell in a canonical text by SQL of their own, so none
// of the code that carried the row takes part in the comparison, but for the
// tokens of identifiers, which only the key holder can make.
//
// What belongs here: reading both sides and comparing. What never does:
// repairing what differs.
package reconcile
