package topic

import (
	"encoding/binary"

	"github.com/hopluu/hopluu/schemas/event"
)

// deletedAt is the header of a tombstone under a former form of a record's key.
const deletedAt = "hopluu.deleted_at"

// DeletedAt says on a tombstone which deletion it belongs to. One under a former
// form of a key needs it: it may lie in another partition than what has come of
// the record since, and is no last word on it.
func DeletedAt(p event.Position) Header {
	hi, lo := p.Version()
	return Header{Key: deletedAt, Value: binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, hi), lo)}
}

// ReadDeletedAt gives the position of the deletion that a tombstone's headers
// name; ok is false when they name none.
func ReadDeletedAt(headers []Header) (at event.Position, ok bool) {
	for _, h := range headers {
		if h.Key == deletedAt && len(h.Value) == 16 {
			return event.PositionOf(binary.BigEndian.Uint64(h.Value), binary.BigEndian.Uint64(h.Value[8:])), true
		}
	}
	return event.Position{}, false
}
