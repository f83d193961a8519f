package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"hash"
	"strconv"
)

// MinSecret is the least length of a key's secret, in bytes: that of the hash,
// as RFC 2104 (https://www.rfc-editor.org/rfc/rfc2104#section-3) asks.
const MinSecret = sha256.Size

// size is how many bytes of the HMAC a token keeps: 128 bits, written in 26
// characters.
const size = 16

// encoding is RFC 4648's base32 in lower case: letters and digits only, so
// that a token is a word to every tool that meets it.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Key is the secret that tokens are made with, and its version, which each
// token carries, so that tokens of two keys never meet unnoticed.
type Key struct {
	Version uint8 // from 1
	Secret  []byte
}

// Tokenizer makes tokens. It has scratch space: one goroutine at a time, each
// with a Clone of its own.
type Tokenizer struct {
	key    Key
	prefix []byte // "t<version>_" or "k<version>_"
	mac    hash.Hash
	buf    []byte // canonical form, then the sum
}

// New makes a Tokenizer of a key that is in force for a time: its tokens begin
// with "t". It copies the secret.
func New(k Key) (*Tokenizer, error) { return newTokenizer(k, 't', "token key") }

// NewRecord makes a Tokenizer of the key that records are named with: the tokens
// begin with "k". A rotation of the other keys leaves them, and with them the
// names of records, as they are. It copies the secret.
func NewRecord(k Key) (*Tokenizer, error) { return newTokenizer(k, 'k', "record key") }

func newTokenizer(k Key, letter byte, name string) (*Tokenizer, error) {
	if k.Version == 0 {
		return nil, fmt.Errorf("%s: the version is 0; number keys from 1", name)
	}
	if len(k.Secret) < MinSecret {
		return nil, fmt.Errorf("%s: the secret has %d bytes, give at least %d random ones", name, len(k.Secret), MinSecret)
	}
	k.Secret = append([]byte(nil), k.Secret...)
	prefix := append(strconv.AppendUint([]byte{letter}, uint64(k.Version), 10), '_')
	return &Tokenizer{key: k, prefix: prefix, mac: hmac.New(sha256.New, k.Secret)}, nil
}

// Clone gives a Tokenizer of the same key for another goroutine; of nil, nil.
func (t *Tokenizer) Clone() *Tokenizer {
	if t == nil {
		return nil
	}
	return &Tokenizer{key: t.key, prefix: t.prefix, mac: hmac.New(sha256.New, t.key.Secret)}
}

// Version is that of the key.
func (t *Tokenizer) Version() uint8 { return t.key.Version }

// Name is what its tokens begin with, before the "_": "t2", or "k1" of a key of
// records.
func (t *Tokenizer) Name() string { return string(t.prefix[:len(t.prefix)-1]) }

// fingerprintDomain is no column's: those have letters, digits and _ only.
const fingerprintDomain = "hopluu.key"

// Fingerprint tells one key from another without saying anything of it: a token
// of a constant. Equal keys of one version and kind have equal fingerprints.
func (t *Tokenizer) Fingerprint() string {
	return string(t.Append(nil, fingerprintDomain, []byte("fingerprint")))
}

// Append writes the token of an identifier: "t", the key's version, "_", and
// the first 128 bits of HMAC-SHA256(domain, 0x00, canonical form) in base32.
// The domain ("cccd", "phone") keeps equal digits of two kinds apart. What is
// empty, or is in its canonical form, gives nothing: blanks and dashes that
// people type for "none" must not become one identity.
func (t *Tokenizer) Append(dst []byte, domain string, plain []byte) []byte {
	t.buf = append(append(t.buf[:0], domain...), 0)
	head := len(t.buf)
	t.buf = AppendCanonical(t.buf, domain, plain)
	if len(t.buf) == head {
		return dst
	}
	t.mac.Reset()
	t.mac.Write(t.buf) // a hash.Hash never returns an error
	t.buf = t.mac.Sum(t.buf[:0])
	dst = append(dst, t.prefix...)
	return encoding.AppendEncode(dst, t.buf[:size])
}
