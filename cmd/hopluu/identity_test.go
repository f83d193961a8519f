package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// hopluuIdentity runs a command as from the command line.
func hopluuIdentity(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"identity"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

const identityRecords = `record_id,source,cccd,cmnd,insurance_no,full_name,birth_date,sex,phone,ward_code,address
1,population,079185012344,,,Nguyễn Thị Hòa,1985-03-20,female,0903123457,26740,12 Lê Lợi
2,population,079085012355,,,Trần Văn Bình,1985-07-21,male,0903123999,26743,15 Lê Lợi
3,health,,,4797912345671,NGUYEN THI HOA,1985-03-20,female,0903123457,26740,12 Lê Lợi
4,tax,079085012355,,,Trần Văn Bình,1985-01-01,male,,26743,9 Pasteur
`

func TestIdentityLinkEvaluateExplain(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(path("records.csv"), []byte(identityRecords), 0o600))
	require.NoError(t, os.WriteFile(path("truth.csv"), []byte("id,entity\n1,a\n2,b\n3,a\n4,b\n"), 0o600))
	out, err := hopluuIdentity(t, "link", "--model", "city", "--input", path("records.csv"), "--output", path("links.csv"), "--clusters", path("clusters.csv"), "--json")
	require.NoError(t, err)
	var linked linkResult
	require.NoError(t, json.Unmarshal([]byte(out), &linked))
	require.Equal(t, 4, linked.Records)
	require.Equal(t, 2, linked.References)
	require.Equal(t, 2, linked.Clusters)
	require.Len(t, linked.Intake, 9)
	require.Equal(t, linkage.ColumnIntake{Column: "cmnd", Empty: 4}, linked.Intake[1])
	out, err = hopluuIdentity(t, "evaluate", "--links", path("links.csv"), "--truth", path("truth.csv"))
	require.NoError(t, err)
	require.Contains(t, out, "1.00000")
	require.FileExists(t, path("clusters.csv"))

	out, err = hopluuIdentity(t, "explain", "--model", "city", "--input", path("records.csv"), "1", "health/3")
	require.NoError(t, err)
	require.Contains(t, out, "unmarked")
	require.Contains(t, out, "link:")
	require.NotContains(t, out, "0903123457", "an explanation names levels, never values (P11)")
	out, err = hopluuIdentity(t, "model")
	require.NoError(t, err)
	require.Contains(t, out, "city\nfebrl\n")

	// A folder beside the files that has the name of a model is none.
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("city", 0o700))
	out, err = hopluuIdentity(t, "model", "city")
	require.NoError(t, err)
	require.Contains(t, out, "version: city-")
	_, err = hopluuIdentity(t, "explain", "--model", "city", "--input", path("records.csv"), "1", "health/3")
	require.NoError(t, err)
}

func TestIdentityLinkTrains(t *testing.T) {
	dir := t.TempDir()
	records, model := filepath.Join(dir, "records.csv"), filepath.Join(dir, "trained.yaml")
	require.NoError(t, os.WriteFile(records, []byte(identityRecords), 0o600))
	_, err := hopluuIdentity(t, "link", "--model", "city", "--input", records, "--output", filepath.Join(dir, "links.csv"), "--train", "--save-model", model)
	require.NoError(t, err)
	_, err = hopluuIdentity(t, "link", "--model", model, "--input", records, "--output", filepath.Join(dir, "links.csv"))
	require.NoError(t, err)

	// It is another model than the one that it was made of, and the same training
	// gives the same, also when it is trained again.
	built, err := linkage.Described("city")
	require.NoError(t, err)
	trained, err := loadModel(model)
	require.NoError(t, err)
	require.Regexp(t, `^`+built.Version+`\+[0-9a-f]{8}$`, trained.Version)
	again := filepath.Join(dir, "again.yaml")
	_, err = hopluuIdentity(t, "link", "--model", "city", "--input", records, "--output", filepath.Join(dir, "links.csv"), "--train", "--save-model", again)
	require.NoError(t, err)
	other, err := loadModel(again)
	require.NoError(t, err)
	require.Equal(t, trained.Version, other.Version)
	require.NoError(t, os.WriteFile(records, []byte(identityRecords+"5,tax,,,,Lê Văn Sáu,1970-02-03,male,,26743,9 Pasteur\n"), 0o600))
	_, err = hopluuIdentity(t, "link", "--model", model, "--input", records, "--output", filepath.Join(dir, "links.csv"), "--train", "--save-model", again)
	require.NoError(t, err)
	other, err = loadModel(again)
	require.NoError(t, err)
	require.Regexp(t, `^`+built.Version+`\+[0-9a-f]{8}$`, other.Version)
	require.NotEqual(t, trained.Version, other.Version)
}

// What a new model would move is told, and nothing is written.
func TestIdentityDiff(t *testing.T) {
	dir := t.TempDir()
	records, strict := filepath.Join(dir, "records.csv"), filepath.Join(dir, "strict.yaml")
	require.NoError(t, os.WriteFile(records, []byte(identityRecords), 0o600))
	m, err := linkage.Default("city")
	require.NoError(t, err)
	m.Version, m.Thresholds.Link = "strict-1", 60
	text, err := m.Marshal()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(strict, text, 0o600))
	before, err := os.ReadDir(dir)
	require.NoError(t, err)
	out, err := hopluuIdentity(t, "diff", "city", strict, "--input", records)
	require.NoError(t, err)
	require.Contains(t, out, "4 of 4 records would move: 0 times clusters merge, 2 split, 0 regroup")
	require.Contains(t, out, "split: {")
	out, err = hopluuIdentity(t, "diff", strict, "city", "--input", records, "--json", "--samples", "1")
	require.NoError(t, err)
	var d linkage.Difference
	require.NoError(t, json.Unmarshal([]byte(out), &d))
	require.Equal(t, 2, d.Merged)
	require.Equal(t, int64(2), d.LinksGained)
	require.Len(t, d.Samples, 1)
	require.NotNil(t, d.Samples[0].Deciding)
	after, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, after, len(before), "nothing is written")
}

func TestIdentityErrorsAreOneLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	records := write("records.csv", identityRecords)
	links := filepath.Join(dir, "links.csv")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"link", "--model", "city"}, "needs --model, --input and --output"},
		{[]string{"link", "--model", "town", "--input", records, "--output", links}, `there is no model "town": use a file, or one of city, febrl`},
		{[]string{"link", "--model", "febrl", "--input", records, "--output", links}, "the model has no weights: train it, with --train"},
		{[]string{"link", "--model", "city", "--input", filepath.Join(dir, "none.csv"), "--output", links}, "none.csv"},
		{[]string{"link", "--model", "city", "--input", records, "--input", records, "--output", links}, "both named records"},
		{[]string{"link", "--model", "city", "--input", write("broken.csv", identityRecords+"5,tax\n"), "--output", links}, "broken.csv: line 6 of broken has another number of fields than the header: 2, not 11"},
		{[]string{"link", "--model", "city", "--input", write("twice.csv", identityRecords+"4,tax,,,,,,,,,\n"), "--output", links}, `tax has the id "4" twice`},
		{[]string{"link", "--model", "city", "--input", write("empty.csv", ""), "--output", links}, "empty is empty"},
		{[]string{"link", "--model", "city", "--input", write("few.csv", "record_id,cccd\n1,2\n2,3\n"), "--output", links}, "column cmnd is in no file"},
		{[]string{"link", "--model", "city", "--input", records, "--output", links, "--review", "99"}, "above the link threshold"},
		{[]string{"link", "--model", "city", "--input", records, "--output", links, "--save-model", links}, "give both"},
		{[]string{"link", "--model", "city", "--input", dir, "--output", links}, "is a folder"},
		{[]string{"link", "--model", "city", "--input", records, "--output", filepath.Join(dir, "no", "links.csv")}, "there is no folder"},
		{[]string{"link", "--model", "city", "--input", records, "--output", records}, "would be lost"},
		{[]string{"link", "--model", "city", "--input", records, "--output", links, "--clusters", dir + "/./records.csv"}, "would be lost"},
		{[]string{"link", "--model", "city", "--input", records, "--output", links, "--clusters", dir + "/./links.csv"}, "is named for two outputs"},
		{[]string{"link", "--model", "city", "--input", records, "--train", "--output", links, "--save-model", records}, "would be lost"},
		{[]string{"link", "--model", "city", "--input", records, "--output", "/dev/null"}, "no file that can be written whole"},
		{[]string{"link", "--model", write("unknown.yaml", "version: x\nid: [id]\ncolour: red\n"), "--input", records, "--output", links}, "unknown.yaml: model: line 3: there is no key \"colour\" here"},
		{[]string{"link", "--model", write("broken.yaml", "version: [x\n"), "--input", records, "--output", links}, "broken.yaml: model: line 1"},
		{[]string{"diff", "city"}, "needs two models"},
		{[]string{"diff", "city", "city"}, "needs --input"},
		{[]string{"diff", "city", "febrl", "--input", records}, "febrl: the model has no weights"},
		{[]string{"diff", "city", "city", "--input", records, "--samples", "-1"}, "give 0 or more"},
		{[]string{"evaluate", "--links", links}, "needs --links and --truth"},
		{[]string{"explain", "--model", "city", "--input", records, "1"}, "needs two records"},
		{[]string{"explain", "--model", "city", "--input", records, "1", "9"}, `no file has a record "9"`},
		{[]string{"explain", "--model", "city", "--input", records, "1", "1"}, "same record"},
	} {
		_, err := hopluuIdentity(t, c.args...)
		require.ErrorContains(t, err, c.want, "%v", c.args)
		require.NotContains(t, err.Error(), "\n")
		require.NoFileExists(t, links)
		text, err := os.ReadFile(records)
		require.NoError(t, err)
		require.Equal(t, identityRecords, string(text), "%v", c.args)
	}
}
