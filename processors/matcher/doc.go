// Package matcher is the shell around package identity: it reads the vault
// topics, keeps the records in memory, and publishes to identity.link who each
// record is.
//
// Several matchers are one consumer group over the partitions of identity.edge.
// Each reads the whole vault and normalises it; compares within those blocks that
// fall to its partitions, and writes the edges that it finds there. Who has
// partition 0 solves: it takes the edges of the others as far as it has the
// records, and publishes the links. One alone does all of it in the same way. A
// transactional id for each partition, and one for solving, ends whoever had the
// work before, so that no two ever write the same thing.
//
// It keeps no consumer offsets. Its state is a function of the vault topics,
// which are compacted, so on every start it reads them whole, reads what
// identity.edge and identity.link say already, and publishes the differences
// alone, as it does when the group shares out its work anew; a start after which
// nothing is published is the proof that nothing was lost. Then it follows the
// topics and publishes in batches.
//
// Each publication of links is one Kafka transaction: a reader of identity.link
// sees the links of one set of records, then those of another, never half of
// each. The transaction also holds the dead letters of the batch.
//
// Events carry positions of their source (P6): one that is older than what is
// known of its record is left out, so redelivery and re-snapshots change
// nothing. What cannot be decoded goes to the dead letters of its vault topic,
// which are in the vault too, with the reason; it is never skipped (P3).
//
// What belongs here: topics in and out, schemas of both, metrics. What never
// does: any judgement on whether two records are one person. This is the one
// stage that reads identifiers in plaintext; none of them goes to a log, a
// metric or identity.link (P11).
package matcher
