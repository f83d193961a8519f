// Package clickhouse lands change events in ClickHouse: bronze (every event),
// silver (the latest rows), the views over both, gold, and what operators read
// in ops.
//
// What belongs here: talking to ClickHouse, the order of writes that makes a
// crash harmless, dead letters, DDL while rows flow, completing unchanged
// values. What never does: reading Kafka and batching (package sinks), what
// tables and statements look like (package tables, which is pure), and where
// the server comes from: a DSN of a real one or of an embedded one is the same
// to it.
//
// What an erased person leaves elsewhere than in rows of their own, and an
// erasure has to find by record and person_id: bronze.identity_event (before,
// after and causes are JSON of records and persons), bronze.identity_audit
// (record_a, record_b), and ops.restated (the values of dimensions). The views
// over them keep nothing.
//
// A reader's route: sink.go (start), batch.go (an event's way into a batch),
// write.go (a batch's way into ClickHouse, and why nothing is lost or doubled).
package clickhouse
