// Package erase does what erasing a person asks for above the stages (P12). It
// follows the erasure ledger, and for each erasure
//
//  1. finds in the vault the person's numbers that nobody else has, and puts
//     their tokens into the ledger, for nobody can make them later;
//  2. fences every source's connector, so that it reads the ledger before it
//     produces anything more;
//  3. writes tombstones over the person's records in the vault topics, so that
//     compaction takes the plaintext away.
//
// Each step is noted in the ledger when it is done, and does no harm when it is
// done again: killed anywhere, it goes on where it was. It runs beside the
// matcher, which reads the vault as well.
//
// What belongs here: these steps. What never does: who is erased (the ledger),
// the connectors' and the sinks' own parts.
package erase
