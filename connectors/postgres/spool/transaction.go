package spool

import (
	"encoding/binary"
	"errors"
)

// Frame is one message of a transaction.
type Frame struct {
	// Arrival is the place of the message in the whole stream, by which
	// descriptions of a table that came in different transactions are ordered.
	Arrival uint64
	// Data is the message as a transaction that is sent whole would have it.
	Data []byte
}

// transaction is what is kept of one transaction: blocks of records, the older
// ones in the file, and which of its subtransactions were rolled back. It
// decides and does no I/O of its own.
type transaction struct {
	xid     uint32
	blocks  [][]byte // in memory, oldest first; the last one has room
	memory  int      // capacity of the blocks
	arrival uint64   // of the last record
	aborted xidSet
	file    *file // nil while all is in memory
}

// recordHead is the most that a record takes besides its frame.
const recordHead = 3 * binary.MaxVarintLen64

// appendRecord writes a record: the subtransaction as its distance from the
// transaction, which is before it, the arrival as its distance from the last
// one, and the frame with its length.
func (t *transaction) appendRecord(block []byte, subxid uint32, f Frame) []byte {
	block = binary.AppendUvarint(block, uint64(subxid-t.xid))
	block = binary.AppendUvarint(block, f.Arrival-t.arrival)
	block = binary.AppendUvarint(block, uint64(len(f.Data)))
	t.arrival = f.Arrival
	return append(block, f.Data...)
}

var errRecord = errors.New("a block of the spool is not what was written")

// walk reads records and hands on those whose subtransaction was not rolled
// back, until yield gives false. The frames alias the block.
func (t *transaction) walk(block []byte, arrival *uint64, yield func(Frame) bool) (more bool, err error) {
	var head [3]uint64
	for len(block) > 0 {
		for i := range head {
			v, n := binary.Uvarint(block)
			if n <= 0 {
				return false, errRecord
			}
			head[i], block = v, block[n:]
		}
		size := head[2]
		if size > uint64(len(block)) {
			return false, errRecord
		}
		*arrival += head[1]
		frame := Frame{Arrival: *arrival, Data: block[:size:size]}
		block = block[size:]
		if !t.aborted.has(t.xid+uint32(head[0])) && !yield(frame) {
			return false, nil
		}
	}
	return true, nil
}
