package file

import (
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what one connector needs.
type Config struct {
	// Source is the name of the drop in topics: one Avro name.
	Source string
	// Location is a folder, or s3://host[:port]/bucket[/prefix] (s3+http://
	// without TLS).
	Location    string
	Credentials drop.Credentials
	// Reports is where reports of refused rows go, if not beside the files: a
	// location like the other, for drops that may only be read.
	Reports string
	// Sector describes the tables; Tables says which files are theirs.
	Sector sectors.Sector
	Tables []Table
	// Interval between two looks; 10 seconds when 0.
	Interval time.Duration
	// Scratch (spool_dir) is the folder for temporary files, the system's when empty. They
	// hold personal data, so they are unlinked as soon as they are made.
	Scratch string

	Kafka    *topic.Client
	Registry *registry.Client
	// Tokens makes identifiers into tokens (P11).
	Tokens *token.Tokenizer
	// OldTokens make the tokens of keys before it (see connectors.Config).
	OldTokens []*token.Tokenizer
	// Records makes the tokens that records are named with; nil where no table
	// needs one (see connectors.Config).
	Records *token.Tokenizer
	// Vault seals what goes to vault topics; nil leaves it plain.
	Vault  *seal.Ring
	Topics connectors.Topics
	// MaxRowBytes is the largest row; a larger one is refused (P8).
	MaxRowBytes int

	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Table says which files hold the rows of a table.
type Table struct {
	// Name and Schema of the table in the sector file; Schema may be empty
	// when the name is enough.
	Name, Schema string
	// Pattern matches the names of its files, with * and ? and in either case:
	// "household_*.csv".
	Pattern string
	// Key are the columns that tell rows apart, when the sector file does not
	// say it.
	Key []string
	// Full is true when each file is the full list: a row that is not in the
	// newest one is gone.
	Full bool
}

const defaultInterval = 10 * time.Second

// ConfigError says what in the configuration a person has to mend.
type ConfigError struct{ Reason string }

func (e *ConfigError) Error() string { return e.Reason }

// Validate finds what in the configuration a person has to mend, without
// looking at the place: a *ConfigError or *drop.ConfigError.
func (c *Config) Validate() error {
	if _, err := c.declared(); err != nil {
		return err
	}
	for key, location := range map[string]string{"location": c.Location, "reports": c.Reports} {
		if err := drop.Validate(location); err != nil && (key == "location" || location != "") {
			return fmt.Errorf("source %s: %s: %w", c.Source, key, err)
		}
	}
	return nil
}

// declared are the tables of the configuration with their descriptions.
func (c *Config) declared() ([]*table, error) {
	wrong := func(format string, args ...any) error {
		return &ConfigError{fmt.Sprintf("source %s: %s", c.Source, fmt.Sprintf(format, args...))}
	}
	if len(c.Tables) == 0 {
		return nil, wrong("no table is declared: give each table of the drop a pattern")
	}
	var all []*table
	for _, t := range c.Tables {
		i := slices.IndexFunc(c.Sector.Tables, func(d sectors.Table) bool {
			return d.Name == t.Name && (t.Schema == "" || d.Schema == t.Schema)
		})
		if i < 0 {
			return nil, wrong("sector %s does not describe table %s: describe it, or name one of %s", c.Sector.Sector, t.Name, strings.Join(c.described(), ", "))
		}
		described := c.Sector.Tables[i]
		if slices.ContainsFunc(all, func(o *table) bool { return o.name() == described.Schema+"."+described.Name }) {
			return nil, wrong("table %s is declared twice", t.Name)
		}
		if _, err := path.Match(t.Pattern, ""); err != nil || t.Pattern == "" || strings.Contains(t.Pattern, "/") {
			return nil, wrong("table %s: pattern %q is not one of file names, such as household_*.csv", t.Name, t.Pattern)
		}
		columns, err := column.New(described, t.Key)
		if err != nil {
			return nil, wrong("%v", err)
		}
		all = append(all, &table{sector: described, config: t, columns: columns, rules: rulesOf(columns)})
	}
	return all, nil
}

// described are the names of the sector's tables.
func (c *Config) described() (names []string) {
	for _, t := range c.Sector.Tables {
		names = append(names, t.Name)
	}
	return names
}

// Captured is the sector with the tables of the drop only.
func (c *Config) Captured() sectors.Sector {
	s := c.Sector
	s.Tables = nil
	for _, d := range c.Sector.Tables {
		if slices.ContainsFunc(c.Tables, func(t Table) bool { return t.Name == d.Name && (t.Schema == "" || t.Schema == d.Schema) }) {
			s.Tables = append(s.Tables, d)
		}
	}
	return s
}
