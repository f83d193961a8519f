package file

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/schemas/token"
)

// P11: under another key of tokens the files that are there are taken in again, and
// each row that still stands as its file has it comes to have the new key's tokens;
// what a later file changed or removed stays so. The key of a row names its record,
// and stays. Other keys than those of before are refused.
func TestP11FilesMoveToAnotherKey(t *testing.T) {
	r := newRig(t).full("household")
	r.drop("household_1.csv", "code,category\nA,poor\nB,poor\n")
	r.drop("household_2.csv", "code,category\nA,poor\n")
	r.drop("member_1.csv", "cccd,full_name,phone\n079201001234,Bưởi,0903000111\n079301005678,Đạt,0903000222\n079301009999,Mai,0903000333\n")
	r.drop("member_2.csv", "cccd,full_name,phone\n079301005678,Đạt,0903000999\n")
	stop := r.start()
	r.done("household", "taken", 2)
	r.done("member", "taken", 2)
	require.NoError(t, stop())
	names := func(ops ...string) map[string]string {
		all := map[string]string{}
		for i, number := range []string{"079201001234", "079301005678", "079301009999"} {
			all[string(r.config.Records.Append(nil, "cccd", []byte(number)))] = ops[i]
		}
		return all
	}
	require.Equal(t, names("c", "cu", "c"), history(r.messages(r.public("member")), "cccd"))

	refused := func(why string, change func(*file.Config)) {
		t.Helper()
		config := r.config
		config.Metrics = prometheus.NewRegistry()
		change(&config)
		require.ErrorContains(t, file.New(config).Run(t.Context()), why)
	}
	keyOf := func(of func(token.Key) (*token.Tokenizer, error), version uint8, secret string) *token.Tokenizer {
		tokens, err := of(token.Key{Version: version, Secret: []byte(strings.Repeat(secret, 32))})
		require.NoError(t, err)
		return tokens
	}
	refused("the token key (tokens.key_file) is not the one of version 1", func(c *file.Config) { c.Tokens = keyOf(token.New, 1, "x") })
	refused("take the files in under another source name", func(c *file.Config) { c.Records = keyOf(token.NewRecord, 1, "x") })
	refused("tokens.record_key_file", func(c *file.Config) { c.Records = nil })

	reread := func() {
		t.Helper()
		files, err := file.Reread(t.Context(), r.config, "public.household", "public.member")
		require.NoError(t, err)
		require.Equal(t, 4, files)
	}
	old := r.config.Tokens
	r.config.Tokens = keyOf(token.New, 2, "n")
	reread()
	stop = r.start()
	r.done("member", "repeated", 2) // which rows still stand cannot be told
	r.done("household", "repeated", 2)
	require.NoError(t, stop())
	require.Contains(t, r.logged.String(), "is not under tokens.old")
	require.Equal(t, names("c", "cu", "c"), history(r.messages(r.public("member")), "cccd"))

	r.config.OldTokens = []*token.Tokenizer{old}
	reread()
	stop = r.start()
	r.done("member", "taken", 2)
	r.done("household", "taken", 2)
	require.NoError(t, stop())
	require.Equal(t, names("cu", "cuu", "cu"), history(r.messages(r.public("member")), "cccd"))
	require.Equal(t, map[string]string{"A": "ru", "B": "rd-"}, history(r.messages(r.public("household")), "code"), "what is gone does not come back")
	for name, phone := range map[string]string{"Bưởi": "0903000111", "Đạt": "0903000999", "Mai": "0903000333"} {
		require.Equal(t, string(r.config.Tokens.Append(nil, "phone", []byte(phone))), last(t, r.messages(r.public("member")), "full_name", name).Row["phone"])
	}

	// What is known of the rows is so under the new key: the same list changes nothing.
	r.drop("member_3.csv", "cccd,full_name,phone\n079201001234,Bưởi,0903000111\n079301005678,Đạt,0903000999\n")
	stop = r.start()
	r.done("member", "taken", 1)
	require.NoError(t, stop())
	require.Equal(t, names("cu", "cuu", "cu"), history(r.messages(r.public("member")), "cccd"))
	refused("tokens.version is 1", func(c *file.Config) { c.Tokens, c.OldTokens = old, nil })
}
