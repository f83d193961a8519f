// Package connectors carries one source's changes into Kafka: snapshot, then
// stream, then topic, then confirm.
//
// A connector reads its checkpoint from Kafka, compares it with the database,
// reads the tables whose snapshot is not complete, and follows the slot. Events
// and checkpoint go in one Kafka transaction, so each event is in its topic
// exactly once; only then is the LSN confirmed to PostgreSQL (P1). This package
// is the only place where that happens.
//
// What belongs here: the order of those steps, the quarantine of a table, and
// what becomes of an event on its way (key, tokens, vault). What never does:
// SQL and protocol bytes (connectors/postgres), Kafka's wire (schemas/topic),
// matching and landing (the other stages meet us in topics only).
package connectors
