package connectors

import (
	"errors"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Permanent tells whether trying again cannot help: a person has to act.
func Permanent(err error) bool {
	var config *postgres.ConfigError
	var gap *GapError
	var superseded *SupersededError
	var partitions *topic.PartitionCountError
	var tooLarge *topic.TooLargeError
	return errors.As(err, &config) || errors.As(err, &gap) || errors.As(err, &superseded) ||
		errors.As(err, &partitions) || errors.As(err, &tooLarge)
}

// GapError says that the stream cannot go on without a hole, and what to do.
type GapError struct {
	Source string
	Err    error
}

func (e *GapError) Error() string {
	return "source " + e.Source + ": " + e.Err.Error() + "; take a new snapshot with 'hopluu connector resnapshot " + e.Source + "'"
}

func (e *GapError) Unwrap() error { return e.Err }

// SupersededError says that another connector has taken the source over.
type SupersededError struct{ Source string }

func (e *SupersededError) Error() string {
	return "another connector captures source " + e.Source + " now: run one per source, and stop this one"
}

// QuarantineError says why a table cannot be captured as it is, while the
// others flow.
type QuarantineError struct {
	Table string
	Err   error
}

func (e *QuarantineError) Error() string { return "table " + e.Table + ": " + e.Err.Error() }
func (e *QuarantineError) Unwrap() error { return e.Err }
