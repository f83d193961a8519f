// Package token replaces personal identifiers by keyed tokens: the same
// identifier under the same key gives the same token everywhere, so that
// tables still join, and without the key nobody finds the way back (P11).
//
// What belongs here: the canonical form of an identifier and its token. What
// never does: where the key is kept, which columns are identifiers
// (schemas/sectors), whether an identifier is valid (processors/identity),
// I/O. The package is pure.
package token
