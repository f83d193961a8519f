package file

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/file/drop/fakes3"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

func checked(location string, tables ...Table) Config {
	return Config{
		Source: "labour", Location: location, Tables: tables, MaxRowBytes: 1 << 20,
		Sector: sectors.Sector{Sector: "labour", Tables: []sectors.Table{
			{Name: "household", Schema: "public", Key: []string{"code"}, Columns: []sectors.Column{
				{Name: "code", Type: "text", Meaning: sectors.Text{Vi: "Mã số hộ", En: "Code"}}, {Name: "amount", Type: "integer"},
			}},
			{Name: "member", Schema: "public", Columns: []sectors.Column{{Name: "id", Type: "bigint"}}},
		}},
	}
}

func levels(findings []postgres.Finding) (levels []postgres.Level, text string) {
	for _, f := range findings {
		levels = append(levels, f.Level)
		text += f.What + "; " + f.Mend + "\n"
	}
	return levels, text
}

func TestCheck(t *testing.T) {
	dir, reports := t.TempDir(), t.TempDir()
	put := func(name, content string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	household, member := Table{Name: "household", Pattern: "household_*"}, Table{Name: "member", Pattern: "member_*", Key: []string{"id"}}

	found, text := levels(Check(t.Context(), checked(dir, household, member), true))
	require.Equal(t, []postgres.Level{postgres.Note, postgres.Note}, found)
	require.Contains(t, text, "no file matches household_* yet")

	put("household_1.csv", "Mã số hộ,amount\nA,1\n")
	put("member_1.csv", "id\n1\n")
	require.Empty(t, Check(t.Context(), checked(dir, household, member), true))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing is left behind")

	// The newest file counts; the columns are compared, not the rows.
	put("member_2.csv", "name\nx\n")
	put("household_2.csv", "Mã số hộ,Điện thoại\nA,1\n")
	put("readme.txt", "x")
	put("household_x.csv.refused.csv", "x")
	found, text = levels(Check(t.Context(), checked(dir, household, member), true))
	require.Equal(t, []postgres.Level{postgres.Warning, postgres.Warning, postgres.Note, postgres.Warning}, found)
	require.Contains(t, text, "1 files match no table's pattern and are not taken in: readme.txt")
	require.Contains(t, text, "headings of household_2.csv that table public.household does not have, whose columns are left out: Điện thoại")
	require.Contains(t, text, "household_2.csv does not have, which are NULL: amount")
	require.Contains(t, text, "member_2.csv of table public.member would be refused: no row among the first 20 has a heading for the key (id is missing)")

	found, text = levels(Check(t.Context(), checked(dir, household, member), false))
	require.Equal(t, []postgres.Level{postgres.Warning}, found, "no file is read: %s", text)

	_, text = levels(Check(t.Context(), checked(dir, household, Table{Name: "member", Pattern: "*_2.csv", Key: []string{"id"}}), true))
	require.Contains(t, text, "household_2.csv cannot be taken in: its name matches the patterns of tables public.household and public.member")

	// What keeps a connector from working at all.
	for want, config := range map[string]Config{
		"table member has no key":             checked(dir, Table{Name: "member", Pattern: "m"}),
		"does not describe table x: describe": checked(dir, Table{Name: "x", Pattern: "x"}),
		"cannot be opened":                    checked(dir+"/none", household),
		"write a folder, or s3://":            checked("ftp://host/x", household),
		"cannot be listed":                    checked("s3+http://127.0.0.1:1/drops", household),
	} {
		if strings.Contains(config.Location, "s3") {
			config.Credentials = drop.Credentials{AccessKey: "key", SecretKey: "secret"}
		}
		found, text := levels(Check(t.Context(), config, true))
		require.Equal(t, []postgres.Level{postgres.Fault}, found, text)
		require.Contains(t, text, want)
		require.NotContains(t, text, "secret")
	}
	config := checked(dir, household)
	config.Reports = reports
	_, text = levels(Check(t.Context(), config, true))
	require.NotContains(t, text, "reports")
	require.NoError(t, os.Remove(reports))
	_, text = levels(Check(t.Context(), config, true))
	require.Contains(t, text, "make or mount the folder that `reports` names")
}

func TestCheckBucket(t *testing.T) {
	store := fakes3.New("key")
	web := httptest.NewServer(store)
	t.Cleanup(web.Close)
	store.Put("drops/labour/household_1.csv", []byte("code,amount\nA,1\n"), noon)
	config := checked(strings.Replace(web.URL, "http://", "s3+http://", 1)+"/drops/labour", Table{Name: "household", Pattern: "household_*"})
	config.Credentials = drop.Credentials{AccessKey: "key", SecretKey: "secret"}
	require.Empty(t, Check(t.Context(), config, true))
	store.ReadOnly = true
	found, text := levels(Check(t.Context(), config, true))
	require.Equal(t, []postgres.Level{postgres.Fault}, found)
	require.Contains(t, text, "reports of refused rows cannot be written")
}
