// Package reconcile tries `hopluu reconcile` on real parts: that it agrees when
// everything arrived, also while rows go on flowing, and that it finds what is
// wrong when something is.
//
// What belongs here: whole comparisons of a source with its topics and with
// ClickHouse. What never does: how rows get there, which other packages beside
// this one test.
package reconcile
