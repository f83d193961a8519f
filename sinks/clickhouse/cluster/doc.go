// Package cluster says how the sink's statements run on a ClickHouse cluster: on
// which shard the rows of a Kafka partition lie, and what one statement, written
// for a single server, becomes for all of them.
//
// The tables of bronze and silver are sharded. Their rows lie in replicated
// tables of bronze_shard and silver_shard, and the names that everybody reads,
// bronze.<data set> and silver.<data set>, are Distributed tables over them. The
// tables of gold and ops are small, and every server has all their rows.
//
// It is PURE: text in, text out. It never holds a connection, and knows nothing
// of data sets, events or batches.
package cluster
