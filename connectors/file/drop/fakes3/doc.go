// Package fakes3 is as much of an S3-compatible store, in memory and within the
// process, as tests of drops need: list, get, put.
//
// What belongs here: what the tests ask for. What never does: anything that the
// product imports.
package fakes3
