package connectors

import (
	"errors"
	"log/slog"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what one connector needs.
type Config struct {
	// Source is the name of the database in topics: one Avro name.
	Source string
	// DSN of the database, for a role made by `hopluu connector enable`.
	DSN string
	// Slot and Publication in that database.
	Slot, Publication string
	// Sector describes the tables to capture.
	Sector sectors.Sector

	Kafka    *topic.Client
	Registry *registry.Client
	// Tokens makes identifiers into tokens (P11).
	Tokens *token.Tokenizer
	Topics Topics
	// MaxRowBytes is the largest encoded row; a larger one quarantines its
	// table (P8).
	MaxRowBytes int

	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Permanent tells whether trying again cannot help: a person has to act.
func Permanent(err error) bool {
	var config *postgres.ConfigError
	var gap *GapError
	return errors.As(err, &config) || errors.As(err, &gap) || errors.Is(err, topic.ErrFenced)
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
