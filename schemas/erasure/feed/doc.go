// Package feed reads the ledger of erased people from its topic, and writes to
// it. What the ledger means is package erasure's; what follows from it, each
// stage's own.
package feed
