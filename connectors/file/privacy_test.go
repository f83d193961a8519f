package file

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/file/column"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/stretchr/testify/require"
)

// P11: what the owner keeps back is in neither lane, as of a database.
func TestPrivacyOfFiles(t *testing.T) {
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(t, err)
	described := sectors.Table{Name: "t", Schema: "public", Key: []string{"card"}, Columns: []sectors.Column{
		{Name: "secret", Type: "text", Privacy: sectors.Drop}, {Name: "card", Type: "text", Identifier: sectors.Insurance, Privacy: sectors.TokenOnly},
		{Name: "born", Type: "date", Privacy: sectors.Mask}, {Name: "salary", Type: "numeric(12,0)", Privacy: sectors.Mask},
		{Name: "plate", Type: "text", Privacy: sectors.TokenOnly, Domain: "plate"}, {Name: "cccd", Type: "text", Identifier: sectors.CCCD, Match: sectors.CCCD},
	}}
	columns, err := column.New(described, nil)
	require.NoError(t, err)
	_, _, err = fields(columns, &described, tokens, nil)
	require.ErrorContains(t, err, "tokens.record_key_file", "its key is an identifier")
	records, err := token.NewRecord(token.Key{Version: 1, Secret: []byte(strings.Repeat("r", 32))})
	require.NoError(t, err)
	public, vault, err := fields(columns, &described, tokens, records)
	require.NoError(t, err)
	written := map[string]string{}
	for _, f := range public {
		text := map[string]string{"born": "1984-05-06"}[f.Name]
		if text == "" {
			text = "7654321"
		}
		bytes, err := f.Append(nil, []byte(text))
		require.NoError(t, err)
		require.NotContains(t, string(bytes), "7654321", f.Name)
		written[f.Name] = string(bytes)
	}
	require.Len(t, written, 5)
	require.NotContains(t, written, "secret")
	require.Contains(t, written["salary"], "***")
	require.Contains(t, written["plate"], "t1_")
	require.Contains(t, written["card"], "k1_", "the key names the record")
	born, err := columns.Columns[2].Codec().Append(nil, []byte("1984-01-01"))
	require.NoError(t, err)
	require.Equal(t, string(born), written["born"])
	var names []string
	for _, f := range vault {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"card", "cccd"}, names, "no card_plain, and nothing that is masked")

	described.Where = "level > 3"
	_, err = column.New(described, nil)
	require.ErrorContains(t, err, "where in its sector file is a condition for a database")
	described.Where = ""
	_, err = column.New(described, []string{"born"})
	require.ErrorContains(t, err, "key column born has privacy mask")
}
