// Package linkage says which records of any tables speak of the same entity,
// by the probabilistic model of Fellegi and Sunter, and trains that model
// without labels.
//
// The way of a table: a Model, read from YAML, names the columns and their
// roles; a Table takes the rows and keeps them normalised and interned; Train
// finds the weights; Score compares the pairs that share a block and gives the
// edges worth keeping; Resolve sets the candidates of a record against one
// another and clusters; Evaluate holds the result against a truth.
//
// Three things are added to the textbook. The comparison levels know Vietnamese
// (a name without diacritics is another thing than a name with other
// diacritics). What is no match may be kin: people of one household share
// surname, address and telephone, so evidence of a household is weighed against
// the household, not against strangers alone. And where a table is a register
// (one record a person), a record is at most one of its persons: candidates
// compete, and the only one is believed more than one of two.
//
// A Table is a set of records at once. An Engine holds records that come, change
// and go, in memory, and solves again what a change touches: it is what the
// matcher runs. Both decide alike. For that a model has a section live: sizes
// and rarities of a city that do not move, contradictions that are never
// linked, and identifiers whose holders are watched; Table.Live makes a Table
// use it. What a person said of two records is an input of both (Decision).
//
// Comparing can be shared out: blocks fall into shares, Engine.Share says which
// of them an engine compares within, Engine.Compare tells the edges that it
// finds there, and Engine.TakeEdge takes those of others. The first block that
// two records share, of those that are not too large, says whose pair it is, so
// that an edge is found once.
//
// Everything here is a pure function of the set of records and of the model
// (P9): records are put in an order of their own before anything is counted,
// drawn or joined. What belongs here: models, normalising by role, comparing,
// blocking, training, deciding, clustering, evaluating. What never does: files,
// clocks, logs, topics. Reading and writing CSV is package tablefile's.
package linkage
