// Package embedded starts the servers of a one-machine installation as
// processes of this one: a real PostgreSQL, a real Kafka broker, ClickHouse's
// engine behind its HTTP interface, and hopluu's own subcommands.
//
// What belongs here: configuring, starting, probing, stopping and killing
// processes on this machine. What never does: fetching the programs (package
// parts), speaking to the servers beyond the probe that says they are ready,
// and anything that a distributed installation needs: production wiring never
// imports this package.
package embedded
