// Package lineage writes what flows from where to where as OpenLineage run
// events (https://openlineage.io/spec/2-0-2/OpenLineage.json).
//
// What belongs here: the form of the events and of the facets that hopluu fills,
// and the naming of data sets (https://openlineage.io/docs/spec/naming). What
// never does: clock, random numbers, sending (lineage/outbox), and data: an event
// has names and types of columns and never a value. The package is pure.
package lineage
