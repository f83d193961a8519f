// Package column makes the cells of a dropped file into the columns of a table
// as its sector file describes them: which heading is which column, and what a
// cell's text is in the form that PostgreSQL would print, so that the same
// codecs carry it to Avro as in the database connector (P5).
//
// What people write is understood where it has one meaning only (31/01/2024,
// 1.234.567, có); what may mean two things is refused with a reason in English
// and Vietnamese, never guessed at (P3).
//
// What belongs here: headings, types, cells. What never does: how a file is
// read (connectors/file/sheet), which rows are new (connectors/file/diff), I/O.
// The package is pure.
package column
