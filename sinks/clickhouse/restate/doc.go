// Package restate makes the SQL that counts a figure of gold twice over the same
// rows: with the links as they were before a merge or split of persons, and
// with those after it. What differs was restated by it; what ordinary data
// changed is the same on both sides.
//
// A mart that depends on links says in its first line what it counts, and by
// what its rows are told apart:
//
//	-- figures: citizens, insured, share by ward_code
//
// The views that it reads are put into the query in place of their names, down
// to silver.identity_link, which becomes one of the two sides. So a figure has
// one definition, and nothing is made in ClickHouse for it.
//
// What belongs here: which links an event changed, and the queries. What never
// does: running them.
package restate
