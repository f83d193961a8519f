package structure

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/hopluu/hopluu/"

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	command.Dir = "../.."
	out, err := command.Output()
	require.NoError(t, err)
	var all []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, p)
	}
	require.Greater(t, len(all), 10, "go list found too little to check")
	return all
}

// in tells whether the import path lies in one of the project's folders.
func in(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return path == module+f || strings.HasPrefix(path, module+f+"/")
	})
}

// Stages meet in topics, never in imports; the contract imports no stage; only
// what stands above the stages may import them all.
func TestStagesNeverImportOneAnother(t *testing.T) {
	forbidden := map[string][]string{
		"connectors": {"processors", "sinks", "cmd", "integration", "deploy"},
		"processors": {"connectors", "sinks", "cmd", "integration", "deploy"},
		"sinks":      {"connectors", "processors", "cmd", "integration", "deploy"},
		"schemas":    {"connectors", "processors", "sinks", "cmd", "integration", "deploy"},
	}
	seen := map[string]bool{}
	for _, p := range packages(t) {
		for folder, others := range forbidden {
			if !in(p.ImportPath, folder) {
				continue
			}
			seen[folder] = true
			for _, d := range p.Imports {
				require.False(t, in(d, others...), "%s imports %s", p.ImportPath, d)
			}
		}
	}
	require.Len(t, seen, len(forbidden), "a stage has no package")
}

// Kafka's library stays behind schemas/topic, the embedded parts out of
// everything that production runs.
func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, p := range packages(t) {
		for _, d := range p.Imports {
			if strings.HasPrefix(d, "github.com/segmentio/kafka-go") {
				require.True(t, in(p.ImportPath, "schemas/topic"), "%s imports %s", p.ImportPath, d)
			}
			if in(d, "cmd/hopluu/embedded") {
				require.True(t, in(p.ImportPath, "cmd/hopluu", "integration"), "%s imports %s", p.ImportPath, d)
			}
		}
	}
}

// pure packages decide and never do I/O: no context, clock, environment,
// logger, file or network.
var pure = []string{
	"schemas/event", "schemas/avro", "schemas/lineage", "schemas/token", "schemas/erasure", "schemas/seal", "schemas/topic/recordbatch",
	"connectors/postgres/pgoutput", "connectors/postgres/pgvalue", "connectors/postgres/copytext", "connectors/postgres/checkpoint", "connectors/postgres/walbudget",
	"connectors/file/column", "connectors/file/diff", "connectors/file/sheet",
	"processors/identity", "processors/identity/linkage", "processors/identity/review", "processors/identity/tablefile", "sinks/clickhouse/tables", "sinks/clickhouse/golden", "sinks/clickhouse/access", "sinks/clickhouse/cluster",
}

func TestPurePackagesArePure(t *testing.T) {
	impure := []string{"context", "os", "net", "net/http", "log", "log/slog", "io/ioutil", "os/exec", "syscall", "database/sql"}
	found := 0
	for _, p := range packages(t) {
		if !slices.Contains(pure, strings.TrimPrefix(p.ImportPath, module)) {
			continue
		}
		found++
		for _, d := range p.Imports {
			require.NotContains(t, impure, d, "%s is pure", p.ImportPath)
			if strings.HasPrefix(d, module) {
				require.Contains(t, append([]string{"schemas/sectors"}, pure...), strings.TrimPrefix(d, module), "%s is pure and imports %s", p.ImportPath, d)
			}
		}
	}
	require.Equal(t, len(pure), found, "a pure package is missing: was it moved?")
}
