// Package file captures from the files of departments that have no database:
// CSV and Excel drops in a folder or a bucket become the same change events,
// in the same topics, as a database's tables.
//
// A file is a set of rows with keys. It is looked for (look.go), copied to
// scratch space so that it cannot change while it is read (spool.go), read once
// to compare it with what is known of its table's rows (scan.go), and read
// again to produce what differs (take.go). The events, the new state of the
// rows and the checkpoint go in one Kafka transaction, so that a crash anywhere
// loses and doubles nothing (P2): what was produced is no longer a difference.
// The position of an event is the number of its file and the line of its row
// (P6, P10). Beside the connector stand what an operator asks: check.go, status.go.
//
// What belongs here: the order of those steps, the state, what becomes of a
// row on its way to Kafka. What never does: reading formats (sheet), what
// people mean by a cell (column), comparing (diff), where files are (drop).
package file
