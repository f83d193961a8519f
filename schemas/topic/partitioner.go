package topic

import "encoding/binary"

// PartitionFor is the partition of a key among n, chosen as Java's default
// partitioner does: murmur2 of the key, its sign bit cleared, modulo n
// (org.apache.kafka.clients.producer.internals.BuiltInPartitioner). A nil key
// goes to partition 0.
func PartitionFor(key []byte, n int32) int32 {
	if key == nil || n <= 1 {
		return 0
	}
	return int32(murmur2(key)&0x7fffffff) % n
}

// murmur2 is Austin Appleby's MurmurHash2 with the seed that Kafka uses
// (org.apache.kafka.common.utils.Utils.murmur2).
func murmur2(b []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>r) * m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
