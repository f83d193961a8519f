package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	sourceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	slotName   = regexp.MustCompile(`^[a-z0-9_]+$`)
)

const (
	// maxIdentifier is what PostgreSQL takes of a name.
	maxIdentifier = 63
	// slotSuffix is what the slot's name grows by while tables are read anew.
	slotSuffix = len("_snapshot")
)

// heartbeatPrefix is that of postgres.MessagePrefix; a test holds the two
// together.
const heartbeatPrefix = "hopluu"

// reserved begin the names of topics that are no source's.
var reserved = []string{"vault", "identity", "hopluu"}

// check finds what contradicts itself; every message names the key and says
// what to do.
func (c *Config) check() error {
	for _, part := range []func() error{c.checkKafka, c.checkServers, c.checkTopics, c.checkReconcile, c.checkIdentity, c.checkRest, c.checkSources} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkKafka() error {
	k := c.Kafka
	switch {
	case len(k.Brokers) == 0:
		return errors.New("kafka.brokers is empty: name at least one broker as host:port")
	case !slices.Contains([]string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, k.SASL.Mechanism):
		return fmt.Errorf("kafka.sasl.mechanism is %q: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or leave it empty", k.SASL.Mechanism)
	case k.SASL.Mechanism == "" && (k.SASL.User != "" || k.SASL.Password != ""):
		return errors.New("kafka.sasl.user is set without kafka.sasl.mechanism: set the mechanism")
	case k.SASL.Mechanism != "" && k.SASL.User == "":
		return errors.New("kafka.sasl.mechanism is set without kafka.sasl.user: set the user")
	case !slices.Contains([]string{"", "lz4", "zstd"}, k.Compression):
		return fmt.Errorf("kafka.compression is %q: use lz4 (the faster) or zstd (the smaller)", k.Compression)
	case k.TLS.CAFile != "" && !k.TLS.Enabled:
		return errors.New("kafka.tls.ca_file is set but kafka.tls.enabled is false: enable it, or remove the file")
	}
	for _, broker := range k.Brokers {
		if host, port, err := net.SplitHostPort(broker); err != nil || host == "" || port == "" {
			return fmt.Errorf("kafka.brokers holds %q: write host:port", broker)
		}
	}
	return nil
}

func (c *Config) checkServers() error {
	for _, address := range strings.Split(c.Registry.URL, ",") {
		if u, err := url.Parse(address); c.Registry.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			// A part that cannot be read may be a password: it is not repeated.
			return errors.New("registry.url cannot be read: write http://host:8081 or https://host:8081")
		}
	}
	for key, address := range map[string]string{"registry.listen": c.Registry.Listen, "http.listen": c.HTTP.Listen} {
		if address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s is %q: write host:port, such as 127.0.0.1:9464", key, address)
		}
	}
	if c.Registry.Listen == "" {
		return errors.New("registry.listen is empty: write host:port, such as 127.0.0.1:8081")
	}
	return nil
}

func (c *Config) checkTopics() error {
	t := c.Topics
	switch {
	case t.Partitions < 1:
		return errors.New("topics.partitions must be at least 1")
	case t.Replication < 1:
		return errors.New("topics.replication must be at least 1")
	case t.MinInsyncReplicas < 1 || t.MinInsyncReplicas > int(t.Replication):
		return errors.New("topics.min_insync_replicas must be between 1 and topics.replication")
	case !c.SingleMachine && (t.Replication < 3 || t.MinInsyncReplicas < 2):
		return errors.New("topics.replication below 3 or topics.min_insync_replicas below 2 loses events with one broker: raise them, or set single_machine: true")
	case c.Sink.BronzeRetention < 0:
		return errors.New("sink.bronze_retention is negative: give a duration such as 8760h, or 0s for ever")
	case c.Sink.BronzeRetention > 0 && t.Retention == 0:
		return errors.New("sink.bronze_retention is set though topics.retention is for ever: bronze must keep what Kafka can send again; limit topics.retention first")
	case c.Sink.BronzeRetention > 0 && c.Sink.BronzeRetention < t.Retention+24*time.Hour:
		return fmt.Errorf("sink.bronze_retention is %s: bronze must keep what Kafka can send again, so give at least a day more than topics.retention (%s)", c.Sink.BronzeRetention, t.Retention)
	case t.Retention < 0:
		return errors.New("topics.retention is negative: give a duration such as 720h, or 0s for ever")
	}
	return nil
}

func (c *Config) checkReconcile() error {
	r := c.Reconcile
	switch {
	case !(r.Share > 0 && r.Share <= 1): // NaN is neither
		return errors.New("reconcile.share must be above 0 and at most 1: 0.2 is a fifth of the time")
	case r.RowsPerSecond < 0:
		return errors.New("reconcile.rows_per_second is negative: give a number of rows, or 0 for no limit")
	case r.Every < 0:
		return errors.New("reconcile.every is negative: give a duration such as 1h, or 0s for one round after another")
	case !slices.Contains([]string{RepairNever, RepairAsk, RepairAuto}, r.Repair):
		return fmt.Errorf("reconcile.repair is %q: use never, ask or auto", r.Repair)
	case r.RepairKeys < 1 || r.RepairKeys > 10_000:
		return errors.New("reconcile.repair_keys must be between 1 and 10000")
	}
	return nil
}

func (c *Config) checkIdentity() error {
	if u, err := url.Parse(c.Identity.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("identity.url cannot be read: write the matcher's address as http://host:9464 or https://host")
	}
	names, tokens := map[string]bool{}, map[string]string{}
	for i, r := range c.Identity.Reviewers {
		name := strings.ToLower(strings.TrimSpace(r.Name))
		token := r.Token()
		switch {
		case name == "":
			return fmt.Errorf("identity.reviewers[%d].name is empty: every reviewer has a name, which stands in decisions", i)
		case names[name]:
			return fmt.Errorf("identity.reviewers[%d].name %s is there twice, whatever its capitals: two persons have two names", i, r.Name)
		case len(token) != sha256.Size:
			return fmt.Errorf("identity.reviewers[%d].token_sha256 of %s is no SHA-256 (64 hexadecimal digits): copy it from 'hopluu identity token %s'", i, r.Name, r.Name)
		case tokens[string(token)] != "":
			return fmt.Errorf("identity.reviewers[%d].token_sha256 of %s is also that of %s: give each a token of their own", i, r.Name, tokens[string(token)])
		}
		names[name], tokens[string(token)] = true, r.Name
	}
	deciding := 0
	for _, r := range c.Identity.Reviewers {
		if r.Decides {
			deciding++
		}
	}
	if c.Identity.TwoPerson && deciding == 1 {
		return errors.New("identity.two_person is true but one reviewer alone decides: nothing could be approved; name a second one with decides: true")
	}
	return nil
}

func (c *Config) checkRest() error {
	switch {
	case c.Tokens.Key != "" && c.Tokens.KeyFile != "":
		return errors.New("tokens.key and tokens.key_file are both set: keep one")
	case c.Tokens.Version == 0:
		return errors.New("tokens.version is 0: versions begin at 1")
	case c.Tokens.RecordKey != "" && c.Tokens.RecordKeyFile != "":
		return errors.New("tokens.record_key and tokens.record_key_file are both set: keep one")
	case c.Tokens.RecordVersion == 0:
		return errors.New("tokens.record_version is 0: versions begin at 1")
	case c.Vault.Key != "" && c.Vault.KeyFile != "":
		return errors.New("vault.key and vault.key_file are both set: keep one")
	case c.Vault.Version == 0:
		return errors.New("vault.version is 0: versions begin at 1")
	case checkOld("tokens", c.Tokens.Version, c.Tokens.Old) != nil:
		return checkOld("tokens", c.Tokens.Version, c.Tokens.Old)
	case checkOld("vault", c.Vault.Version, c.Vault.Old) != nil:
		return checkOld("vault", c.Vault.Version, c.Vault.Old)
	case c.MaxRowBytes < 1024 || c.MaxRowBytes > 16<<20:
		return errors.New("max_row_bytes must be between 1024 and 16777216")
	case c.Snapshot.Connections < 1 || c.Snapshot.Connections > 64:
		return errors.New("snapshot.connections must be between 1 and 64")
	case c.Snapshot.RowsPerSecond < 0:
		return errors.New("snapshot.rows_per_second is negative: give a number of rows, or 0 for no limit")
	case c.Budget().Check() != nil:
		return fmt.Errorf("wal.warn_bytes, wal.limit_bytes and wal.policy: the budget %w", c.Budget().Check())
	case c.Sink.Group == "":
		return errors.New("sink.group is empty: name the consumer group")
	case c.Sink.BatchRows < 1 || c.Sink.BatchBytes < 1 || c.Sink.BatchWait <= 0:
		return errors.New("sink.batch_rows, sink.batch_bytes and sink.batch_wait must be positive")
	case !c.OpenLineage.readable():
		// An address that cannot be read may hold a password: it is not repeated.
		return errors.New("openlineage.url cannot be read: write http://host:5000, https://host or file:///PATH")
	case c.OpenLineage.Namespace == "" || c.OpenLineage.Every < time.Minute:
		return errors.New("openlineage.namespace must not be empty, and openlineage.every at least 1m")
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return fmt.Errorf("log.level is %q: use debug, info, warn or error", c.Log.Level)
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return fmt.Errorf("log.format is %q: use text or json", c.Log.Format)
	}
	return nil
}

// readable tells whether the address is one, or none.
func (o OpenLineage) readable() bool {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return false
	case o.URL == "":
		return true
	case u.Scheme == "file":
		return u.Host == "" && path.IsAbs(u.Path)
	}
	return u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// checkOld refuses old keys that cannot be told apart.
func checkOld(section string, now uint8, old []OldKey) error {
	seen := map[uint8]bool{now: true}
	for i, k := range old {
		switch {
		case k.KeyFile == "":
		case k.Version == 0:
			return fmt.Errorf("%s.old[%d].version is 0: write the version that the key had", section, i)
		case seen[k.Version]:
			return fmt.Errorf("%s.old[%d].version %d is that of another key: raise %s.version with each new key", section, i, k.Version, section)
		}
		seen[k.Version] = seen[k.Version] || k.KeyFile != ""
	}
	return nil
}

func (c *Config) checkSources() error {
	names, places, reports := map[string]string{}, map[string]string{}, map[string]Source{}
	for i, s := range c.Sources {
		switch {
		case !sourceName.MatchString(s.Name):
			return fmt.Errorf("sources[%d].name is %q: use letters, digits and _, beginning with a letter", i, s.Name)
		case slices.Contains(reserved, strings.ToLower(s.Name)):
			return fmt.Errorf("sources[%d].name %s begins the names of hopluu's own topics: choose another", i, s.Name)
		case s.Sector == "":
			return fmt.Errorf("sources[%d].sector of source %s is empty: name the sector file that describes it", i, s.Name)
		}
		of := s.checkDatabase
		if s.Kind == KindFile {
			of = s.checkFiles
		}
		if key, reason := of(); key != "" {
			return fmt.Errorf("sources[%d].%s of source %s %s", i, key, s.Name, reason)
		}
		// Environment variables have capitals only.
		if other, ok := names[strings.ToUpper(s.Name)]; ok {
			return fmt.Errorf("sources[%d].name %s is there twice (%s): every source has its own name, whatever its capitals", i, s.Name, other)
		}
		names[strings.ToUpper(s.Name)] = s.Name
		if s.Kind == KindFile {
			if other, ok := reports[s.Reports]; ok && s.Reports != "" && other.Location != s.Location {
				return fmt.Errorf("sources[%d].reports of source %s is also that of source %s, and reports have their files' names: give each its own", i, s.Name, other.Name)
			}
			reports[s.Reports] = s
			continue
		}
		place := s.DSN + " " + s.Slot
		if other, ok := places[place]; ok && s.DSN != "" {
			return fmt.Errorf("sources[%d].slot %s of source %s is also that of source %s in the same database: give each its own", i, s.Slot, s.Name, other)
		}
		places[place] = s.Name
	}
	return nil
}

// checkDatabase finds what is wrong with a source that is no drop of files: a
// key and what to do about it.
func (s *Source) checkDatabase() (key, reason string) {
	ofFiles := []struct {
		key string
		set bool
	}{
		{"location", s.Location != ""}, {"credentials", s.Credentials != Credentials{}}, {"reports", s.Reports != ""},
		{"interval", s.Interval != 0}, {"tables", len(s.Tables) > 0},
	}
	switch {
	case s.Kind != KindPostgres:
		return "kind", fmt.Sprintf("is %q: use %s for a database or %s for a folder or bucket of CSV and Excel files", s.Kind, KindPostgres, KindFile)
	case !slotName.MatchString(s.Slot) || len(s.Slot)+slotSuffix > maxIdentifier:
		return "slot", fmt.Sprintf("is %q: use small letters, digits and _, at most %d", s.Slot, maxIdentifier-slotSuffix)
	case len(s.Publication) > maxIdentifier:
		return "publication", fmt.Sprintf("is longer than %d bytes: shorten it", maxIdentifier)
	case s.Heartbeat < 0 || s.Heartbeat > 0 && s.Heartbeat < time.Second:
		return "heartbeat", fmt.Sprintf("is %s: give 1s or more, or 0s for never", s.Heartbeat)
	case !slices.Contains([]string{"", "any", "none"}, s.Origin):
		return "origin", fmt.Sprintf("is %q: use any or none", s.Origin)
	case slices.Contains(s.Messages, "") || slices.Contains(s.Messages, heartbeatPrefix):
		return "messages", fmt.Sprintf("holds a prefix that is empty or %s, which is that of our own heartbeats: remove it", heartbeatPrefix)
	}
	for _, k := range ofFiles {
		if k.set {
			return k.key, "is for files: set kind: file, or remove it"
		}
	}
	return "", ""
}

// leastInterval keeps a share or a store from being listed without pause.
const leastInterval = 100 * time.Millisecond

// checkFiles finds what is wrong with a drop of files.
func (s *Source) checkFiles() (key, reason string) {
	const ofDatabase = "is for databases: set kind: postgres, or remove it"
	switch {
	case s.DSN != "":
		return "dsn", ofDatabase
	case s.Slot != "":
		return "slot", ofDatabase
	case s.Publication != "":
		return "publication", ofDatabase
	case s.PrimaryDSN != "":
		return "primary_dsn", ofDatabase
	case s.Failover:
		return "failover", ofDatabase
	case s.Heartbeat != 0:
		return "heartbeat", ofDatabase
	case s.Origin != "":
		return "origin", ofDatabase
	case len(s.Messages) > 0:
		return "messages", ofDatabase
	case s.Transactions:
		return "transactions", ofDatabase
	case s.Location == "":
		return "location", "is empty: write a folder such as /srv/drops/" + s.Name + ", or s3://host/bucket/prefix"
	case s.Interval < leastInterval:
		return "interval", fmt.Sprintf("is %s: give at least %s, such as 10s", s.Interval, leastInterval)
	case (s.Credentials.AccessKey == "") != (s.Credentials.SecretKey == ""):
		return "credentials", "has one of access_key and secret_key: give both, or neither to take those of the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
	case s.Credentials != Credentials{} && !strings.Contains(s.Location+s.Reports, "://"):
		return "credentials", "is for an S3-compatible store, and the location is a folder: remove it"
	case len(s.Tables) == 0:
		return "tables", "is empty: name each table that is dropped, with the pattern of its files' names"
	}
	for i, t := range s.Tables {
		at := fmt.Sprintf("tables[%d].", i)
		switch _, err := path.Match(t.Pattern, ""); {
		case t.Name == "":
			return at + "name", "is empty: name a table of the sector file"
		case t.Pattern == "":
			return at + "pattern", "is empty: write the names of its files, such as " + t.Name + "_*.csv"
		case strings.Contains(t.Pattern, "/"):
			return at + "pattern", fmt.Sprintf("is %q: write names without a folder, such as %s_*.csv; the folder is the location", t.Pattern, t.Name)
		case err != nil:
			return at + "pattern", fmt.Sprintf("is %q: close its bracket; * stands for any letters, ? for one", t.Pattern)
		}
		for n, k := range t.Key {
			if k == "" || slices.Contains(t.Key[:n], k) {
				return fmt.Sprintf("%skey[%d]", at, n), fmt.Sprintf("is %q, empty or there already: name each column of the key once", k)
			}
		}
		for _, other := range s.Tables[:i] {
			if other.Name == t.Name && (other.Schema == t.Schema || other.Schema == "" || t.Schema == "") {
				return at + "name", fmt.Sprintf("is %s again: give the table one entry, with a pattern that matches all of its files", t.Name)
			}
		}
	}
	return "", ""
}
