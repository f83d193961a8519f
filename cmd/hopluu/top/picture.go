package top

import (
	"strings"
	"time"
)

// Picture is how everything stands. What is not known is nil, never zero, and
// the part that could not be asked says why it is away.
type Picture struct {
	At time.Time `json:"at"`
	// Kafka and ClickHouse say why they could not be asked, empty when they could.
	Kafka      string    `json:"kafka_away"`
	ClickHouse string    `json:"clickhouse_away"`
	Sources    []Source  `json:"sources"`
	Groups     []Group   `json:"groups"`
	Letters    []Letters `json:"dead_letters"`
	Datasets   []Dataset `json:"datasets"`
	Reconciled []Checked `json:"reconciliation"`
	Pauses     []Pause   `json:"pauses"`
	Processes  []Process `json:"processes"`
}

// Source is a database, or a place where files are dropped.
type Source struct {
	Name  string `json:"source"`
	State string `json:"state"`
	// Alarm says that a person has something to do.
	Alarm bool `json:"alarm"`
	// PerSecond are events into its topics.
	PerSecond  *float64 `json:"events_per_second"`
	LagSeconds *float64 `json:"lag_seconds"`
	// RetainedBytes of WAL the slot keeps; SecondsLeft until the server gives it up.
	RetainedBytes *int64   `json:"retained_wal_bytes"`
	SecondsLeft   *float64 `json:"seconds_until_slot_is_lost"`
	Tables        *int     `json:"tables"`
	Complete      *int     `json:"tables_complete"`
	Aside         []string `json:"quarantined"`
	Away          string   `json:"away"`
}

// Group is a consumer group.
type Group struct {
	Name       string `json:"group"`
	Partitions int    `json:"partitions"`
	Members    *int   `json:"members"`
	// Behind is nil, too, when the group keeps its place elsewhere than in Kafka.
	Behind    *int64   `json:"behind"`
	PerSecond *float64 `json:"per_second"`
	// Worst is the topic that is furthest behind.
	Worst string `json:"worst_topic"`
	Away  string `json:"away"`
}

// Letters are the dead letters of a topic that wait.
type Letters struct {
	Topic  string    `json:"topic"`
	Open   uint64    `json:"open"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"` // of the oldest
}

// Dataset is how fresh a data set is: every change at its sources up to AsOf is
// in silver; nil when not known.
type Dataset struct {
	Name string     `json:"dataset"`
	AsOf *time.Time `json:"as_of"`
}

// Checked is the last comparison of a table with its source.
type Checked struct {
	Source string    `json:"source"`
	Table  string    `json:"table"`
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Differ uint64    `json:"differ"`
	Error  string    `json:"error"`
}

// name is the table with its source, which the journal writes before it.
func (c *Checked) name() string {
	if strings.HasPrefix(c.Table, c.Source+".") {
		return c.Table
	}
	return c.Source + "." + c.Table
}

// Pause is what an operator holds still.
type Pause struct {
	Target string    `json:"target"`
	By     string    `json:"by"`
	Why    string    `json:"why"`
	Since  time.Time `json:"since"`
}

// Process is a long-running command by its address.
type Process struct {
	Address     string   `json:"address"`
	Ready       string   `json:"not_ready"` // why it is not; empty when it is
	MemoryBytes *float64 `json:"memory_bytes"`
	// MatcherBehind are vault messages that the matcher which solves has not matched.
	MatcherBehind *float64 `json:"matcher_behind,omitempty"`
	Away          string   `json:"away"`
}
