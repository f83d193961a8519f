// Package sectors reads the sector files: one YAML file a system of the
// strategy, with its tables and columns, what each means in Vietnamese and
// English, how sensitive it is, who owns it, and which columns name a person.
// Connectors, the matcher, the sinks and the catalogue all work from them.
//
// What belongs here: the files, their types, strict reading, and every rule
// that a file must keep before a stage may trust it. What never does: a
// database, Kafka, ClickHouse, or what a stage makes of a column.
//
// Parse is pure; Load and LoadDir add the reading of files.
package sectors
