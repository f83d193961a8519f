// Package tablefile reads the records of package linkage from CSV and writes
// its links and clusters as CSV.
//
// What belongs here: the form of those files, and errors that name the line.
// What never does: opening files, which the command does, and deciding.
package tablefile
