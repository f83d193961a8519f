package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

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
	if path == "" && len(c.Kafka.Brokers) == 0 {
		return Config{}, errors.New("no configuration is given: name its file with --config or HOPLUU_CONFIG ('hopluu config example' prints one to begin with)")
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Kind == "" {
			s.Kind = KindPostgres
		}
		if s.Kind == KindFile {
			if s.Interval == 0 {
				s.Interval = defaultInterval
			}
			continue
		}
		// Slots have small letters only; PostgreSQL refuses others.
		if s.Slot == "" {
			s.Slot = "hopluu_" + strings.ToLower(s.Name)
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

// defaultInterval is between two looks at a place where files are dropped.
const defaultInterval = 10 * time.Second

// Decode reads YAML over c; an unknown key is an error that names it and its
// line.
func Decode(data []byte, c *Config) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	err := decoder.Decode(c)
	var wrong *yaml.TypeError
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &wrong):
		keys := keysByLine(data)
		for i, text := range wrong.Errors {
			wrong.Errors[i] = named(text, keys)
		}
		return fmt.Errorf("%s: see 'hopluu config example' for every key", strings.Join(wrong.Errors, "; "))
	}
	return fmt.Errorf("%s: correct the YAML", oneLine(err.Error()))
}

var (
	lineOf = regexp.MustCompile(`^line (\d+): `)
	goType = regexp.MustCompile(` (?:not found )?in type \S+`)
	goInto = regexp.MustCompile(` into (?:config\.\S+|\[\]config\.\S+)`)
)

// named puts the key into the library's message, which has only its line, and
// takes out the names of Go's types.
func named(text string, keys map[int]string) string {
	text = goInto.ReplaceAllString(goType.ReplaceAllString(text, " is not known"), " into keys of its own")
	if m := lineOf.FindStringSubmatch(text); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil && keys[line] != "" {
			return "line " + m[1] + ", " + keys[line] + ": " + text[len(m[0]):]
		}
	}
	return text
}

// keysByLine gives the dotted path of the last key that begins on each line.
func keysByLine(data []byte) map[int]string {
	keys := map[int]string{}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return keys
	}
	var walk func(path string, n *yaml.Node)
	walk = func(path string, n *yaml.Node) {
		switch n.Kind {
		case yaml.DocumentNode:
			for _, child := range n.Content {
				walk(path, child)
			}
		case yaml.SequenceNode:
			for i, child := range n.Content {
				walk(path+"["+strconv.Itoa(i)+"]", child)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
				keys[n.Content[i].Line] = key
				walk(key, n.Content[i+1])
			}
		}
	}
	walk("", &document)
	return keys
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// TokenKey gives the secret of the token key.
func (t Tokens) TokenKey() ([]byte, error) { return readKey("tokens.", t.Key, t.KeyFile) }

// RecordKeySet tells whether there is a record key: only tables whose keys hold
// identifiers need one.
func (t Tokens) RecordKeySet() bool { return t.RecordKey != "" || t.RecordKeyFile != "" }

// RecordSecret gives the secret of the record key.
func (t Tokens) RecordSecret() ([]byte, error) {
	return readKey("tokens.record_", t.RecordKey, t.RecordKeyFile)
}

// OldKeys gives the secrets of the keys before it, by version.
func (t Tokens) OldKeys() (map[uint8][]byte, error) { return readOld("tokens", t.Old) }

// Set tells whether there is a key: without one vault topics have plain values.
func (v Vault) Set() bool { return v.Key != "" || v.KeyFile != "" }

// VaultKey gives the secret of the vault's key.
func (v Vault) VaultKey() ([]byte, error) { return readKey("vault.", v.Key, v.KeyFile) }

// OldKeys gives the secrets of the keys before it, by version.
func (v Vault) OldKeys() (map[uint8][]byte, error) { return readOld("vault", v.Old) }

func readOld(section string, old []OldKey) (map[uint8][]byte, error) {
	secrets := map[uint8][]byte{}
	for i, k := range old {
		if k.KeyFile == "" {
			continue
		}
		secret, err := readKey(fmt.Sprintf("%s.old[%d].", section, i), "", k.KeyFile)
		if err != nil {
			return nil, err
		}
		secrets[k.Version] = secret
	}
	return secrets, nil
}

// SealKey gives the key that backups are encrypted with, of 32 bytes; nil when
// none is configured.
func (b Backup) SealKey() ([]byte, error) {
	if b.Key == "" && b.KeyFile == "" {
		return nil, nil
	}
	key, err := readKey("backup.", b.Key, b.KeyFile)
	if err == nil && len(key) != 32 {
		return nil, fmt.Errorf("backup.key_file has %d bytes, exactly 32 are needed: make one with 'openssl rand -hex 32'", len(key))
	}
	return key, err
}

// readKey gives the secret that the configuration names under key and key_file,
// with what stands before them.
func readKey(before, text, file string) ([]byte, error) {
	from := before + "key"
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%skey_file: %w: make one with 'openssl rand -hex 32'", before, err)
		}
		text, from = strings.TrimSpace(string(data)), before+"key_file "+file
	}
	if text == "" && file != "" {
		return nil, fmt.Errorf("%s is empty: make a key with 'openssl rand -hex 32'", from)
	}
	if text == "" {
		return nil, fmt.Errorf("%skey_file is not set: make a key with 'openssl rand -hex 32' and name its file", before)
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
