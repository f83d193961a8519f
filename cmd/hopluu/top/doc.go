// Package top is the terminal view of hopluu top: what an operator sees of all
// stages at once, drawn from a Picture.
//
// The view is bubbletea's: its model is a value and its view a function of it, so
// what is shown at a size is tested without a terminal; it is well kept, and
// follows resizes and terminals over ssh.
//
// What belongs here: the picture, how it is drawn, the keys. What never does:
// asking databases, Kafka or ClickHouse, which the command does.
package top
