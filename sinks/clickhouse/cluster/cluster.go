package cluster

import "hash/fnv"

// Cluster is a ClickHouse cluster as the servers' remote_servers names it.
type Cluster struct {
	Name   string
	Shards int
}

// Suffix makes the name of the database that has a shard's rows from that of the
// Distributed tables.
const Suffix = "_shard"

// sharded are the databases whose tables are divided over the shards.
var sharded = map[string]bool{"bronze": true, "silver": true}

// Shard is the number, from 0, of the shard that has a Kafka partition's rows. A
// key is always in one partition, so all versions of a row are on one shard, where
// FINAL and a deduplication token see them together (P2). The topic's hash spreads
// the topics, whose partitions then go round.
func (c *Cluster) Shard(topic string, partition int32) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(topic)) // a hash's Write never fails
	return int((uint64(h.Sum32()) + uint64(partition)) % uint64(c.Shards))
}
