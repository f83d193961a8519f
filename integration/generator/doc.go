// Package generator holds the tests of the demonstration's data against a real
// PostgreSQL: the source systems' tables, the seeding, the fixed load, and the
// systems at work.
//
// What belongs here: tests of deploy/local/systems and deploy/local/generator,
// and that the sector files describe what the tables are. What never does:
// tests of the capture.
package generator
