// Package copytext reads the rows that PostgreSQL's COPY … TO STDOUT writes
// in its text format
// (https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS).
//
// A cell's text is what the type's output function prints: the same text that
// pgoutput sends in the stream, so that snapshot and stream give the same value
// (P5). What belongs here: splitting and unescaping. What never does: types,
// connections. The package is pure.
package copytext
