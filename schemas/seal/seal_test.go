package seal

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func key(version uint8) Key {
	return Key{Version: version, Secret: bytes.Repeat([]byte{version}, KeySize)}
}

// P11: what is sealed shows nothing of the value, opens in its place alone, under
// any key of the ring, and what was never sealed is still read.
func TestP11SealedInItsPlace(t *testing.T) {
	old, err := New(key(1))
	require.NoError(t, err)
	now, err := New(key(2), key(1))
	require.NoError(t, err)
	value := append([]byte{0, 0, 0, 0, 7}, "079085001234 Nguyễn Văn An"...)
	for _, r := range []*Ring{old, now} {
		sealed := r.Append([]byte("before"), value, "vault.x", []byte("k"))[6:]
		require.NotContains(t, string(sealed), "079085")
		require.NotContains(t, string(sealed), "Nguy")
		require.NotEqual(t, sealed, r.Append(nil, value, "vault.x", []byte("k")), "nonces differ")
		opened, err := now.Open(sealed, "vault.x", []byte("k"))
		require.NoError(t, err)
		require.Equal(t, value, opened)
		for _, place := range [][2]string{{"vault.y", "k"}, {"vault.x", "l"}, {"vault.x", ""}} {
			_, err := now.Open(sealed, place[0], []byte(place[1]))
			require.ErrorContains(t, err, "changed or moved")
		}
		sealed[len(sealed)-1] ^= 1
		_, err = now.Open(sealed, "vault.x", []byte("k"))
		require.Error(t, err)
	}
	_, err = old.Open(now.Append(nil, value, "t", nil), "t", nil)
	require.ErrorContains(t, err, "add it to vault.old")
	var none *Ring
	_, err = none.Open(now.Append(nil, value, "t", nil), "t", nil)
	require.ErrorContains(t, err, "set vault.key_file")
	require.Equal(t, value, none.Append(nil, value, "t", nil))
	for _, r := range []*Ring{none, now} {
		plain, err := r.Open(value, "t", nil)
		require.NoError(t, err)
		require.Equal(t, value, plain)
		plain, err = r.Open(nil, "t", nil)
		require.NoError(t, err)
		require.Nil(t, plain, "a tombstone")
	}
}

func TestRefusesBadKeys(t *testing.T) {
	for _, c := range [][]Key{{{}}, {{Version: 1}}, {{Version: 1, Secret: make([]byte, 31)}}, {key(0)}, {key(1), key(1)}} {
		_, err := New(c[0], c[1:]...)
		require.ErrorContains(t, err, "vault key")
	}
}
