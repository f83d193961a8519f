// Package walbudget decides what the WAL that a slot keeps on its server's
// disk calls for: nothing, a warning, or letting the slot go (P7).
//
// What belongs here: the judgement and the estimate of the time that is left.
// What never does: asking the server, or acting. The package is pure.
package walbudget
