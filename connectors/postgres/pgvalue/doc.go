// Package pgvalue is the one type table: from the text that PostgreSQL prints
// of a value to the Avro that carries it. Snapshot (COPY) and stream
// (pgoutput) both print a value with the type's output function, both come
// through here, and so give the same bytes for the same cell (P5).
//
// The text depends on settings of the session. The session must have
//
//	DateStyle          ISO
//	IntervalStyle      iso_8601
//	TimeZone           UTC  (others are understood; the text is then longer)
//	extra_float_digits 1 or more, so that floats keep every bit
//	bytea_output       hex
//	client_encoding    UTF8
//	lc_monetary        C, and search_path pg_catalog, so that money and
//	                   reg* types print the same in every session
//
// A text that does not look so is refused with a *TextError, never guessed at
// (P3). Nothing is clamped, rounded or nulled.
//
// What belongs here: types, their Avro schemas, their texts. What never does:
// queries, messages of the protocol, which columns are captured, I/O. The
// package is pure.
//
// Sources: https://www.postgresql.org/docs/current/datatype.html ,
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types
package pgvalue
