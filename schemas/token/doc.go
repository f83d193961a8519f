// Package token replaces personal identifiers by keyed tokens: the same
// identifier under the same key gives the same token everywhere, so that
// tables still join, and without the key nobody finds the way back (P11).
//
// There are two kinds of keys. Tokens of the one ("t1_…") change with it; those
// of the other ("k1_…") stand in the keys of rows, and so in the names of records,
// and stay.
//
// What belongs here: the canonical form of an identifier and its token. What
// never does: where the key is kept, which columns are identifiers
// (schemas/sectors), whether an identifier is valid (processors/identity),
// I/O. The package is pure.
package token
