package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/csv"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden file")

func key() Key { return Key{Version: 1, Secret: []byte("0123456789abcdef0123456789abcdef")} }

func tokenizer(t testing.TB, k Key) *Tokenizer {
	tok, err := New(k)
	require.NoError(t, err)
	return tok
}

// The known answers. A change of any of them would part every table from its
// own past.
func TestKnownAnswers(t *testing.T) {
	const path = "testdata/tokens.csv"
	tok := tokenizer(t, key())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 10)
	if *update {
		for i, row := range rows[1:] {
			rows[i+1][2] = string(tok.Append(nil, row[0], []byte(row[1])))
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		require.NoError(t, w.WriteAll(rows))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	for _, row := range rows[1:] {
		require.Equal(t, row[2], string(tok.Append(nil, row[0], []byte(row[1]))), "%s %q", row[0], row[1])
		require.Equal(t, row[2], string(tok.Clone().Append([]byte(nil), row[0], []byte(row[1]))))
	}
}

// The token is what its documentation says, computed here a second time.
func TestTokenIsTruncatedHMAC(t *testing.T) {
	mac := hmac.New(sha256.New, key().Secret)
	mac.Write([]byte("insurance\x00DN4010123456789"))
	want := "t1_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16]))
	got := tokenizer(t, key()).Append([]byte("x"), "insurance", []byte("dn 4.01-0123456789"))
	require.Equal(t, "x"+want, string(got))
	require.Len(t, want, 3+26)
}

func TestEqualOnlyWhenTheyShouldBe(t *testing.T) {
	tok := tokenizer(t, key())
	of := func(domain, plain string) string { return string(tok.Append(nil, domain, []byte(plain))) }
	require.Equal(t, of("cccd", "001234567890"), of("cccd", " 001 234-567.890\u00a0"))
	require.Equal(t, of("phone", "0901 234 567"), of("phone", "0901–234–567"), "an en dash is a dash")
	require.NotEqual(t, of("cccd", "001234567890"), of("cmnd", "001234567890"), "domains are apart")
	require.NotEqual(t, of("name", "a b"), of("name", "ab"), "other domains are as they are")
	require.NotEqual(t, of("cccd", "\xff"), of("cccd", "\uFFFD"))
	for _, blank := range []string{"", " ", " -.- ", "\u2014"} {
		require.Empty(t, of("cccd", blank), "%q", blank)
	}
	second := key()
	second.Version = 2
	other := string(tokenizer(t, second).Append(nil, "cccd", []byte("1")))
	require.True(t, strings.HasPrefix(other, "t2_"))
}

// P11: neither the identifier nor a part of it is in its token.
func TestPlaintextIsNotInTheToken(t *testing.T) {
	tok := tokenizer(t, key())
	require.NotContains(t, string(tok.Append(nil, "cccd", []byte("2345"))), "2345")
}

func TestNewRefusesWeakKeys(t *testing.T) {
	for _, k := range []Key{{}, {Version: 1}, {Version: 1, Secret: make([]byte, 31)}, {Secret: make([]byte, 32)}} {
		_, err := New(k)
		require.ErrorContains(t, err, "token key")
	}
}

// A key of records makes tokens of its own kind, and a fingerprint says which key
// it is and nothing of it (P11).
func TestRecordKeyAndFingerprints(t *testing.T) {
	tokens := tokenizer(t, key())
	records, err := NewRecord(key())
	require.NoError(t, err)
	require.Equal(t, "t1", tokens.Name())
	require.Equal(t, "k1", records.Name())
	one := string(tokens.Append(nil, "cccd", []byte("1")))
	require.Equal(t, "k"+one[1:], string(records.Append(nil, "cccd", []byte(" 1"))), "one domain, one canonical form")
	require.Equal(t, "k1", records.Clone().Name())
	require.Nil(t, (*Tokenizer)(nil).Clone())
	_, err = NewRecord(Key{Version: 1})
	require.ErrorContains(t, err, "record key: the secret has 0 bytes")

	require.Equal(t, tokens.Fingerprint(), tokenizer(t, key()).Fingerprint())
	other := key()
	other.Secret[0]++
	require.NotEqual(t, tokens.Fingerprint(), tokenizer(t, other).Fingerprint())
	require.NotEqual(t, tokens.Fingerprint(), records.Fingerprint())
	require.NotContains(t, tokens.Fingerprint(), string(key().Secret[:4]))
}

func TestSecretIsCopied(t *testing.T) {
	k := key()
	tok := tokenizer(t, k)
	want := tok.Append(nil, "cccd", []byte("1"))
	clear(k.Secret)
	require.Equal(t, want, tok.Clone().Append(nil, "cccd", []byte("1")))
}

func TestNoAllocationOnceWarm(t *testing.T) {
	tok := tokenizer(t, key())
	plain, dst := []byte("001 234 567 890"), make([]byte, 0, 64)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst = tok.Append(dst[:0], "cccd", plain) }))
}

// The canonical form of a canonical form is itself, so that a source that
// already cleans its numbers joins with one that does not.
func FuzzCanonicalIsStable(f *testing.F) {
	for _, s := range []string{"", "001 234", "dn-4.01", "ß", "ǆ", "\xff\xc3", "\u00a0\u2014", "ﬀ"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		once := AppendCanonical(nil, "cccd", plain)
		require.Equal(t, string(once), string(AppendCanonical(nil, "cccd", once)))
	})
}

func BenchmarkAppend(b *testing.B) {
	tok := tokenizer(b, key())
	plain, dst := []byte("001234567890"), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		dst = tok.Append(dst[:0], "cccd", plain)
	}
}
