package event

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// LSN is a log sequence number: a byte position in PostgreSQL's write-ahead
// log (https://www.postgresql.org/docs/current/datatype-pg-lsn.html).
type LSN uint64

// String writes the LSN as PostgreSQL does: two hexadecimal halves, "16/B374D848".
func (l LSN) String() string {
	return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l))
}

// ParseLSN reads what String and PostgreSQL write.
func ParseLSN(s string) (LSN, error) {
	hi, lo, ok := strings.Cut(s, "/")
	if !ok {
		return 0, fmt.Errorf("LSN %q has no slash", s)
	}
	h, err := strconv.ParseUint(hi, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("LSN %q: the first half is not a 32-bit hexadecimal number", s)
	}
	l, err := strconv.ParseUint(lo, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("LSN %q: the second half is not a 32-bit hexadecimal number", s)
	}
	return LSN(h<<32 | l), nil
}

// Position orders all events of one source (P6). It comes from the source
// alone, never from a clock, so that an event that is delivered again has the
// position it had.
type Position struct {
	// Epoch is the source epoch: raised when the system id or the timeline
	// changed, a backup was restored, or the slot was made anew.
	Epoch uint32
	// LSN is the position of the transaction's commit; for a snapshot row the
	// consistent point of its snapshot.
	LSN LSN
	// Ordinal is the event's place in its transaction, from 1; 0 for snapshot
	// rows, so that a snapshot orders before the changes that follow it (P5).
	Ordinal uint32
}

// Compare orders positions: negative when p is before q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, q.Epoch), cmp.Compare(p.LSN, q.LSN), cmp.Compare(p.Ordinal, q.Ordinal))
}

// Version packs the position into the two halves of an unsigned 128-bit
// number that orders as the positions do: 32 bits epoch, 64 bits LSN, 32 bits
// ordinal, the most significant first.
func (p Position) Version() (hi, lo uint64) {
	hi = uint64(p.Epoch)<<32 | uint64(p.LSN)>>32
	lo = uint64(p.LSN)<<32 | uint64(p.Ordinal)
	return hi, lo
}

// PositionOf unpacks what Version packed.
func PositionOf(hi, lo uint64) Position {
	return Position{
		Epoch:   uint32(hi >> 32),
		LSN:     LSN(hi<<32 | lo>>32),
		Ordinal: uint32(lo),
	}
}

func (p Position) String() string {
	return fmt.Sprintf("%d:%s:%d", p.Epoch, p.LSN, p.Ordinal)
}
