package file

import (
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// StateTopic keeps the checkpoint of a source of files, which files were taken
// in, and a digest of every row. Each source has a topic of its own, so that a
// transaction which a killed connector left open keeps no other from starting.
func StateTopic(source string) string { return topic.State("file." + source) }

// StateSpec is the topic of a source's state: one partition, the last record of
// each key.
func StateSpec(t connectors.Topics, source string) topic.Spec {
	spec := t.StateSpec(source)
	spec.Name = StateTopic(source)
	return spec
}
