// Package event is the change event that all stages share: one row of a
// source that was created, updated, deleted, read by a snapshot, truncated
// away, or found gone by a new snapshot, with the position that orders it.
//
// What belongs here: the event, its values, its position, and the arithmetic
// on them. What never does: bytes of any protocol, Avro, Kafka, clocks, I/O.
// The package is pure: what it gives depends on what it is given.
package event
