// Package recordbatch turns records into the bytes of a Kafka record batch
// (message format 2, https://kafka.apache.org/documentation/#recordbatch) and
// back.
//
// What belongs here: the layout of a batch, its checksum, its compression.
// What never does: connections, offsets' meaning, transactions, clocks. The
// package is pure: what it gives depends on what it is given.
package recordbatch
