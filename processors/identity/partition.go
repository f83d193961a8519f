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

// PartitionHash hashes the partition as Solve last decided it: the sum, in four
// words, of a hash of every record with its person, so that no order counts.
func (s *State) PartitionHash() Partition {
	var sum [4]uint64
	var buf []byte
	for i := int32(1); i < s.nodes.used; i++ {
		n := s.nodes.at(i)
		if !n.alive || !n.solved {
			continue
		}
		buf = append(append(buf[:0], n.person[:]...), n.record.ID...)
		hash := sha256.Sum256(buf)
		for w := range sum {
			sum[w] += binary.BigEndian.Uint64(hash[8*w:])
		}
	}
	var p Partition
	for w := range sum {
		binary.BigEndian.PutUint64(p[8*w:], sum[w])
	}
	return p
}
