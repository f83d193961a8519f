// Package views reads the views of silver and gold as ClickHouse has them, and
// says which of them read a table, through others too, from their texts.
//
// What belongs here: the texts, who refers to whom, and other names in their
// place. What never does: running them, or knowing what a figure means.
package views
