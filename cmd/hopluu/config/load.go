package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"go.yaml.in/yaml/v3"
)

// Load reads the file (none when path is empty), then the environment, and
// checks the whole.
func Load(path string) (Config, error) {
	c := Default()
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("configuration: %w: give its path with --config or HOPLUU_CONFIG", err)
		}
		if err := Decode(data, &c); err != nil {
			return Config{}, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	if err := override(&c, os.Environ()); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Slot == "" {
			s.Slot = "hopluu_" + s.Name
		}
		if s.Publication == "" {
			s.Publication = "hopluu_" + s.Name
		}
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// Decode reads YAML over c; an unknown key is an error that names it and its
// line.
func Decode(data []byte, c *Config) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(oneLine(err.Error()) + ": see 'hopluu config example' for every key")
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// override lays the environment over the file. A HOPLUU_ variable that names
// no key is refused like an unknown key of the file.
func override(c *Config, environ []string) error {
	vars := map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, "HOPLUU_") {
			vars[name] = value
		}
	}
	known := map[string]bool{}
	parse := func(into any, prefix string) error {
		options := env.Options{Prefix: prefix, Environment: vars}
		params, err := env.GetFieldParamsWithOptions(into, options)
		if err != nil {
			return err
		}
		for _, p := range params {
			known[p.Key] = true
		}
		return env.ParseWithOptions(into, options)
	}
	if err := parse(c, "HOPLUU_"); err != nil {
		return errors.New(oneLine(err.Error()))
	}
	for i := range c.Sources {
		if err := parse(&c.Sources[i], "HOPLUU_SOURCE_"+strings.ToUpper(c.Sources[i].Name)+"_"); err != nil {
			return errors.New(oneLine(err.Error()))
		}
	}
	for name := range vars {
		if known[name] || slices.Contains(notKeys, name) || strings.HasPrefix(name, "HOPLUU_TEST_") || strings.HasPrefix(name, "HOPLUU_DEMO_") {
			continue
		}
		return fmt.Errorf("environment variable %s names no key: unset it, or see 'hopluu config example'", name)
	}
	return nil
}

// notKeys are variables of ours that are not configuration keys.
var notKeys = []string{"HOPLUU_CONFIG", "HOPLUU_CACHE"}

var sourceName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// check finds what contradicts itself; every message names the key and says
// what to do.
func (c *Config) check() error {
	switch {
	case len(c.Kafka.Brokers) == 0:
		return errors.New("kafka.brokers is empty: name at least one broker as host:port")
	case !slices.Contains([]string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, c.Kafka.SASL.Mechanism):
		return fmt.Errorf("kafka.sasl.mechanism is %q: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or leave it empty", c.Kafka.SASL.Mechanism)
	case c.Kafka.SASL.Mechanism == "" && (c.Kafka.SASL.User != "" || c.Kafka.SASL.Password != ""):
		return errors.New("kafka.sasl.user is set without kafka.sasl.mechanism: set the mechanism")
	case c.Kafka.TLS.CAFile != "" && !c.Kafka.TLS.Enabled:
		return errors.New("kafka.tls.ca_file is set but kafka.tls.enabled is false: enable it, or remove the file")
	case c.Tokens.Key != "" && c.Tokens.KeyFile != "":
		return errors.New("tokens.key and tokens.key_file are both set: keep one")
	case c.Tokens.Version == 0:
		return errors.New("tokens.version is 0: versions begin at 1")
	case c.Topics.Partitions < 1:
		return errors.New("topics.partitions must be at least 1")
	case c.Topics.Replication < 1:
		return errors.New("topics.replication must be at least 1")
	case c.Topics.MinInsyncReplicas < 1 || c.Topics.MinInsyncReplicas > int(c.Topics.Replication):
		return errors.New("topics.min_insync_replicas must be between 1 and topics.replication")
	case !c.SingleMachine && (c.Topics.Replication < 3 || c.Topics.MinInsyncReplicas < 2):
		return errors.New("topics.replication below 3 or topics.min_insync_replicas below 2 loses events with one broker: raise them, or set single_machine: true")
	case c.Topics.Retention < 0:
		return errors.New("topics.retention is negative: give a duration such as 720h, or 0s for ever")
	case c.MaxRowBytes < 1024 || c.MaxRowBytes > 16<<20:
		return errors.New("max_row_bytes must be between 1024 and 16777216")
	case c.Sink.Group == "":
		return errors.New("sink.group is empty: name the consumer group")
	case c.Sink.BatchRows < 1 || c.Sink.BatchBytes < 1 || c.Sink.BatchWait <= 0:
		return errors.New("sink.batch_rows, sink.batch_bytes and sink.batch_wait must be positive")
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return fmt.Errorf("log.level is %q: use debug, info, warn or error", c.Log.Level)
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return fmt.Errorf("log.format is %q: use text or json", c.Log.Format)
	}
	names := map[string]bool{}
	for i, s := range c.Sources {
		switch {
		case !sourceName.MatchString(s.Name):
			return fmt.Errorf("sources[%d].name is %q: use letters, digits and _, beginning with a letter", i, s.Name)
		case names[s.Name]:
			return fmt.Errorf("sources[%d].name %s is there twice: every source has its own name", i, s.Name)
		case s.Sector == "":
			return fmt.Errorf("source %s has no sector: name the sector file that describes it", s.Name)
		}
		names[s.Name] = true
	}
	return nil
}

// TokenKey gives the secret of the token key.
func (t Tokens) TokenKey() ([]byte, error) {
	text, from := t.Key, "tokens.key"
	if t.KeyFile != "" {
		data, err := os.ReadFile(t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tokens.key_file: %w: make one with 'openssl rand -hex 32'", err)
		}
		text, from = strings.TrimSpace(string(data)), "tokens.key_file "+t.KeyFile
	}
	if text == "" {
		return nil, errors.New("tokens.key_file is not set: make a key with 'openssl rand -hex 32' and name its file")
	}
	// The text itself is never part of an error: it is the key.
	secret, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%s does not hold hexadecimal digits: make one with 'openssl rand -hex 32'", from)
	}
	if len(secret) < 32 {
		return nil, fmt.Errorf("%s has %d bytes, 32 are needed: make one with 'openssl rand -hex 32'", from, len(secret))
	}
	return secret, nil
}
