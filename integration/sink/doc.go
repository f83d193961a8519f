// Package sink holds the tests of the ClickHouse sink on a real Kafka, a schema
// registry and ClickHouse's engine: events are written into topics as
// connectors write them, and what stands in ClickHouse is compared.
//
// What belongs here: tests and their feeder of events. What never does: code
// that the product runs.
package sink
