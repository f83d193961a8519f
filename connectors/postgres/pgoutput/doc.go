// Package pgoutput reads the messages of PostgreSQL's logical decoding plugin
// pgoutput, protocol versions 1 to 4, without copying a value.
//
// What belongs here: bytes to messages. What never does: the connection, what
// a transaction is and which of its parts were rolled back, what a type means
// (connectors/postgres/pgvalue), I/O. The package is pure.
//
// Source, quoted at the fields:
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
package pgoutput
