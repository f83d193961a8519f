package connectors

import (
	"log/slog"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
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
	// OldTokens make the tokens of keys before it: those of erased people stay
	// known by them (P12).
	OldTokens []*token.Tokenizer
	// Records makes the tokens that records are named with, which a rotation of
	// the other keys leaves as they are: those of keys of tables, and of columns
	// that refer to them. nil where no table needs one.
	Records *token.Tokenizer
	// Vault seals what goes to vault topics; nil leaves it plain.
	Vault  *seal.Ring
	Topics Topics
	// MaxRowBytes is the largest encoded row; a larger one quarantines its
	// table (P8).
	MaxRowBytes int
	// Snapshot limits what reading tables asks of the source.
	Snapshot Load
	// Budget is how much WAL the slot may keep on the source's disk (P7); the
	// zero value is none.
	Budget walbudget.Budget
	// SpoolDir is where transactions in progress are kept that are larger than
	// memory, in files that have no name and cannot be read without the
	// process; empty is the system's folder for temporary files.
	SpoolDir string
	// Protocol is the highest version of pgoutput's protocol to ask for; 0 is
	// the highest that both sides speak. 1 leaves transactions in progress on
	// the server's disk instead of ours.
	Protocol int

	// Transactions: the beginning and the end of each transaction of which
	// there are events go to the topic <source>.transaction.
	Transactions bool
	// Messages are the prefixes of pg_logical_emit_message whose messages go to
	// the topic <source>.message; those with others are left out and counted.
	Messages []string
	// Origin "none" leaves out what was itself replicated into the database,
	// from PostgreSQL 16 on; "" and "any" take all.
	Origin string
	// Heartbeat is how often a logical message is written to the source; 0 is
	// never.
	Heartbeat time.Duration
	// PrimaryDSN is the primary's when DSN is a standby's, which takes no
	// heartbeats; empty otherwise.
	PrimaryDSN string
	// Failover makes the slot one that standbys keep a copy of, from PostgreSQL
	// 17 on.
	Failover bool
	// QuietProgress: Progress is shown to a person, the log need not say it.
	QuietProgress bool

	Log     *slog.Logger
	Metrics prometheus.Registerer
}
