// Package trace goes from a figure of gold down to the events that made it, and
// from an event up to the figures that it counts in (P10).
//
//	gold.VIEW, one row -> rows of silver -> events (topic, partition, offset, LSN)
//	                               \-> link to the person (decision, rule, model)
//
// Which rows a shipped mart counts is declared beside it (sinks/clickhouse,
// ContributorsOf), and is proved each time: the mart is counted again over
// these rows alone. Of a view without a declaration the data sets are given, and
// that rows cannot be named.
//
// What belongs here: the questions, and their answers as values. What never
// does: writing anything, cells of people's rows (names of records and positions
// only, P11), and more of an erased person than that (P12).
package trace
