package topic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// fetchRequest asks one leader for the records of many partitions, read
// committed, and takes its answer raw.
//
// kafka-go's own fetch gives records without the batches' last offsets: after
// compaction has emptied a batch, nothing in it says where to go on. So the
// answer is read here, batch by batch (https://kafka.apache.org/protocol#The_Messages_Fetch).
type fetchRequest struct {
	clientID   string
	leader     int32
	version    int16
	maxWaitMs  int32
	maxBytes   int32
	partitions []fetchPosition // those of one topic stand together
}

type fetchPosition struct {
	Partition
	offset   int64
	maxBytes int32
}

func (r *fetchRequest) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker sends the request to the leader it was made for.
func (r *fetchRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	b, ok := cluster.Brokers[r.leader]
	if !ok {
		return b, fmt.Errorf("broker %d: %w", r.leader, protocol.ErrNoLeader)
	}
	return b, nil
}

func (r *fetchRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// The versions of the fetch request that are spoken here; 4 is the first with
// transactions, 11 the last before the protocol's flexible form.
const (
	minFetchVersion = 4
	maxFetchVersion = 11
)

// maxAnswer bounds the bytes of one answer: a broker sends at least one batch
// whatever its size, and little more than was asked for.
const maxAnswer = 512 << 20

func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if r.version < minFetchVersion {
		return nil, fmt.Errorf("the broker speaks fetch version %d only; Kafka 0.11 or later is needed", r.version)
	}
	r.version = min(r.version, maxFetchVersion)
	if _, err := rw.Write(r.appendTo(nil)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 0 || size > maxAnswer {
		return nil, fmt.Errorf("the broker's answer to a fetch has %d bytes: is there TLS on this port, or something else than Kafka?", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, err
	}
	return parseFetch(r.version, body)
}

// appendTo appends the request as it goes over the wire.
func (r *fetchRequest) appendTo(dst []byte) []byte {
	be := binary.BigEndian
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0) // the length
	dst = be.AppendUint16(dst, uint16(protocol.Fetch))
	dst = be.AppendUint16(dst, uint16(r.version))
	dst = be.AppendUint32(dst, rawCorrelation)
	dst = appendString(dst, r.clientID)

	dst = be.AppendUint32(dst, 0xffffffff) // replica: -1, a consumer
	dst = be.AppendUint32(dst, uint32(r.maxWaitMs))
	dst = be.AppendUint32(dst, 1) // answer as soon as there is a byte
	dst = be.AppendUint32(dst, uint32(r.maxBytes))
	dst = append(dst, readCommitted)
	if r.version >= 7 {
		dst = be.AppendUint32(dst, 0)          // no session
		dst = be.AppendUint32(dst, 0xffffffff) // and none to be made
	}
	topics := 0
	for i, p := range r.partitions {
		if i == 0 || p.Topic != r.partitions[i-1].Topic {
			topics++
		}
	}
	dst = be.AppendUint32(dst, uint32(topics))
	for i := 0; i < len(r.partitions); {
		j := i + 1
		for j < len(r.partitions) && r.partitions[j].Topic == r.partitions[i].Topic {
			j++
		}
		dst = appendString(dst, r.partitions[i].Topic)
		dst = be.AppendUint32(dst, uint32(j-i))
		for _, p := range r.partitions[i:j] {
			dst = be.AppendUint32(dst, uint32(p.ID))
			if r.version >= 9 {
				dst = be.AppendUint32(dst, 0xffffffff) // leader epoch: unknown
			}
			dst = be.AppendUint64(dst, uint64(p.offset))
			if r.version >= 5 {
				dst = be.AppendUint64(dst, 0xffffffffffffffff) // log start: a follower's
			}
			dst = be.AppendUint32(dst, uint32(p.maxBytes))
		}
		i = j
	}
	if r.version >= 7 {
		dst = be.AppendUint32(dst, 0) // nothing to forget
	}
	if r.version >= 11 {
		dst = appendString(dst, "") // no rack
	}
	be.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// fetchAnswer is what a leader answers.
type fetchAnswer struct {
	errorCode  int16
	partitions []fetchedPartition
}

func (*fetchAnswer) ApiKey() protocol.ApiKey { return protocol.Fetch }

type fetchedPartition struct {
	Partition
	errorCode int16
	stable    int64 // last stable offset
	aborted   []abortedTransaction
	batches   []byte // aliases the answer
}

// abortedTransaction is one whose records may be among the batches: those of
// its producer from firstOffset on, up to its abort marker.
type abortedTransaction struct {
	producerID  int64
	firstOffset int64
}

var errShortFetch = errors.New("the broker's answer to a fetch ends early")

// parseFetch reads the body of an answer, from its correlation id on.
func parseFetch(version int16, body []byte) (*fetchAnswer, error) {
	w := wire{b: body}
	a := new(fetchAnswer)
	if id := w.int32(); w.err == nil && id != rawCorrelation {
		return nil, fmt.Errorf("the broker answers request %d, not %d", id, rawCorrelation)
	}
	w.int32() // throttle time: the broker has waited already
	if version >= 7 {
		a.errorCode = w.int16()
		w.int32() // session
	}
	for range w.count(6) { // a topic takes 6 bytes at least
		topic := w.string()
		for range w.count(26) { // and a partition 26
			p := fetchedPartition{Partition: Partition{Topic: topic, ID: w.int32()}}
			p.errorCode = w.int16()
			w.int64() // high watermark
			p.stable = w.int64()
			if version >= 5 {
				w.int64() // log start
			}
			n := w.count(16)
			if n > 0 {
				p.aborted = make([]abortedTransaction, n)
			}
			for i := range p.aborted {
				p.aborted[i] = abortedTransaction{producerID: w.int64(), firstOffset: w.int64()}
			}
			if version >= 11 {
				w.int32() // a replica nearer to our rack: we gave none
			}
			p.batches = w.bytes()
			if w.err != nil {
				return nil, w.err
			}
			a.partitions = append(a.partitions, p)
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	return a, nil
}

// wire reads the protocol's plain types; after an error it gives zero values.
type wire struct {
	b   []byte
	err error
}

func (w *wire) take(n int) []byte {
	if w.err != nil || n < 0 || n > len(w.b) {
		w.err = errShortFetch
		return nil
	}
	b := w.b[:n:n]
	w.b = w.b[n:]
	return b
}

func (w *wire) int16() int16 {
	if b := w.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (w *wire) int32() int32 {
	if b := w.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (w *wire) int64() int64 {
	if b := w.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (w *wire) string() string { return string(w.take(int(w.int16()))) }

// bytes reads a nullable byte string.
func (w *wire) bytes() []byte {
	n := w.int32()
	if n <= 0 {
		return nil
	}
	return w.take(int(n))
}

// count reads the length of a nullable array whose elements take size bytes at
// least: no answer makes us allocate more than it holds.
func (w *wire) count(size int) int {
	n := int(w.int32())
	if n < 0 {
		return 0
	}
	if n > len(w.b)/size {
		w.err = errShortFetch
		return 0
	}
	return n
}

var (
	_ protocol.BrokerMessage = (*fetchRequest)(nil)
	_ protocol.RawExchanger  = (*fetchRequest)(nil)
)
