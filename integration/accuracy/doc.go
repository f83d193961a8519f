// Command accuracy says how right the linkage of records to people is, on
// generated cities whose truth is known: it trains the city's model, without
// labels, on one city and links another, of another seed and, if asked, with
// other rates of faults.
//
// It prints precision and recall of the links, with the pairs for review, the
// curve over thresholds, records a second, and what is lost without each
// column.
package main
