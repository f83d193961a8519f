package pgoutput

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// A message of a segment, unwrapped, is what a transaction that is sent whole
// has: a real server's frames and one of each kind, decoded both ways.
func TestUnwrap(t *testing.T) {
	var d Decoder
	var whole Decoder
	unwrapped := map[byte]int{}
	frames := append(captured(t, "postgres15_v3.hex"), build('S', uint32(77), byte(1)),
		build('U', uint32(78), uint32(5), 'K', tuple("1", nil), 'N', tuple("2", unchanged)),
		build('D', uint32(78), uint32(5), 'O', tuple("1", "x")),
		build('T', uint32(79), uint32(2), byte(3), uint32(5), uint32(6)),
		build('Y', uint32(77), uint32(90001), "public", "mood"), build('E'))
	for _, frame := range frames {
		m, err := d.Decode(bytes.Clone(frame))
		require.NoError(t, err)
		if !d.Streaming() || m.kind() == kindStreamStart {
			continue
		}
		want := xidOf(m)
		xid, plain, err := Unwrap(bytes.Clone(frame))
		require.NoError(t, err)
		require.Equal(t, want, xid)
		require.Len(t, plain, len(frame)-4)
		got, err := whole.Decode(plain)
		require.NoError(t, err)
		require.Zero(t, xidOf(got))
		setXid(got, xid)
		require.Equal(t, m, got)
		unwrapped[m.kind()]++
	}
	require.Len(t, unwrapped, 7, "%v", unwrapped)
}

func xidOf(m Message) uint32 {
	switch m := m.(type) {
	case *Insert:
		return m.Xid
	case *Update:
		return m.Xid
	case *Delete:
		return m.Xid
	case *Truncate:
		return m.Xid
	case *Relation:
		return m.Xid
	case *Type:
		return m.Xid
	case *LogicalMessage:
		return m.Xid
	}
	return 0
}

func setXid(m Message, xid uint32) {
	switch m := m.(type) {
	case *Insert:
		m.Xid = xid
	case *Update:
		m.Xid = xid
	case *Delete:
		m.Xid = xid
	case *Truncate:
		m.Xid = xid
	case *Relation:
		m.Xid = xid
	case *Type:
		m.Xid = xid
	case *LogicalMessage:
		m.Xid = xid
	}
}

// Case 19: what is no message of a segment is refused.
func TestUnwrapRefuses(t *testing.T) {
	for _, frame := range [][]byte{nil, {}, {'I'}, {'I', 0, 0, 0}, build('B', uint64(1), uint64(2), uint32(3)), build('E'), build('c', uint32(1), byte(0))} {
		_, _, err := Unwrap(frame)
		var frameErr *FrameError
		require.ErrorAs(t, err, &frameErr, "%q", frame)
	}
}

func TestAppendBeginAndCommit(t *testing.T) {
	var d Decoder
	begin := Begin{FinalLSN: 0x16B374D848, CommitMicros: micros1970, Xid: 700}
	m, err := d.Decode(AppendBegin(nil, begin))
	require.NoError(t, err)
	require.Equal(t, &begin, m)
	commit := Commit{Flags: 3, CommitLSN: 1, EndLSN: 2, CommitMicros: -5}
	m, err = d.Decode(AppendCommit(nil, commit))
	require.NoError(t, err)
	require.Equal(t, &commit, m)
}
