// Package diff tells which rows of a file are new, changed or as before, which
// keys a file has twice, and which rows are gone. A file and what is known of
// its table are sorted by key and compared side by side, so that memory stays
// bounded however large both are (P8): what does not fit goes to storage that
// the caller provides.
//
// What belongs here: sorting, merging, comparing keys and digests. What never
// does: what a key or a digest is made of, where storage comes from, Kafka. The
// package is pure.
package diff
