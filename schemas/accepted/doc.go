// Package accepted is the record of which model of identity an operator accepted:
// its version, with who did so, why and when. No other model changes the links
// that are published.
//
// It is a compacted topic of one key, hopluu.state.model, so an acceptance
// outlives every process and is seen by all of them within seconds. Without a
// record the model of the links that are published is the accepted one.
//
// What belongs here: the record, reading and writing it. What never does: what a
// model is, and what waits for it, which the matcher knows.
package accepted
