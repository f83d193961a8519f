package registry

import (
	"fmt"
	"slices"

	"github.com/hamba/avro/v2"
)

// Level says which earlier schemas a new one must get along with
// (https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html).
type Level string

// The levels. Backward: readers with the new schema read what the last one
// wrote. Forward: readers with the last schema read what the new one writes.
// Transitive: that holds for all earlier ones.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD"
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD"
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL"
	FullTransitive     Level = "FULL_TRANSITIVE"
)

var levels = []Level{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}

func (l Level) valid() bool { return slices.Contains(levels, l) }

func (l Level) transitive() bool {
	return l == BackwardTransitive || l == ForwardTransitive || l == FullTransitive
}

func (l Level) backward() bool {
	return l == Backward || l == BackwardTransitive || l == Full || l == FullTransitive
}

func (l Level) forward() bool {
	return l == Forward || l == ForwardTransitive || l == Full || l == FullTransitive
}

// parse reads an Avro schema. Each has a name space of its own: the library's
// common one would mix the versions of a record up.
func parse(schema string) (avro.Schema, error) {
	return avro.ParseWithCache(schema, "", new(avro.SchemaCache))
}

// incompatible gives why the new schema does not get along with the earlier
// version at the level, nothing when it does.
func incompatible(level Level, schema avro.Schema, earlier *version) ([]string, error) {
	old, err := parse(earlier.Schema)
	if err != nil {
		return nil, fmt.Errorf("version %d of %s is not an Avro schema: %w", earlier.Version, earlier.Subject, err)
	}
	var reasons []string
	// Verdicts are kept by the canonical form, which leaves defaults out, so
	// each comparison has a keeper of its own.
	if level.backward() {
		if err := avro.NewSchemaCompatibility().Compatible(schema, old); err != nil {
			reasons = append(reasons, fmt.Sprintf("the new schema cannot read version %d: %s", earlier.Version, err))
		}
	}
	if level.forward() {
		if err := avro.NewSchemaCompatibility().Compatible(old, schema); err != nil {
			reasons = append(reasons, fmt.Sprintf("version %d cannot read the new schema: %s", earlier.Version, err))
		}
	}
	return reasons, nil
}
