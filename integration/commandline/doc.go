// Package commandline drives the built program as an operator does, against
// real parts: what it prints, its exit codes, how it starts and ends, and what
// it says of bad input.
//
// What belongs here: what can be seen from outside the program. What never
// does: the stages' own behaviour, which the packages beside this one test.
package commandline
