package pgoutput

import "encoding/binary"

// Unwrap gives a message of a segment as a transaction that is sent whole would
// have it, without "Xid of the transaction (only present for streamed
// transactions)", and that number: the subtransaction's, if the change is of
// one. It is for the kinds that have one: Insert, Update, Delete, Truncate,
// Relation, Type and LogicalMessage. The frame's memory becomes the message's.
// The error is a *FrameError.
func Unwrap(frame []byte) (xid uint32, plain []byte, err error) {
	if len(frame) > 0 {
		switch frame[0] {
		case kindInsert, kindUpdate, kindDelete, kindTruncate, kindRelation, kindType, kindMessage:
		default:
			return 0, nil, &FrameError{Kind: frame[0], Reason: "not a message of a segment"}
		}
	}
	const head = 1 + 4
	if len(frame) < head {
		e := &FrameError{Offset: len(frame), Reason: short}
		if len(frame) > 0 {
			e.Kind = frame[0]
		}
		return 0, nil, e
	}
	xid = binary.BigEndian.Uint32(frame[1:])
	plain = frame[head-1:]
	plain[0] = frame[0]
	return xid, plain, nil
}

// AppendBegin and AppendCommit write the messages that a transaction which is
// sent whole stands between.
func AppendBegin(dst []byte, m Begin) []byte {
	dst = append(dst, kindBegin)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.FinalLSN))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.CommitMicros-postgresEpoch))
	return binary.BigEndian.AppendUint32(dst, m.Xid)
}

// AppendCommit is described at AppendBegin.
func AppendCommit(dst []byte, m Commit) []byte {
	dst = append(dst, kindCommit, m.Flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.CommitLSN))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.EndLSN))
	return binary.BigEndian.AppendUint64(dst, uint64(m.CommitMicros-postgresEpoch))
}
