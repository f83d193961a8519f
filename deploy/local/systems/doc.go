// Package systems holds the SQL that makes the five source systems of the
// demonstration: the databases that hopluu captures, as a department would
// have them.
//
// What belongs here: tables, types and indices of the sources. What never
// does: rows, publications, slots, roles, or anything that a capture needs and
// a department would not have made for itself.
package systems
