package pgoutput

import (
	"encoding/binary"

	"github.com/hopluu/hopluu/schemas/event"
)

// Append writes an Insert, an Update or a Delete of a transaction that is sent
// whole, in the form that Decode reads, so that a change can be kept without
// what its owner keeps back. Of any other message it writes nothing.
func Append(dst []byte, m Message) []byte {
	switch m := m.(type) {
	case *Insert:
		dst = binary.BigEndian.AppendUint32(append(dst, kindInsert), m.Relation)
		dst = appendRow(append(dst, 'N'), m.New)
	case *Update:
		dst = binary.BigEndian.AppendUint32(append(dst, kindUpdate), m.Relation)
		if m.OldKind != OldNone {
			dst = appendRow(append(dst, m.OldKind), m.Old)
		}
		dst = appendRow(append(dst, 'N'), m.New)
	case *Delete:
		dst = binary.BigEndian.AppendUint32(append(dst, kindDelete), m.Relation)
		dst = appendRow(append(dst, m.OldKind), m.Old)
	}
	return dst
}

// appendRow writes a TupleData: a column count of 16 bits, then "Byte1('n')",
// "Byte1('u')" for an unchanged TOAST value, or "Byte1('t')" and its text.
func appendRow(dst []byte, row event.Row) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(row)))
	for _, v := range row {
		switch v.State {
		case event.Null:
			dst = append(dst, 'n')
		case event.Unchanged:
			dst = append(dst, 'u')
		default:
			dst = binary.BigEndian.AppendUint32(append(dst, 't'), uint32(len(v.Text)))
			dst = append(dst, v.Text...)
		}
	}
	return dst
}
