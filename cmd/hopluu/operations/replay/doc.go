// Package replay writes rows of silver again from the events that made them:
// from their topic, or from bronze when the topic's retention took them.
//
// The rows go into a table beside silver's, replay.<data set>, that begins as a
// copy of it without the rows that the replay writes. Sinks go on meanwhile. Then
// both are compared, and exchanged in one step; the former table stays for the
// way back, and is brought up to date before it returns.
//
//	plan -> run -> diff -> swap -> (swap --back) -> drop
//
// What keeps it right:
//
//   - Rows keep the versions of their events (P6), so that what is written twice
//     is there once, in any order. Bronze is never written.
//   - A table is caught up to an offset only when bronze or the sink's committed
//     offset says that all below it is in silver and in bronze.
//   - After the exchange the sink's notes say what may still have gone to the
//     table that went out; that is written to the one that came in.
//   - ops.replay notes each step before it is taken, and which of the two tables
//     is which by their UUIDs: a command that was killed is given again.
//   - Each command that works on a replay takes a new epoch; one with an older
//     epoch stops at its next note.
//
// What belongs here: the plan, the run, the comparison, the exchange. What never
// does: decoding events and writing rows, which sinks/clickhouse.Again does as
// the sink does.
package replay
