// Package audit is the record of what operators did: who, when, which command
// with which arguments, what it touched, how it ended.
//
// An action is two records of the topic hopluu.audit under one id: one before
// it begins, one when it has ended. So one that was killed in its middle, or
// whose machine went away, is there too, as begun. The topic comes first and the
// sink lands it in ops.audit: an action on a ClickHouse that is away, or that is
// being restored, is recorded like any other, and a ClickHouse that was lost
// gets the record again.
//
// What belongs here: the record, its form as JSON, and what is kept out of it
// (passwords, keys, identifiers of people; P11). What never does: deciding
// whether an action may be done; the commands, which are in cmd/hopluu.
package audit
