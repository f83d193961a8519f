package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Partition is a hash of which records are one person. It is published so that
// two processes, or a replay, can be held against one another (P9).
type Partition [32]byte

// String writes the hash in hexadecimal digits.
func (p Partition) String() string { return hex.EncodeToString(p[:]) }

// PartitionHasher makes a Partition: the sum, in four words, of a hash of every
// record with its person, so that no order counts.
type PartitionHasher struct {
	sum [4]uint64
	buf []byte
}

// Add takes one record and its person.
func (h *PartitionHasher) Add(person PersonID, record string) {
	h.buf = append(append(h.buf[:0], person[:]...), record...)
	hash := sha256.Sum256(h.buf)
	for w := range h.sum {
		h.sum[w] += binary.BigEndian.Uint64(hash[8*w:])
	}
}

// Sum gives the hash of what was added.
func (h *PartitionHasher) Sum() (p Partition) {
	for w := range h.sum {
		binary.BigEndian.PutUint64(p[8*w:], h.sum[w])
	}
	return p
}
