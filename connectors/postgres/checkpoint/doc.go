// Package checkpoint is what a connector knows of its own progress: the last
// event that is in Kafka, how far the slot may have been confirmed, and the
// state of every table's snapshot. It travels to Kafka in the same transaction
// as the events that it speaks of, so that both are there or neither.
//
// What belongs here: the state, its JSON, and the questions that are answered
// from it alone. What never does: reading or writing it (connectors does that).
// The package is pure.
package checkpoint
