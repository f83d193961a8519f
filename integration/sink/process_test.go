package sink

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
)

// configure writes a configuration, with the files of its sectors, as an
// operator has it, and gives its path. ClickHouse is at addr.
func (w *world) configure(addr string) string {
	w.t.Helper()
	dir := harness.TempDir(w.t)
	sectorsDir := filepath.Join(dir, "sectors")
	require.NoError(w.t, os.Mkdir(sectorsDir, 0o755))
	for _, s := range w.sectors.Sectors {
		var text strings.Builder
		fmt.Fprintf(&text, "sector: %s\nsystem: %d\nname: {vi: %s, en: %s}\nowner: {vi: Sở, en: Department}\ntables:\n", s.Sector, s.System, s.Name.Vi, s.Name.En)
		for _, t := range s.Tables {
			fmt.Fprintf(&text, "  - name: %s\n    meaning: {vi: %s, en: %s}\n    columns:\n", t.Name, t.Meaning.Vi, t.Meaning.En)
			for _, c := range t.Columns {
				fmt.Fprintf(&text, "      - {name: %s, type: %s, meaning: {vi: %s, en: %s}, sensitivity: internal}\n", c.Name, c.Type, c.Meaning.Vi, c.Meaning.En)
			}
		}
		require.NoError(w.t, os.WriteFile(filepath.Join(sectorsDir, s.Sector+".yaml"), []byte(text.String()), 0o600))
	}
	type tree = map[string]any
	key := filepath.Join(dir, "token.key")
	require.NoError(w.t, os.WriteFile(key, []byte(strings.Repeat("6b", 32)), 0o600))
	var sources []any
	for _, s := range w.sources {
		sources = append(sources, tree{"name": s.Name, "sector": s.Sector})
	}
	config, err := yaml.Marshal(tree{
		"single_machine": true,
		"kafka":          tree{"brokers": w.brokers},
		"registry":       tree{"url": w.registryURL, "listen": "127.0.0.1:0"},
		"clickhouse":     tree{"dsn": "http://default@" + addr + "/default"},
		"tokens":         tree{"key_file": key},
		"sectors_dir":    sectorsDir,
		"http":           tree{"listen": ""},
		"sink":           tree{"group": w.group, "batch_wait": "50ms"},
		"sources":        sources,
	})
	require.NoError(w.t, err)
	path := filepath.Join(dir, "hopluu.yaml")
	require.NoError(w.t, os.WriteFile(path, config, 0o600))
	return path
}

// process is a sink as a program of its own.
func (w *world) process(name, addr string) *embedded.Process {
	w.t.Helper()
	return harness.Hopluu(w.t).Start(w.t, name, []string{"sink", "run", "--config", w.configure(addr)})
}
