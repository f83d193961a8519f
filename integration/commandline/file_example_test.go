package commandline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// The example of docs/files.md works as it stands, and its report is the one
// that the page shows.
func TestFilesExample(t *testing.T) {
	const docs = "../../docs"
	w := shared(t)
	w.registry()
	dir := filepath.Join(w.dir, "files")
	require.NoError(t, os.CopyFS(dir, os.DirFS(docs+"/files")))
	name := harness.Name("example")
	config, err := os.ReadFile(filepath.Join(dir, "hopluu.yaml"))
	require.NoError(t, err)
	path := w.write("files/hopluu.yaml", strings.Replace(string(config), "name: labour\n", "name: "+name+"\n", 1))
	env := []string{
		"HOPLUU_CONFIG=" + path, "HOPLUU_KAFKA_BROKERS=" + strings.Join(w.broker.Brokers(), ","), "HOPLUU_REGISTRY_URL=" + w.config["registry"].(tree)["url"].(string),
		"HOPLUU_SECTORS_DIR=" + filepath.Join(dir, "sectors"), "HOPLUU_TOKENS_KEY_FILE=" + filepath.Join(w.dir, "token.key"),
		"HOPLUU_TOKENS_RECORD_KEY_FILE=" + filepath.Join(w.dir, "record.key"),
		"HOPLUU_SOURCE_" + strings.ToUpper(name) + "_LOCATION=" + filepath.Join(dir, "drops"), "HOPLUU_SOURCE_" + strings.ToUpper(name) + "_REPORTS=" + filepath.Join(dir, "drops"),
		"HOPLUU_SOURCE_" + strings.ToUpper(name) + "_INTERVAL=100ms", "HOPLUU_HTTP_LISTEN=127.0.0.1:0",
	}
	// P11: members are known by their numbers.
	without := w.write("files/without.yaml", strings.Replace(string(config), ", record_key_file: record.key", "", 1))
	for _, args := range [][]string{{"connector", "check", "-c", without}, {"connector", "run", "-c", without}} {
		unset := slices.DeleteFunc(slices.Clone(env), func(of string) bool {
			return strings.HasPrefix(of, "HOPLUU_TOKENS_RECORD") || strings.HasPrefix(of, "HOPLUU_SOURCE_")
		})
		unset = append(unset, "HOPLUU_SOURCE_LABOUR_LOCATION="+filepath.Join(dir, "drops"), "HOPLUU_SOURCE_LABOUR_REPORTS="+filepath.Join(dir, "drops"))
		stdout, stderr, code, err := w.program.Run(t.Context(), args, unset...)
		require.NoError(t, err)
		require.NotZero(t, code)
		require.Contains(t, stdout+stderr, "column cccd of table public.member is an identifier that names records")
		require.Contains(t, stdout+stderr, "tokens.record_key_file")
	}
	stdout, stderr, code, err := w.program.Run(t.Context(), []string{"connector", "check", "--json"}, env...)
	require.NoError(t, err)
	require.Zero(t, code, stdout+stderr)
	require.Empty(t, parse[checkReport](t, stdout).Sources[0].Findings)

	w.program.Start(t, "connector", []string{"connector", "run"}, env...)
	kafka := w.kafka()
	harness.Eventually(t, within, func(ctx context.Context) error {
		for table, n := range map[string]int{"household": 3, "member": 3} {
			if counts, err := kafka.PartitionCounts(ctx, topic.Public(name, "public", table)); err != nil || len(counts) == 0 {
				return fmt.Errorf("no topic of %s: %v", table, err)
			}
			if err := atLeast(ctx, kafka, topic.Public(name, "public", table), n); err != nil {
				return err
			}
		}
		return nil
	})
	page, err := os.ReadFile(docs + "/files.md")
	require.NoError(t, err)
	var report []byte
	harness.Eventually(t, within, func(context.Context) (err error) {
		report, err = os.ReadFile(filepath.Join(dir, "drops", "household_2025-01.csv.refused.csv"))
		return err
	})
	lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(string(report), "\ufeff")), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		require.Contains(t, string(page), line+"\n", "the page shows another report")
	}
	harness.Eventually(t, within, func(ctx context.Context) error { // the report comes before the file's end
		stdout, _, code, err := w.program.Run(ctx, []string{"connector", "status"}, env...)
		if err == nil && code != 1 {
			err = fmt.Errorf("two rows are refused, status ends with %d: %s", code, stdout)
		}
		return err
	})
}
