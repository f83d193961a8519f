// Package outbox sends OpenLineage events, to a server or into a file, in their
// order and beside the work that they tell of.
//
// Lineage is advice and no data. A server that is slow or away must not hold a
// stage: Put never waits, what waits is bounded, and what is too much is dropped,
// counted (hopluu_lineage_events_dropped_total) and told once.
//
// What belongs here: the queue and the two ways out. What never does: what an
// event says.
package outbox
