package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeySize is the length of a key's secret in bytes.
const KeySize = 32

// mark is the first byte of a sealed value.
const mark = 1

// Key is a secret and its version, which each value carries.
type Key struct {
	Version uint8 // from 1
	Secret  []byte
}

// Ring seals under its first key, and opens what any of its keys sealed. It may
// be used by many goroutines; nil seals nothing and opens what is not sealed.
type Ring struct {
	version uint8
	keys    map[uint8]cipher.AEAD
}

// New makes a ring of the key in force and those before it.
func New(now Key, old ...Key) (*Ring, error) {
	r := &Ring{version: now.Version, keys: map[uint8]cipher.AEAD{}}
	for _, k := range append([]Key{now}, old...) {
		switch {
		case k.Version == 0:
			return nil, errors.New("vault key: the version is 0; number keys from 1")
		case len(k.Secret) != KeySize:
			return nil, fmt.Errorf("vault key %d: the secret has %d bytes, give %d random ones", k.Version, len(k.Secret), KeySize)
		case r.keys[k.Version] != nil:
			return nil, fmt.Errorf("vault key %d is there twice: number each key once", k.Version)
		}
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("vault key %d: %w", k.Version, err)
		}
		if r.keys[k.Version], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("vault key %d: %w", k.Version, err)
		}
	}
	return r, nil
}

// Seals tells whether there is a key.
func (r *Ring) Seals() bool { return r != nil }

// Append writes a value sealed for its place. Without a ring it is written as it
// is.
func (r *Ring) Append(dst, value []byte, topic string, key []byte) []byte {
	if r == nil {
		return append(dst, value...)
	}
	dst = append(dst, mark, r.version)
	return r.keys[r.version].Seal(dst, nil, value, place(topic, key))
}

// Open gives the value that was sealed for a place; one that is not sealed is
// given as it is.
func (r *Ring) Open(value []byte, topic string, key []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != mark {
		return value, nil
	}
	if r == nil {
		return nil, fmt.Errorf("the value is sealed with key %d of the vault, and there is none here: set vault.key_file", value[1])
	}
	k := r.keys[value[1]]
	if k == nil {
		return nil, fmt.Errorf("the value is sealed with key %d of the vault, which is not here: add it to vault.old", value[1])
	}
	plain, err := k.Open(nil, nil, value[2:], place(topic, key))
	if err != nil {
		return nil, fmt.Errorf("the value cannot be opened with key %d of the vault: it was changed or moved, or the key is another one of this number", value[1])
	}
	return plain, nil
}

// place is what is authenticated with a value.
func place(topic string, key []byte) []byte {
	return append(append([]byte(topic), 0), key...)
}
