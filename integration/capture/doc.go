// Package capture tests the connector on a real PostgreSQL and a real Kafka:
// what a source's changes become in topics, and what becomes of them when
// something breaks.
package capture
