package file

import (
	"strconv"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// StateTopic keeps the checkpoints of file sources, which files were taken in,
// and a digest of every row.
var StateTopic = topic.State("file")

// statePartitions: a source has one, so that sources with many rows do not
// slow each other's start.
const statePartitions = 8

// StateSpec is the topic of the state.
func StateSpec(t connectors.Topics) topic.Spec {
	return topic.Spec{Name: StateTopic, Partitions: statePartitions, Replication: t.Replication, Config: map[string]string{
		"cleanup.policy":      "compact",
		"min.insync.replicas": strconv.Itoa(t.MinISR),
	}}
}

// statePartition is where the state of a source is.
func statePartition(source string) topic.Partition {
	return topic.Partition{Topic: StateTopic, ID: topic.PartitionFor([]byte(source), statePartitions)}
}
