package pgoutput

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// Another library's parser reads the same in what PostgreSQL 15 sent. It does
// not know the kinds of two-phase commit.
func TestPglogreplReadsTheSame(t *testing.T) {
	for _, c := range []struct {
		name  string
		parse func(frame []byte, streaming bool) (pglogrepl.Message, error)
	}{
		{"postgres15_v1.hex", func(frame []byte, _ bool) (pglogrepl.Message, error) { return pglogrepl.Parse(frame) }},
		{"postgres15_v2.hex", func(frame []byte, streaming bool) (pglogrepl.Message, error) {
			return pglogrepl.ParseV2(frame, streaming)
		}},
		{"postgres15_v3.hex", func(frame []byte, streaming bool) (pglogrepl.Message, error) {
			return pglogrepl.ParseV2(frame, streaming)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			kinds := map[byte]int{}
			for _, frame := range captured(t, c.name) {
				streaming := d.Streaming()
				ours, err := d.Decode(frame)
				require.NoError(t, err)
				if twoPhase(ours) {
					continue
				}
				theirs, err := c.parse(frame, streaming)
				require.NoError(t, err, "%x", frame)
				require.Equal(t, translate(t, theirs), ours, "%q", frame[0])
				kinds[frame[0]]++
			}
			require.GreaterOrEqual(t, len(kinds), 10)
		})
	}
}

func twoPhase(m Message) bool {
	switch m.(type) {
	case *BeginPrepare, *Prepare, *CommitPrepared, *RollbackPrepared, *StreamPrepare:
		return true
	}
	return false
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// translate writes pglogrepl's message as ours.
func translate(t *testing.T, m pglogrepl.Message) Message {
	t.Helper()
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		return &Begin{FinalLSN: event.LSN(m.FinalLSN), CommitMicros: micros(m.CommitTime), Xid: m.Xid}
	case *pglogrepl.CommitMessage:
		return &Commit{Flags: m.Flags, CommitLSN: event.LSN(m.CommitLSN), EndLSN: event.LSN(m.TransactionEndLSN), CommitMicros: micros(m.CommitTime)}
	case *pglogrepl.OriginMessage:
		return &Origin{CommitLSN: event.LSN(m.CommitLSN), Name: m.Name}
	case *pglogrepl.RelationMessage:
		return translateRelation(m, 0)
	case *pglogrepl.RelationMessageV2:
		return translateRelation(&m.RelationMessage, m.Xid)
	case *pglogrepl.TypeMessage:
		return &Type{OID: m.DataType, Namespace: m.Namespace, Name: m.Name}
	case *pglogrepl.TypeMessageV2:
		return &Type{Xid: m.Xid, OID: m.DataType, Namespace: m.Namespace, Name: m.Name}
	case *pglogrepl.InsertMessage:
		return &Insert{Relation: m.RelationID, New: translateRow(m.Tuple)}
	case *pglogrepl.InsertMessageV2:
		return &Insert{Xid: m.Xid, Relation: m.RelationID, New: translateRow(m.Tuple)}
	case *pglogrepl.UpdateMessage:
		return translateUpdate(m, 0)
	case *pglogrepl.UpdateMessageV2:
		return translateUpdate(&m.UpdateMessage, m.Xid)
	case *pglogrepl.DeleteMessage:
		return &Delete{Relation: m.RelationID, OldKind: m.OldTupleType, Old: translateRow(m.OldTuple)}
	case *pglogrepl.DeleteMessageV2:
		return &Delete{Xid: m.Xid, Relation: m.RelationID, OldKind: m.OldTupleType, Old: translateRow(m.OldTuple)}
	case *pglogrepl.TruncateMessage:
		return translateTruncate(m, 0)
	case *pglogrepl.TruncateMessageV2:
		return translateTruncate(&m.TruncateMessage, m.Xid)
	case *pglogrepl.LogicalDecodingMessage:
		return &LogicalMessage{Transactional: m.Transactional, LSN: event.LSN(m.LSN), Prefix: m.Prefix, Content: m.Content}
	case *pglogrepl.LogicalDecodingMessageV2:
		return &LogicalMessage{Xid: m.Xid, Transactional: m.Transactional, LSN: event.LSN(m.LSN), Prefix: m.Prefix, Content: m.Content}
	case *pglogrepl.StreamStartMessageV2:
		return &StreamStart{Xid: m.Xid, First: m.FirstSegment == 1}
	case *pglogrepl.StreamStopMessageV2:
		return &StreamStop{}
	case *pglogrepl.StreamCommitMessageV2:
		return &StreamCommit{Xid: m.Xid, Flags: m.Flags, CommitLSN: event.LSN(m.CommitLSN), EndLSN: event.LSN(m.TransactionEndLSN), CommitMicros: micros(m.CommitTime)}
	case *pglogrepl.StreamAbortMessageV2:
		return &StreamAbort{Xid: m.Xid, Subxid: m.SubXid}
	}
	require.FailNow(t, "no translation", "%T", m)
	return nil
}

func translateRelation(m *pglogrepl.RelationMessage, xid uint32) *Relation {
	r := &Relation{Xid: xid, OID: m.RelationID, Namespace: m.Namespace, Name: m.RelationName, ReplicaIdentity: m.ReplicaIdentity, Columns: []RelationColumn{}}
	for _, c := range m.Columns {
		r.Columns = append(r.Columns, RelationColumn{Key: c.Flags == 1, Name: c.Name, OID: c.DataType, Typmod: c.TypeModifier})
	}
	return r
}

func translateUpdate(m *pglogrepl.UpdateMessage, xid uint32) *Update {
	u := &Update{Xid: xid, Relation: m.RelationID, OldKind: m.OldTupleType, New: translateRow(m.NewTuple)}
	if m.OldTuple != nil {
		u.Old = translateRow(m.OldTuple)
		for i := range u.New { // what our decoder does besides
			if u.New[i].State == event.Unchanged && u.Old[i].State == event.Present {
				u.New[i] = u.Old[i]
			}
		}
	}
	return u
}

func translateTruncate(m *pglogrepl.TruncateMessage, xid uint32) *Truncate {
	return &Truncate{Xid: xid, Cascade: m.Option&pglogrepl.TruncateOptionCascade != 0,
		RestartIdentity: m.Option&pglogrepl.TruncateOptionRestartIdentity != 0, Relations: m.RelationIDs}
}

func translateRow(m *pglogrepl.TupleData) event.Row {
	r := event.Row{}
	for _, c := range m.Columns {
		switch c.DataType {
		case pglogrepl.TupleDataTypeNull:
			r = append(r, event.Value{})
		case pglogrepl.TupleDataTypeToast:
			r = append(r, event.Value{State: event.Unchanged})
		default:
			r = append(r, event.Value{State: event.Present, Text: c.Data})
		}
	}
	return r
}
