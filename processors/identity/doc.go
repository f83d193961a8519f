// Package identity says which records speak of the same person, and why.
//
// The way of a record: Normalise makes a Record of what a source wrote, Block
// says which other records it must be compared with, Compare gives the
// evidence of a pair, a Model decides on it, Cluster joins what was decided to
// be one person, and PersonID names the result. State holds all records and
// does the same again for the part of them that a change touches.
//
// Everything here is a pure function of the set of records and of the model's
// version (P9): never of the order or the time of arrival. Evidence compares
// two source records, never a merged one. What depends on all the holders of
// an id (is the number shared by several people?) is found at the clustering
// step, from the set, and never stored in an edge.
//
// What belongs here: normalising, blocking, comparing, deciding, clustering,
// and the models, which are versioned data in models/. What never does:
// topics, schemas, clocks, logs, I/O; the shell around this package is
// processors/matcher. Identifiers are plaintext here, so nothing of this
// package prints them: Number and Record format as redacted text, and the
// reasons of a Link name kinds and levels only (P11).
package identity
