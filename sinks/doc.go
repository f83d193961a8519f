// Package sinks is the way out of Kafka that every sink goes: read, batch,
// write, commit.
//
//	topics ──Reader──> lanes (one a data set) ──batch──> Store.Write ──> commit
//
// What belongs here: the consumer group and its generations, positions,
// batching by rows, bytes and time, bounded memory, backing off while
// something is away, and lag. What never does: what a record means, and how a
// store keeps it; sinks/clickhouse knows that.
package sinks
