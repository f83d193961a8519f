// Package tables is the pure half of the ClickHouse sink: what a table looks
// like there, and how decoded events become columns of it.
//
// What belongs here: the type table from Avro to ClickHouse, DDL and its
// comments, what to alter when a schema grows, the statements of views and of
// truncation, and the buffers that hold a batch column by column. What never
// does: connections, clocks, logs, Kafka. The same input gives the same text
// and the same columns.
//
// A data set "health_encounter" is kept three times:
//
//	bronze.health_encounter   every event, as it came, append-only
//	silver.health_encounter   the latest version of every row
//	silver.v_health_encounter what an analyst reads
package tables
