package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
			walk(path+"[]", typ.Elem(), list[0])
			return
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		m, ok := node.(map[string]any)
		require.True(t, ok, path)
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("yaml")
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
}

func TestRefuses(t *testing.T) {
	base := "kafka: {brokers: [localhost:1]}\n"
	for text, want := range map[string]string{
		"":                "kafka.brokers",
		base + "kafak: 1": "kafak",
		base + "topics: {replication: 1, min_insync_replicas: 1}":      "single_machine",
		base + "topics: {min_insync_replicas: 4}":                      "min_insync_replicas",
		base + "log: {level: loud}":                                    "log.level",
		base + "tokens: {key: aa, key_file: b}":                        "tokens.key_file",
		base + "sources: [{name: a b, sector: x}]":                     "sources[0].name",
		base + "sources: [{name: a, sector: x}, {name: a, sector: x}]": "twice",
		base + "sources: [{name: a}]":                                  "sector",
		base + "sink: {batch_wait: -1s}":                               "batch_wait",
		base + "topics: {partitions: many}":                            "many",
	} {
		_, err := load(t, text)
		require.Error(t, err, text)
		require.Contains(t, err.Error(), want, text)
		require.NotContains(t, err.Error(), "\n", text)
	}
}

func TestEnvironmentWins(t *testing.T) {
	t.Setenv("HOPLUU_KAFKA_BROKERS", "x:1,y:2")
	t.Setenv("HOPLUU_SOURCE_TAX_DSN", "postgres://z")
	c, err := load(t, "kafka: {brokers: [localhost:1]}\nsources: [{name: tax, sector: tax}]")
	require.NoError(t, err)
	require.Equal(t, []string{"x:1", "y:2"}, c.Kafka.Brokers)
	require.Equal(t, "postgres://z", c.Sources[0].DSN)

	t.Setenv("HOPLUU_KAFKA_BROKER", "typo:1")
	_, err = load(t, "kafka: {brokers: [localhost:1]}\nsources: [{name: tax, sector: tax}]")
	require.ErrorContains(t, err, "HOPLUU_KAFKA_BROKER ")
}

// The key never stands in an error.
func TestTokenKey(t *testing.T) {
	good := strings.Repeat("ab", 32)
	secret, err := Tokens{Key: good}.TokenKey()
	require.NoError(t, err)
	require.Len(t, secret, 32)
	for _, bad := range []string{"", "nothex" + good, "abcd"} {
		_, err := Tokens{Key: bad}.TokenKey()
		require.Error(t, err)
		if bad != "" {
			require.NotContains(t, err.Error(), bad)
		}
	}
}
