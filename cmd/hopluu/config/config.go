package config

import (
	_ "embed"
	"encoding/hex"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
)

// Example is a file with every key, its default and what it means.
//
//go:embed example.yaml
var Example string

// Config is the whole configuration. A key's documentation is in example.yaml;
// a test holds the two together.
type Config struct {
	Kafka         Kafka       `yaml:"kafka" envPrefix:"KAFKA_"`
	Registry      Registry    `yaml:"registry" envPrefix:"REGISTRY_"`
	ClickHouse    ClickHouse  `yaml:"clickhouse" envPrefix:"CLICKHOUSE_"`
	Tokens        Tokens      `yaml:"tokens" envPrefix:"TOKENS_"`
	Vault         Vault       `yaml:"vault" envPrefix:"VAULT_"`
	Topics        Topics      `yaml:"topics" envPrefix:"TOPICS_"`
	Sink          Sink        `yaml:"sink" envPrefix:"SINK_"`
	Reconcile     Reconcile   `yaml:"reconcile" envPrefix:"RECONCILE_"`
	Backup        Backup      `yaml:"backup" envPrefix:"BACKUP_"`
	Identity      Identity    `yaml:"identity" envPrefix:"IDENTITY_"`
	OpenLineage   OpenLineage `yaml:"openlineage" envPrefix:"OPENLINEAGE_"`
	Log           Log         `yaml:"log" envPrefix:"LOG_"`
	HTTP          HTTP        `yaml:"http" envPrefix:"HTTP_"`
	SingleMachine bool        `yaml:"single_machine" env:"SINGLE_MACHINE"`
	SectorsDir    string      `yaml:"sectors_dir" env:"SECTORS_DIR"`
	MaxRowBytes   int         `yaml:"max_row_bytes" env:"MAX_ROW_BYTES"`
	SpoolDir      string      `yaml:"spool_dir" env:"SPOOL_DIR"`
	WAL           WAL         `yaml:"wal" envPrefix:"WAL_"`
	Snapshot      Snapshot    `yaml:"snapshot" envPrefix:"SNAPSHOT_"`
	// Sources are overridden by HOPLUU_SOURCE_<NAME>_<KEY>.
	Sources []Source `yaml:"sources"`
}

// Kafka is the cluster that all stages meet in.
type Kafka struct {
	Brokers []string `yaml:"brokers" env:"BROKERS"`
	SASL    SASL     `yaml:"sasl" envPrefix:"SASL_"`
	TLS     TLS      `yaml:"tls" envPrefix:"TLS_"`
	// Compression of what is written: lz4 or zstd.
	Compression string `yaml:"compression" env:"COMPRESSION"`
}

// SASL is a name and password for Kafka.
type SASL struct {
	Mechanism string `yaml:"mechanism" env:"MECHANISM"`
	User      string `yaml:"user" env:"USER"`
	Password  string `yaml:"password" env:"PASSWORD"`
}

// TLS encrypts the way to Kafka.
type TLS struct {
	Enabled bool   `yaml:"enabled" env:"ENABLED"`
	CAFile  string `yaml:"ca_file" env:"CA_FILE"`
}

// Registry is the schema registry.
type Registry struct {
	URL string `yaml:"url" env:"URL"`
	// Listen is where `hopluu registry run` serves the embedded one.
	Listen string `yaml:"listen" env:"LISTEN"`
}

// ClickHouse is where the sink lands.
type ClickHouse struct {
	DSN string `yaml:"dsn" env:"DSN"`
	// Cluster is the name of a ClickHouse cluster, and Shards the addresses of
	// its shards, each with its replicas, in the order of remote_servers.
	Cluster string   `yaml:"cluster" env:"CLUSTER"`
	Shards  []string `yaml:"shards" env:"SHARDS" envSeparator:" "`
}

// Tokens is the key that identifiers become tokens under (P11).
type Tokens struct {
	Key     string `yaml:"key" env:"KEY"`
	KeyFile string `yaml:"key_file" env:"KEY_FILE"`
	Version uint8  `yaml:"version" env:"VERSION"`
	// RecordKey is the key of the tokens that records are named with, which a
	// rotation leaves as it is.
	RecordKey     string `yaml:"record_key" env:"RECORD_KEY"`
	RecordKeyFile string `yaml:"record_key_file" env:"RECORD_KEY_FILE"`
	RecordVersion uint8  `yaml:"record_version" env:"RECORD_VERSION"`
	// Old are the keys before it.
	Old []OldKey `yaml:"old"`
}

// OldKey is a key that was in force before.
type OldKey struct {
	KeyFile string `yaml:"key_file"`
	Version uint8  `yaml:"version"`
}

// Vault is the key that the values of vault topics are sealed with (P11).
type Vault struct {
	Key     string   `yaml:"key" env:"KEY"`
	KeyFile string   `yaml:"key_file" env:"KEY_FILE"`
	Version uint8    `yaml:"version" env:"VERSION"`
	Old     []OldKey `yaml:"old"`
}

// Topics says how topics are made.
type Topics struct {
	Partitions        int32         `yaml:"partitions" env:"PARTITIONS"`
	Replication       int16         `yaml:"replication" env:"REPLICATION"`
	MinInsyncReplicas int           `yaml:"min_insync_replicas" env:"MIN_INSYNC_REPLICAS"`
	Retention         time.Duration `yaml:"retention" env:"RETENTION"`
}

// Snapshot limits what reading whole tables asks of a source (P7).
type Snapshot struct {
	Connections   int `yaml:"connections" env:"CONNECTIONS"`
	RowsPerSecond int `yaml:"rows_per_second" env:"ROWS_PER_SECOND"`
}

// WAL is how much of its log a source may keep for us (P7).
type WAL struct {
	WarnBytes  int64  `yaml:"warn_bytes" env:"WARN_BYTES"`
	LimitBytes int64  `yaml:"limit_bytes" env:"LIMIT_BYTES"`
	Policy     string `yaml:"policy" env:"POLICY"`
}

// Budget is the WAL budget of every slot.
func (c *Config) Budget() walbudget.Budget {
	return walbudget.Budget{Warn: c.WAL.WarnBytes, Limit: c.WAL.LimitBytes, Policy: walbudget.Policy(c.WAL.Policy)}
}

// Sink is how rows are gathered before they are written.
type Sink struct {
	Group      string        `yaml:"group" env:"GROUP"`
	BatchRows  int           `yaml:"batch_rows" env:"BATCH_ROWS"`
	BatchBytes int           `yaml:"batch_bytes" env:"BATCH_BYTES"`
	BatchWait  time.Duration `yaml:"batch_wait" env:"BATCH_WAIT"`
	// BronzeRetention is how long bronze keeps every event; 0 for ever.
	BronzeRetention time.Duration `yaml:"bronze_retention" env:"BRONZE_RETENTION"`
}

// Reconcile is how much the comparison in the background may take, and what it
// does about what differs.
type Reconcile struct {
	Share         float64       `yaml:"share" env:"SHARE"`
	RowsPerSecond int           `yaml:"rows_per_second" env:"ROWS_PER_SECOND"`
	Every         time.Duration `yaml:"every" env:"EVERY"`
	Repair        string        `yaml:"repair" env:"REPAIR"`
	RepairKeys    int           `yaml:"repair_keys" env:"REPAIR_KEYS"`
}

// The policies of reconcile.repair.
const (
	RepairNever = "never"
	RepairAsk   = "ask"
	RepairAuto  = "auto"
)

// Backup is where backups are kept.
type Backup struct {
	To string `yaml:"to" env:"TO"`
	// ClickHouse is where its server writes, as BACKUP … TO names it.
	ClickHouse string `yaml:"clickhouse" env:"CLICKHOUSE"`
	Key        string `yaml:"key" env:"KEY"`
	KeyFile    string `yaml:"key_file" env:"KEY_FILE"`
}

// Identity is the model that records are matched by, and who decides on the pairs
// that it leaves to people.
type Identity struct {
	// Model is the file of the matcher's model; empty for the city's, which comes
	// with the program.
	Model     string     `yaml:"model" env:"MODEL"`
	TwoPerson bool       `yaml:"two_person" env:"TWO_PERSON"`
	Reviewers []Reviewer `yaml:"reviewers"`
	// URL and Token are for the commands of a reviewer.
	URL   string `yaml:"url" env:"URL"`
	Token string `yaml:"token" env:"TOKEN"`
}

// Reviewer is a person who may look at pairs, or decide.
type Reviewer struct {
	Name        string `yaml:"name"`
	TokenSHA256 string `yaml:"token_sha256"`
	Decides     bool   `yaml:"decides"`
	Personal    bool   `yaml:"personal"`
}

// Token is the SHA-256 of the reviewer's token, nil when it cannot be read.
func (r *Reviewer) Token() []byte {
	token, err := hex.DecodeString(r.TokenSHA256)
	if err != nil {
		return nil
	}
	return token
}

// OpenLineage is where events of lineage go; nowhere when URL is empty.
type OpenLineage struct {
	URL        string        `yaml:"url" env:"URL"`
	Namespace  string        `yaml:"namespace" env:"NAMESPACE"`
	APIKeyFile string        `yaml:"api_key_file" env:"API_KEY_FILE"`
	Every      time.Duration `yaml:"every" env:"EVERY"`
}

// Log is what is written to standard error.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL"`
	Format string `yaml:"format" env:"FORMAT"`
}

// HTTP is where /metrics, /healthz and /readyz are served.
type HTTP struct {
	Listen string `yaml:"listen" env:"LISTEN"`
}

// The kinds of sources.
const (
	KindPostgres = "postgres"
	KindFile     = "file"
)

// Source is one database, or one place where a department drops files.
type Source struct {
	Name   string `yaml:"name"`
	Kind   string `yaml:"kind" env:"KIND"`
	Sector string `yaml:"sector" env:"SECTOR"`

	// Of kind postgres.
	DSN         string `yaml:"dsn,omitempty" env:"DSN"`
	Slot        string `yaml:"slot,omitempty" env:"SLOT"`
	Publication string `yaml:"publication,omitempty" env:"PUBLICATION"`
	PrimaryDSN  string `yaml:"primary_dsn,omitempty" env:"PRIMARY_DSN"`
	// How its slot is made and read.
	Failover     bool          `yaml:"failover,omitempty" env:"FAILOVER"`
	Heartbeat    time.Duration `yaml:"heartbeat,omitempty" env:"HEARTBEAT"`
	Origin       string        `yaml:"origin,omitempty" env:"ORIGIN"`
	Messages     []string      `yaml:"messages,omitempty" env:"MESSAGES"`
	Transactions bool          `yaml:"transactions,omitempty" env:"TRANSACTIONS"`

	// Of kind file.
	Location    string        `yaml:"location,omitempty" env:"LOCATION"`
	Credentials Credentials   `yaml:"credentials,omitempty" envPrefix:"CREDENTIALS_"`
	Reports     string        `yaml:"reports,omitempty" env:"REPORTS"`
	Interval    time.Duration `yaml:"interval,omitempty" env:"INTERVAL"`
	Tables      []FileTable   `yaml:"tables,omitempty"`
}

// Credentials are for an S3-compatible store.
type Credentials struct {
	AccessKey string `yaml:"access_key" env:"ACCESS_KEY"`
	SecretKey string `yaml:"secret_key" env:"SECRET_KEY"`
	Region    string `yaml:"region" env:"REGION"`
}

// FileTable says which files hold the rows of a table.
type FileTable struct {
	Name    string   `yaml:"name"`
	Schema  string   `yaml:"schema"`
	Pattern string   `yaml:"pattern"`
	Key     []string `yaml:"key"`
	Full    bool     `yaml:"full"`
}

// DefaultIdentityURL is where a matcher on this machine answers reviewers.
const DefaultIdentityURL = "http://127.0.0.1:9464"

// Default is the configuration before the file and the environment.
func Default() Config {
	return Config{
		Registry:    Registry{Listen: "127.0.0.1:8081"},
		Tokens:      Tokens{Version: 1, RecordVersion: 1},
		Vault:       Vault{Version: 1},
		Topics:      Topics{Partitions: 6, Replication: 3, MinInsyncReplicas: 2, Retention: 720 * time.Hour},
		OpenLineage: OpenLineage{Namespace: "hopluu", Every: 10 * time.Minute},
		Sink:        Sink{Group: "hopluu-sink", BatchRows: 100_000, BatchBytes: 64 << 20, BatchWait: 500 * time.Millisecond},
		Reconcile:   Reconcile{Share: 0.2, Every: time.Hour, Repair: RepairAsk, RepairKeys: 100},
		Identity:    Identity{URL: DefaultIdentityURL},
		Log:         Log{Level: "info", Format: "text"},
		HTTP:        HTTP{Listen: "127.0.0.1:9464"},
		MaxRowBytes: 8 << 20,
		Snapshot:    Snapshot{Connections: 2},
		WAL:         WAL{WarnBytes: 5 << 30, Policy: "alert"},
	}
}
