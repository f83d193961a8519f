// Package spool keeps the changes of transactions that the server sends while
// they are still in progress, until it says whether they committed: in memory
// up to a bound for all of them together, and beyond it in a temporary file per
// transaction (P8).
//
// A transaction's frames come back in the order in which they came, without
// those of subtransactions that were rolled back. A frame is dropped with its
// subtransaction whatever it says: a description of a table that a rolled-back
// ALTER TABLE brought about goes with the rows of that shape, and the server
// describes the table again before its next change.
//
// The files hold plain personal data (P11), so they are encrypted under a key
// that only this process has, and have no name from the moment they are made:
// whatever ends the process, nothing is left behind.
//
// What belongs here: which frames of a transaction are left, and where they
// are. What never does: what a frame says (connectors/postgres/pgoutput), the
// order of commits, and what may be confirmed (package connectors). Nothing here
// outlives the process: what was not confirmed is sent again.
package spool
