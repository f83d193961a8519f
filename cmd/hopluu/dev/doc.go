// Package dev runs the whole of hopluu on one machine: real PostgreSQL
// servers, a real Kafka, the registry, ClickHouse's engine, and hopluu's own
// stages, each a process of its own, with a generator that keeps the source
// systems busy.
//
// What belongs here: putting the parts together, watching them, showing them.
// What never does: anything that a real installation needs; it is for trying
// things out and for tests.
package dev
