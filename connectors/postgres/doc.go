// Package postgres is the I/O half of capture: it asks a PostgreSQL server for
// its tables, makes and drops the slot, reads snapshots by COPY, receives the
// replication stream and confirms what the connector tells it to confirm.
//
//	pgoutput/    bytes of the stream -> messages        (pure)
//	txn/         messages in any order of transactions -> whole transactions
//	spool/       where a transaction in progress is kept meanwhile
//	copytext/    bytes of COPY -> rows                  (pure)
//	pgvalue/     text of a value -> Avro, one table for both (pure)
//	checkpoint/  what a connector knows of its progress (pure)
//
// What belongs here: SQL and the replication protocol. What never does: Kafka,
// the registry, and the decision to confirm an LSN (package connectors).
package postgres
