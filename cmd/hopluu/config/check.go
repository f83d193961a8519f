package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
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

// reserved begin the names of topics that are no source's.
var reserved = []string{"vault", "identity", "hopluu"}

// check finds what contradicts itself; every message names the key and says
// what to do.
func (c *Config) check() error {
	for _, part := range []func() error{c.checkKafka, c.checkServers, c.checkTopics, c.checkRest, c.checkSources} {
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
	case t.Retention < 0:
		return errors.New("topics.retention is negative: give a duration such as 720h, or 0s for ever")
	}
	return nil
}

func (c *Config) checkRest() error {
	switch {
	case c.Tokens.Key != "" && c.Tokens.KeyFile != "":
		return errors.New("tokens.key and tokens.key_file are both set: keep one")
	case c.Tokens.Version == 0:
		return errors.New("tokens.version is 0: versions begin at 1")
	case c.MaxRowBytes < 1024 || c.MaxRowBytes > 16<<20:
		return errors.New("max_row_bytes must be between 1024 and 16777216")
	case c.Budget().Check() != nil:
		return fmt.Errorf("wal.warn_bytes, wal.limit_bytes and wal.policy: the budget %w", c.Budget().Check())
	case c.Sink.Group == "":
		return errors.New("sink.group is empty: name the consumer group")
	case c.Sink.BatchRows < 1 || c.Sink.BatchBytes < 1 || c.Sink.BatchWait <= 0:
		return errors.New("sink.batch_rows, sink.batch_bytes and sink.batch_wait must be positive")
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return fmt.Errorf("log.level is %q: use debug, info, warn or error", c.Log.Level)
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return fmt.Errorf("log.format is %q: use text or json", c.Log.Format)
	}
	return nil
}

func (c *Config) checkSources() error {
	names, places := map[string]string{}, map[string]string{}
	for i, s := range c.Sources {
		switch {
		case !sourceName.MatchString(s.Name):
			return fmt.Errorf("sources[%d].name is %q: use letters, digits and _, beginning with a letter", i, s.Name)
		case slices.Contains(reserved, strings.ToLower(s.Name)):
			return fmt.Errorf("sources[%d].name %s begins the names of hopluu's own topics: choose another", i, s.Name)
		case s.Sector == "":
			return fmt.Errorf("sources[%d].sector of source %s is empty: name the sector file that describes it", i, s.Name)
		case !slotName.MatchString(s.Slot) || len(s.Slot)+slotSuffix > maxIdentifier:
			return fmt.Errorf("sources[%d].slot of source %s is %q: use small letters, digits and _, at most %d", i, s.Name, s.Slot, maxIdentifier-slotSuffix)
		case len(s.Publication) > maxIdentifier:
			return fmt.Errorf("sources[%d].publication of source %s is longer than %d bytes: shorten it", i, s.Name, maxIdentifier)
		}
		// Environment variables have capitals only.
		if other, ok := names[strings.ToUpper(s.Name)]; ok {
			return fmt.Errorf("sources[%d].name %s is there twice (%s): every source has its own name, whatever its capitals", i, s.Name, other)
		}
		names[strings.ToUpper(s.Name)] = s.Name
		place := s.DSN + " " + s.Slot
		if other, ok := places[place]; ok && s.DSN != "" {
			return fmt.Errorf("sources[%d].slot %s of source %s is also that of source %s in the same database: give each its own", i, s.Slot, s.Name, other)
		}
		places[place] = s.Name
	}
	return nil
}
