// Command soak runs the whole stack at a steady load for a while, has a
// table replayed and exchanged in the middle, and ends with a verdict: the lag has
// returned, memory is flat, and reconcile agrees. It prints a table, writes a
// JSON, and exits with 1 when one of the three does not hold.
//
// What belongs here: the run, its samples and the arithmetic of the verdict. What
// never does: anything that measures speed (integration/bench).
package main
