// Package sheet reads rows of cells from the files that departments drop: CSV
// in its many dialects and encodings, and Excel workbooks (.xlsx). A file is
// looked at once (Inspect) and then read as often as needed (Format.Open), row
// by row, so that memory does not grow with the file (P8).
//
// What belongs here: bytes to rows, and saying why a file or a row cannot be
// read; nothing is skipped in silence (P3). What never does: what a column
// means or which type it has (connectors/file/column), folders, Kafka. The
// package reads only what it is given.
//
// Workbooks are read here and not by excelize, which the tests compare with:
// its row iterator takes a broken sheet for the end of the sheet and a missing
// shared string for its number, and rows would vanish or change unseen (P3).
//
// Sources: RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180),
// ECMA-376 part 1, SpreadsheetML
// (https://ecma-international.org/publications-and-standards/standards/ecma-376/).
package sheet
