package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hopluu.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return Load(path)
}

// Every key is in the example, the example has no other, and where it is not a
// placeholder it shows the default.
func TestExampleHasEveryKey(t *testing.T) {
	var tree map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(Example), &tree))
	var walk func(path string, typ reflect.Type, node any)
	walk = func(path string, typ reflect.Type, node any) {
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
			list, ok := node.([]any)
			require.True(t, ok && len(list) > 0, path)
			all := map[string]any{} // entries are of several kinds
			for _, entry := range list {
				maps.Copy(all, entry.(map[string]any))
			}
			walk(path+"[]", typ.Elem(), all)
			return
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		m, ok := node.(map[string]any)
		require.True(t, ok, path)
		for i := range typ.NumField() {
			key, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
			require.Contains(t, m, key, path)
			walk(path+"."+key, typ.Field(i).Type, m[key])
		}
	}
	walk("", reflect.TypeFor[Config](), tree)
	c, err := load(t, Example)
	require.NoError(t, err)
	d := Default()
	require.Equal(t, d.Topics, c.Topics)
	require.Equal(t, d.Sink, c.Sink)
	require.Equal(t, d.Log, c.Log)
	require.Equal(t, d.HTTP, c.HTTP)
	require.Equal(t, d.MaxRowBytes, c.MaxRowBytes)
	require.Equal(t, "hopluu_health", c.Sources[0].Slot)
	require.Equal(t, []FileTable{{Name: "household", Pattern: "household_*", Key: []string{"code"}, Full: true}}, c.Sources[1].Tables)
}

// Every refusal is one line that names the key.
func TestRefuses(t *testing.T) {
	base := "kafka: {brokers: [localhost:1]}\n"
	source := func(keys string) string { return base + "sources: [{" + keys + "}]" }
	reviewer := func(name string, token int) string {
		return fmt.Sprintf("{name: %s, token_sha256: '%064x', decides: true}", name, token)
	}
	for text, want := range map[string]string{
		"":                 "kafka.brokers",
		"kafka: [":         "correct the YAML",
		base + "kafak: 1":  "line 2, kafak: field kafak is not known",
		base + "kafka: {}": "kafka",
		source("name: a, sector: b, heartbeat: 10ms"):    "sources[0].heartbeat",
		source("name: a, sector: b, origin: some"):       "sources[0].origin",
		source("name: a, sector: b, messages: [hopluu]"): "our own heartbeats",
		source("dns: x"):                                                                       "line 2, sources[0].dns: field dns is not known",
		base + "topics: 3":                                                                     "line 2, topics: ",
		base + "tokens: {}":                                                                    "",
		"kafka: {brokers: [localhost]}":                                                        "kafka.brokers",
		"kafka: {brokers: [localhost:1], sasl: {user: a}}":                                     "kafka.sasl.mechanism",
		"kafka: {brokers: [localhost:1], sasl: {mechanism: PLAIN}}":                            "kafka.sasl.user",
		"kafka: {brokers: [localhost:1], sasl: {mechanism: NTLM}}":                             "SCRAM-SHA-512",
		"kafka: {brokers: [localhost:1], compression: gzip}":                                   "kafka.compression",
		"kafka: {brokers: [localhost:1], tls: {ca_file: a}}":                                   "kafka.tls.enabled",
		base + "topics: {replication: 1, min_insync_replicas: 1}":                              "single_machine",
		base + "topics: {min_insync_replicas: 4}":                                              "min_insync_replicas",
		base + "topics: {min_insync_replicas: 1}":                                              "single_machine",
		base + "topics: {retention: -1h}":                                                      "topics.retention",
		base + "topics: {partitions: 0}":                                                       "topics.partitions",
		base + "topics:\n  partitions: many":                                                   "line 3, topics.partitions: ",
		base + "registry: {url: 'localhost:8081'}":                                             "registry.url",
		base + "registry: {listen: '8081'}":                                                    "registry.listen",
		base + "http: {listen: '9464'}":                                                        "http.listen",
		base + "log: {level: loud}":                                                            "log.level",
		base + "log: {format: xml}":                                                            "log.format",
		base + "tokens: {key: aa, key_file: b}":                                                "tokens.key_file",
		base + "tokens: {version: 0}":                                                          "tokens.version",
		base + "identity: {url: 'localhost'}":                                                  "identity.url",
		base + "identity: {reviewers: [{name: ''}]}":                                           "identity.reviewers[0].name is empty",
		base + "identity: {reviewers: [{name: an, token_sha256: ab}]}":                         "hopluu identity token an",
		base + "identity: {reviewers: [" + reviewer("an", 1) + ", " + reviewer("An", 2) + "]}": "identity.reviewers[1].name An is there twice",
		base + "identity: {reviewers: [" + reviewer("an", 1) + ", " + reviewer("bo", 1) + "]}": "is also that of an",
		base + "identity: {two_person: true, reviewers: [" + reviewer("an", 1) + "]}":          "name a second one",
		base + "identity: {two_person: true, reviewers: [" + reviewer("an", 1) + ", " + reviewer("bo", 2) + "]}": "",
		base + "max_row_bytes: 1":                                                            "max_row_bytes",
		base + "sink: {batch_wait: -1s}":                                                     "batch_wait",
		base + "wal: {policy: drop}":                                                         "wal.policy",
		base + "wal: {policy: release}":                                                      "wal.limit_bytes",
		base + "sink: {group: ''}":                                                           "sink.group",
		source("name: a b, sector: x"):                                                       "sources[0].name",
		source("name: vault, sector: x"):                                                     "hopluu's own topics",
		source("name: a"):                                                                    "sources[0].sector",
		source("name: a, sector: x, slot: A"):                                                "sources[0].slot",
		source("name: a, sector: x, slot: " + strings.Repeat("a", 60)):                       "at most 54",
		source("name: a, sector: x, publication: " + strings.Repeat("a", 64)):                "sources[0].publication",
		source("name: a, sector: x}, {name: A, sector: x"):                                   "twice",
		source("name: a, sector: x, slot: s, dsn: d}, {name: b, sector: x, slot: s, dsn: d"): "sources[1].slot",
	} {
		_, err := load(t, text)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.Error(t, err, text)
		require.Contains(t, err.Error(), want, text)
		require.NotContains(t, err.Error(), "\n", text)
		require.NotContains(t, err.Error(), "config.", "the name of a Go type tells a user nothing")
	}
	files := func(keys, tables string) string {
		return source("name: a, sector: x, kind: file" + keys + ", tables: [" + tables + "]")
	}
	const at, good = ", location: /d", "{name: t, pattern: t_*}"
	for text, want := range map[string]string{
		source("name: a, sector: x, kind: folder"):                    "use postgres for a database or file",
		source("name: a, sector: x, location: /d"):                    "sources[0].location of source a is for files: set kind: file",
		source("name: a, sector: x, tables: [{name: t, pattern: t}]"): "sources[0].tables of source a is for files",
		source("name: a, sector: x, interval: 1s"):                    "sources[0].interval",
		source("name: a, sector: x, reports: /r"):                     "sources[0].reports",
		source("name: a, sector: x, credentials: {region: r}"):        "sources[0].credentials",
		files("", good):                                                   "location of source a is empty",
		files(at+", dsn: postgres://x", good):                             "dsn of source a is for databases",
		files(at+", slot: s", good):                                       "slot of source a is for databases",
		files(at+", publication: p", good):                                "publication of source a is for databases",
		files(at+", interval: 1ms", good):                                 "interval of source a is 1ms",
		files(at+", interval: -1s", good):                                 "interval of source a is -1s",
		files(at+", credentials: {access_key: k, secret_key: s}", good):   "the location is a folder",
		files(", location: s3://h/b, credentials: {access_key: k}", good): "give both",
		files(", location: s3://h/b, credentials: {secrets: k}", good):    "field secrets is not known",
		source("name: a, sector: x, kind: file, location: /d, reports: /r, tables: [" + good + "]}, {name: b, sector: x, kind: file, location: /e, reports: /r, tables: [" + good + "]"): "sources[1].reports of source b is also that of source a",
		source("name: a, sector: x, kind: file, location: /d, tables: [" + good + "]}, {name: b, sector: x, kind: file, location: /e, tables: [" + good + "]"):                           "",
		files(at, ""):                                                                   "tables of source a is empty",
		files(at, "{pattern: t_*}"):                                                     "tables[0].name of source a is empty",
		files(at, "{name: t}"):                                                          "such as t_*.csv",
		files(at, "{name: t, pattern: in/t_*}"):                                         "without a folder",
		files(at, "{name: t, pattern: 't_['}"):                                          "close its bracket",
		files(at, "{name: t, pattern: t, key: [a, a]}"):                                 "tables[0].key[1]",
		files(at, good+", {name: t, pattern: u}"):                                       "tables[1].name of source a is t again",
		files(at, "{name: t, pattern: t, whole: true}"):                                 "tables[0].whole: field whole is not known",
		files(", location: s3://h/b, credentials: {region: r}", good):                   "",
		files(at, "{name: t, schema: a, pattern: t}, {name: t, schema: b, pattern: u}"): "",
	} {
		_, err := load(t, text)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n", text)
	}
	_, err := Load("")
	require.ErrorContains(t, err, "--config")
	_, err = Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorContains(t, err, "none.yaml")
}

// Many databases may feed one sector, under any names.
func TestSourcesOfOneSector(t *testing.T) {
	c, err := load(t, "kafka: {brokers: [localhost:1]}\nsources: [{name: Health, sector: health}, {name: health_bv115, sector: health, slot: bv}]")
	require.NoError(t, err)
	require.Equal(t, []Source{
		{Name: "Health", Kind: "postgres", Sector: "health", Slot: "hopluu_health", Publication: "hopluu_Health"},
		{Name: "health_bv115", Kind: "postgres", Sector: "health", Slot: "bv", Publication: "hopluu_health_bv115"},
	}, c.Sources)
}

func TestEnvironmentWins(t *testing.T) {
	t.Setenv("HOPLUU_KAFKA_BROKERS", "x:1,y:2")
	t.Setenv("HOPLUU_SOURCE_TAX_DSN", "postgres://z")
	c, err := load(t, "kafka: {brokers: [localhost:1]}\nsources: [{name: tax, sector: tax}]")
	require.NoError(t, err)
	require.Equal(t, []string{"x:1", "y:2"}, c.Kafka.Brokers)
	require.Equal(t, "postgres://z", c.Sources[0].DSN)

	t.Setenv("HOPLUU_SOURCE_LABOUR_CREDENTIALS_SECRET_KEY", "secret")
	t.Setenv("HOPLUU_SOURCE_LABOUR_CREDENTIALS_ACCESS_KEY", "key")
	t.Setenv("HOPLUU_SOURCE_LABOUR_INTERVAL", "1m")
	c, err = load(t, "kafka: {brokers: [localhost:1]}\nsources: [{name: tax, sector: tax}, {name: labour, kind: file, sector: x, location: s3://h/b, tables: [{name: t, pattern: t}]}]")
	require.NoError(t, err)
	require.Equal(t, Credentials{AccessKey: "key", SecretKey: "secret"}, c.Sources[1].Credentials)
	require.Equal(t, time.Minute, c.Sources[1].Interval)
	for _, name := range []string{"CREDENTIALS_SECRET_KEY", "CREDENTIALS_ACCESS_KEY", "INTERVAL"} {
		require.NoError(t, os.Unsetenv("HOPLUU_SOURCE_LABOUR_"+name))
	}

	t.Setenv("HOPLUU_KAFKA_BROKER", "typo:1")
	_, err = load(t, "kafka: {brokers: [localhost:1]}\nsources: [{name: tax, sector: tax}]")
	require.ErrorContains(t, err, "HOPLUU_KAFKA_BROKER ")
	require.Equal(t, []string{"HOPLUU_KAFKA_BROKER", "HOPLUU_KAFKA_BROKERS", "HOPLUU_SOURCE_TAX_DSN"}, Overrides(os.Environ()))
}

// An empty variable is as none: compose files pass what is not set so.
func TestEmptyVariable(t *testing.T) {
	t.Setenv("HOPLUU_HTTP_LISTEN", "")
	t.Setenv("HOPLUU_KAFKA_BROKERS", "")
	c, err := load(t, "kafka: {brokers: [localhost:1]}")
	require.NoError(t, err)
	require.Equal(t, Default().HTTP, c.HTTP)
	require.Equal(t, []string{"localhost:1"}, c.Kafka.Brokers)
}

// A value that is none names its variable: many keys end alike.
func TestWrongVariable(t *testing.T) {
	for name, value := range map[string]string{
		"HOPLUU_TOPICS_PARTITIONS": "many", "HOPLUU_SINK_BATCH_WAIT": "soon", "HOPLUU_SINGLE_MACHINE": "perhaps",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, err := load(t, "kafka: {brokers: [localhost:1]}")
			require.ErrorContains(t, err, name)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// The key never stands in an error.
func TestTokenKey(t *testing.T) {
	good := strings.Repeat("ab", 32)
	secret, err := Tokens{Key: good}.TokenKey()
	require.NoError(t, err)
	require.Len(t, secret, 32)
	for _, bad := range []string{"", "nothex" + good, "abcd"} {
		_, err := Tokens{Key: bad}.TokenKey()
		require.ErrorContains(t, err, "tokens.key")
		path := filepath.Join(t.TempDir(), "token.key")
		require.NoError(t, os.WriteFile(path, []byte(bad+"\n"), 0o600))
		_, fileErr := Tokens{KeyFile: path}.TokenKey()
		require.ErrorContains(t, fileErr, path)
		if bad != "" {
			require.NotContains(t, err.Error()+fileErr.Error(), bad)
		}
	}
	_, err = Tokens{KeyFile: "/nonexistent"}.TokenKey()
	require.ErrorContains(t, err, "tokens.key_file")
}

func TestHeartbeatPrefix(t *testing.T) { require.Equal(t, postgres.MessagePrefix, heartbeatPrefix) }
