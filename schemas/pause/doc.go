// Package pause is the record of what operators hold still: a source's
// connector, the matcher, the sinks of a group, or one data set of theirs; with
// who did it, why, and since when.
//
// It is a compacted topic, hopluu.state.pause, so a pause outlives every process
// and is seen by all of them within seconds. A record without a value is a pause
// that ended.
//
// What belongs here: the record, writing it, watching it. What never does: what
// it means to hold still, which each stage knows. A table of a connector is not
// held by it, but set aside in the connector's own checkpoint: a slot that keeps
// the WAL of one table keeps that of all (P7).
package pause
