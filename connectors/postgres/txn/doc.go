// Package txn makes whole transactions, one after another in the order of their
// commits, of a stream in which they come in pieces: protocol version 2 sends
// large ones in segments while they are still in progress, version 3 may send
// one when it is prepared, long before it is committed.
//
// What comes out is the stream that protocol version 1 would have sent: a Begin,
// the changes that were not rolled back in the order in which they were made, a
// Commit. So whoever reads it counts the same ordinals, whatever version is
// spoken and wherever the server cut its segments, and an event that is sent
// again in another form has the position it had (P6). Two facts of the server
// make it so. It collects the changes of a transaction in the order of its log,
// streamed or not; and what it leaves out of a transaction that it sends whole
// (the rolled-back savepoints) are exactly the subtransactions for which it sends
// a Stream Abort when it streams.
//
// # Prepared transactions
//
// A slot of ours is made without two_phase: then PREPARE TRANSACTION is not sent,
// and the whole transaction comes at COMMIT PREPARED like any other, also after
// a restart in between. That is what we want, since nothing of it may reach a
// topic before.
//
// With two_phase the server sends the changes at PREPARE and only the fact at
// COMMIT PREPARED, and does not send the changes again once the prepare was
// confirmed (ReorderBufferFinishPrepared in reorderbuffer.c: "We only need to
// send the prepare if it was not decoded earlier"). What is kept here does not
// outlive the process, so a slot on which someone turned two_phase on is read
// rightly, but nothing from its oldest open PREPARE on may be confirmed (Held):
// after a restart the server then sends that transaction again. The price is
// that the slot stands still as long as a prepared transaction is open, which is
// why two_phase stays off.
//
// What belongs here: which messages make up a transaction. What never does: what
// a change says, events, Kafka, and the confirmation itself (package
// connectors).
package txn
