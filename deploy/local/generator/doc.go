// Package generator fills the five source systems of the demonstration with
// the people of a generated city and keeps the systems at work: births,
// visits, payments, permits, corrections, deaths.
//
// What belongs here: the writing of rows that package city makes, the fixed
// load with every kind of change that a capture must survive, and the keeping
// of progress and truth in the schema demo of each database, which is not
// captured. What never does: data of real persons, or anything of the capture,
// Kafka or ClickHouse.
package generator
