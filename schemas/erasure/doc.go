// Package erasure is the ledger of erased people: what must never come back,
// whoever replays, restores or reads a table anew (P12).
//
// The ledger is the compacted topic identity.erasure, which never expires, and a
// copy of it in ClickHouse, ops.erasure. It holds no plaintext identifier and no
// name: an erasure lists the records of a person by their names
// (avro.AppendRecordID, where a key that is an identifier is its token) and the
// keyed tokens of the numbers that were theirs alone. Its messages are JSON that
// needs no schema registry, for the ledger is the first thing to be read after a
// loss.
//
// Who carries records from one place to another reads the ledger first
// (erasure/feed) and asks Covers of each row:
//
//   - the connector, before Kafka: stream, snapshot and re-snapshot;
//   - the sink, before ClickHouse: also what it reads again after a rewind;
//   - the matcher, before its engine;
//   - a replay from bronze, and a restore, before they let readers in: they have
//     the rows deleted that came with what they read (sinks/clickhouse.Erase).
//
// A row is covered when its own record is erased; when it speaks of its person
// through a record that is (an encounter of an erased patient); or when it holds
// an erased number, whatever its key: the sector's database goes on having the
// row, and may write it anew. Only a lift, which a person says and which is kept
// in the ledger too, lets it come again.
//
// What belongs here: the messages, what of several counts, and whether a row is
// covered. What never does: I/O, and how the rows are deleted. The package is
// pure.
package erasure
