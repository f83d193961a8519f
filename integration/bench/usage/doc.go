// Package usage reads what processes have used, from /proc.
//
// What belongs here: processor time and memory of a process, as all benchmarks
// count them. What never does: running or stopping anything.
package usage
