// Package kafka tries schemas/topic and schemas/registry against a real Kafka:
// exactly once over kills and lost answers, fencing, compaction, other
// clients' records.
//
// What belongs here: tests that need a real broker. What never does: code
// that the product imports.
package kafka
