package pgoutput

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	micros2000 = uint64(757_382_400_123_456)              // 2024-01-01 00:00:00.123456, as the protocol counts
	micros1970 = int64(757_382_400_123_456 + 946684800e6) // the same, as we do
)

// Every kind of message, made by hand from the protocol's page. The frames of
// one entry are decoded in their order; the last one is compared.
func TestEveryKind(t *testing.T) {
	start := build('S', uint32(77), byte(1))
	relation := build("public", "visit", 'f', uint16(2), byte(1), "id", uint32(20), uint32(0xffffffff), byte(0), "cost", uint32(1700), uint32(786438))
	want := &Relation{OID: 5, Namespace: "public", Name: "visit", ReplicaIdentity: 'f', Columns: []RelationColumn{
		{Key: true, Name: "id", OID: 20, Typmod: -1}, {Name: "cost", OID: 1700, Typmod: 786438}}}
	streamedRelation := *want
	streamedRelation.Xid = 78
	for name, c := range map[string]struct {
		frames [][]byte
		want   Message
	}{
		"begin":  {[][]byte{build('B', uint64(0x16B374D848), micros2000, uint32(700))}, &Begin{FinalLSN: 0x16B374D848, CommitMicros: micros1970, Xid: 700}},
		"commit": {[][]byte{build('C', byte(0), uint64(1), uint64(2), micros2000)}, &Commit{CommitLSN: 1, EndLSN: 2, CommitMicros: micros1970}},
		"commit before 2000": {[][]byte{build('C', byte(0), uint64(1), uint64(2), ^uint64(0))},
			&Commit{CommitLSN: 1, EndLSN: 2, CommitMicros: 946_684_799_999_999}},
		"origin":            {[][]byte{build('O', uint64(9), "elsewhere")}, &Origin{CommitLSN: 9, Name: "elsewhere"}},
		"relation":          {[][]byte{build('R', uint32(5), relation)}, want},
		"streamed relation": {[][]byte{start, build('R', uint32(78), uint32(5), relation)}, &streamedRelation},
		"relation without columns": {[][]byte{build('R', uint32(5), "", "t", 'n', uint16(0))},
			&Relation{OID: 5, Name: "t", ReplicaIdentity: 'n', Columns: []RelationColumn{}}},
		"type":            {[][]byte{build('Y', uint32(90001), "public", "mood")}, &Type{OID: 90001, Namespace: "public", Name: "mood"}},
		"streamed type":   {[][]byte{start, build('Y', uint32(7), uint32(90001), "", "mood")}, &Type{Xid: 7, OID: 90001, Name: "mood"}},
		"insert":          {[][]byte{build('I', uint32(5), 'N', tuple("1", nil, "", unchanged))}, &Insert{Relation: 5, New: row("1", nil, "", unchanged)}},
		"streamed insert": {[][]byte{start, build('I', uint32(7), uint32(5), 'N', tuple())}, &Insert{Xid: 7, Relation: 5, New: row()}},
		"update":          {[][]byte{build('U', uint32(5), 'N', tuple("1", unchanged))}, &Update{Relation: 5, New: row("1", unchanged)}},
		"update of the key": {[][]byte{build('U', uint32(5), 'K', tuple("1", nil), 'N', tuple("2", unchanged))},
			&Update{Relation: 5, OldKind: OldKey, Old: row("1", nil), New: row("2", unchanged)}},
		"streamed update with the full old row": {[][]byte{start, build('U', uint32(7), uint32(5), 'O', tuple("1", "x", nil), 'N', tuple("2", unchanged, unchanged))},
			&Update{Xid: 7, Relation: 5, OldKind: OldFull, Old: row("1", "x", nil), New: row("2", "x", unchanged)}},
		"an update after one with an old row": {[][]byte{build('U', uint32(5), 'K', tuple("1"), 'N', tuple("2")), build('U', uint32(5), 'N', tuple("3"))},
			&Update{Relation: 5, New: row("3")}},
		"delete by key":   {[][]byte{build('D', uint32(5), 'K', tuple("1", nil))}, &Delete{Relation: 5, OldKind: OldKey, Old: row("1", nil)}},
		"streamed delete": {[][]byte{start, build('D', uint32(7), uint32(5), 'O', tuple("1", "x"))}, &Delete{Xid: 7, Relation: 5, OldKind: OldFull, Old: row("1", "x")}},
		"truncate":        {[][]byte{build('T', uint32(2), byte(3), uint32(5), uint32(6))}, &Truncate{Cascade: true, RestartIdentity: true, Relations: []uint32{5, 6}}},
		"streamed truncate": {[][]byte{start, build('T', uint32(7), uint32(1), byte(2), uint32(5))},
			&Truncate{Xid: 7, RestartIdentity: true, Relations: []uint32{5}}},
		"message": {[][]byte{build('M', byte(1), uint64(3), "hopluu", uint32(4), []byte("beat"))},
			&LogicalMessage{Transactional: true, LSN: 3, Prefix: "hopluu", Content: []byte("beat")}},
		"streamed message":                     {[][]byte{start, build('M', uint32(7), byte(0), uint64(3), "", uint32(0))}, &LogicalMessage{Xid: 7, LSN: 3, Content: []byte{}}},
		"stream start":                         {[][]byte{start}, &StreamStart{Xid: 77, First: true}},
		"stream stop":                          {[][]byte{start, build('E')}, &StreamStop{}},
		"second segment":                       {[][]byte{start, build('E'), build('S', uint32(77), byte(0))}, &StreamStart{Xid: 77}},
		"after a segment messages have no xid": {[][]byte{start, build('E'), build('I', uint32(5), 'N', tuple("1"))}, &Insert{Relation: 5, New: row("1")}},
		"stream commit": {[][]byte{build('c', uint32(77), byte(0), uint64(1), uint64(2), micros2000)},
			&StreamCommit{Xid: 77, CommitLSN: 1, EndLSN: 2, CommitMicros: micros1970}},
		"stream abort": {[][]byte{build('A', uint32(77), uint32(78))}, &StreamAbort{Xid: 77, Subxid: 78}},
		"stream abort of version 4": {[][]byte{build('A', uint32(77), uint32(77), uint64(8), micros2000)},
			&StreamAbort{Xid: 77, Subxid: 77, HasAbort: true, AbortLSN: 8, AbortMicros: micros1970}},
		"an abort of version 2 after one of version 4": {[][]byte{build('A', uint32(77), uint32(77), uint64(8), micros2000), build('A', uint32(1), uint32(1))},
			&StreamAbort{Xid: 1, Subxid: 1}},
		"begin prepare": {[][]byte{build('b', uint64(1), uint64(2), micros2000, uint32(7), "gid")},
			&BeginPrepare{PrepareLSN: 1, EndLSN: 2, PrepareMicros: micros1970, Xid: 7, GID: "gid"}},
		"prepare": {[][]byte{build('P', byte(0), uint64(1), uint64(2), micros2000, uint32(7), "gid")},
			&Prepare{PrepareLSN: 1, EndLSN: 2, PrepareMicros: micros1970, Xid: 7, GID: "gid"}},
		"commit prepared": {[][]byte{build('K', byte(0), uint64(1), uint64(2), micros2000, uint32(7), "gid")},
			&CommitPrepared{CommitLSN: 1, EndLSN: 2, CommitMicros: micros1970, Xid: 7, GID: "gid"}},
		"rollback prepared": {[][]byte{build('r', byte(0), uint64(1), uint64(2), micros2000, micros2000+1, uint32(7), "gid")},
			&RollbackPrepared{PrepareEndLSN: 1, RollbackEndLSN: 2, PrepareMicros: micros1970, RollbackMicros: micros1970 + 1, Xid: 7, GID: "gid"}},
		"stream prepare": {[][]byte{build('p', byte(0), uint64(1), uint64(2), micros2000, uint32(7), "gid")},
			&StreamPrepare{PrepareLSN: 1, EndLSN: 2, PrepareMicros: micros1970, Xid: 7, GID: "gid"}},
	} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			var got Message
			for _, f := range c.frames {
				var err error
				got, err = d.Decode(f)
				require.NoError(t, err)
			}
			require.Equal(t, c.want, got)
			require.Equal(t, c.want.kind(), c.frames[len(c.frames)-1][0])
		})
	}
}

// What PostgreSQL 15 really sent, message by message.
func TestCapturedFrames(t *testing.T) {
	for _, name := range []string{"postgres15_v1", "postgres15_v2", "postgres15_v3"} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			var b strings.Builder
			for _, f := range captured(t, name+".hex") {
				m, err := d.Decode(f)
				require.NoError(t, err, "%x", f)
				b.WriteString(dump(m) + "\n")
			}
			path := "testdata/" + name + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "a golden file is missing: go test -update writes it")
			require.Equal(t, string(want), b.String())
		})
	}
}

// Case 19: a frame that is cut off, or has one byte too many, is an error of
// its own type; it neither panics nor passes for a shorter message.
func TestCase19MalformedFrames(t *testing.T) {
	for _, name := range []string{"postgres15_v1.hex", "postgres15_v2.hex", "postgres15_v3.hex"} {
		var d Decoder
		for _, f := range captured(t, name) {
			for n := range len(f) {
				if n > 100 && n < len(f)-100 {
					continue // the middle of a long value
				}
				trial := d
				_, err := trial.Decode(f[:n:n])
				if f[0] == kindStreamAbort && n == 9 {
					continue // the shorter form of the message
				}
				var frameErr *FrameError
				require.ErrorAs(t, err, &frameErr, "%q cut at %d", f[0], n)
				require.Equal(t, d.streaming, trial.streaming, "a broken frame changes no state")
			}
			trial := d
			_, err := trial.Decode(append(f[:len(f):len(f)], 0))
			require.Error(t, err, "%q with a byte too many", f[0])
			_, err = d.Decode(f)
			require.NoError(t, err)
		}
	}
	for name, f := range map[string][]byte{
		"nothing":                     {},
		"an unknown kind":             {'?'},
		"a binary value":              build('I', uint32(5), 'N', uint16(1), 'b', uint32(0)),
		"an unknown value":            build('I', uint32(5), 'N', uint16(1), 'x'),
		"a value of 4 GB":             build('I', uint32(5), 'N', uint16(1), 't', ^uint32(0)),
		"65535 columns":               build('I', uint32(5), 'N', ^uint16(0)),
		"an insert of an old row":     build('I', uint32(5), 'O', tuple()),
		"an update of nothing":        build('U', uint32(5), 'X', tuple()),
		"an update without a new row": build('U', uint32(5), 'O', tuple(), 'O', tuple()),
		"a delete of a new row":       build('D', uint32(5), 'N', tuple()),
		"65535 columns of a relation": build('R', uint32(5), "", "t", 'd', ^uint16(0)),
		"a flag of 2":                 build('R', uint32(5), "", "t", 'd', uint16(1), byte(2), "c", uint32(1), uint32(1)),
		"4 billion tables":            build('T', ^uint32(0), byte(0)),
		"unknown truncate options":    build('T', uint32(0), byte(4)),
		"a message of 4 GB":           build('M', byte(0), uint64(0), "", ^uint32(0)),
		"the end of no segment":       {'E'},
		"an abort and a half":         build('A', uint32(1), uint32(1), uint64(1)),
	} {
		var d Decoder
		_, err := d.Decode(f)
		var frameErr *FrameError
		require.ErrorAs(t, err, &frameErr, name)
	}
	var d Decoder
	_, err := d.Decode(build('S', uint32(1), byte(1)))
	require.NoError(t, err)
	_, err = d.Decode(build('S', uint32(1), byte(0)))
	require.Error(t, err, "a segment within a segment")
}

// Case 4: a Stream Abort out of the blue, as PostgreSQL 18 sends it even on
// protocol 1, is read; whoever keeps transactions knows that it is of none.
func TestCase04StrayStreamAbort(t *testing.T) {
	var d Decoder
	m, err := d.Decode(build('A', uint32(900), uint32(900)))
	require.NoError(t, err)
	require.Equal(t, &StreamAbort{Xid: 900, Subxid: 900}, m)
	require.False(t, d.Streaming())
	m, err = d.Decode(build('I', uint32(5), 'N', tuple("1")))
	require.NoError(t, err)
	require.Equal(t, &Insert{Relation: 5, New: row("1")}, m)
}

// Case 13, P4: an unchanged value is filled in from an old image that holds
// it, also for a key that is stored out of line, and never becomes null.
func TestCase13UnchangedIsCompletedFromTheOldImage(t *testing.T) {
	var d Decoder
	m, err := d.Decode(build('U', uint32(5), 'O', tuple("k", "long", nil), 'N', tuple("k", unchanged, unchanged)))
	require.NoError(t, err)
	require.Equal(t, row("k", "long", unchanged), m.(*Update).New)
	m, err = d.Decode(build('U', uint32(5), 'K', tuple("key", nil), 'N', tuple(unchanged, unchanged)))
	require.NoError(t, err)
	require.Equal(t, row("key", unchanged), m.(*Update).New)
	m, err = d.Decode(build('U', uint32(5), 'K', tuple("key"), 'N', tuple("a", unchanged)))
	require.NoError(t, err, "an old image of fewer columns completes what it can")
	require.Equal(t, row("a", unchanged), m.(*Update).New)
}

func TestCellsAliasTheFrame(t *testing.T) {
	frame := build('I', uint32(5), 'N', tuple("abc", "d"))
	var d Decoder
	m, err := d.Decode(frame)
	require.NoError(t, err)
	text := m.(*Insert).New[0].Text
	require.Same(t, &frame[13], &text[0])
	require.Equal(t, len(text), cap(text), "growing a cell cannot reach the next")
}

func TestHotKindsDoNotAllocate(t *testing.T) {
	frames := [][]byte{
		build('B', uint64(1), micros2000, uint32(7)),
		build('I', uint32(5), 'N', tuple("1", nil, "text")),
		build('U', uint32(5), 'K', tuple("1", nil, nil), 'N', tuple("2", nil, unchanged)),
		build('D', uint32(5), 'O', tuple("1", nil, "text")),
		build('T', uint32(1), byte(0), uint32(5)),
		build('C', byte(0), uint64(1), uint64(2), micros2000),
		build('S', uint32(7), byte(1)), build('E'),
	}
	var d Decoder
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, f := range frames {
			if _, err := d.Decode(f); err != nil {
				panic(err)
			}
		}
	}))
}

// A relation is kept by who reads it: the next one must not write over it.
func TestRelationsAreNewMemory(t *testing.T) {
	var d Decoder
	first, err := d.Decode(build('R', uint32(5), "a", "t", 'd', uint16(1), byte(1), "id", uint32(20), uint32(1)))
	require.NoError(t, err)
	second, err := d.Decode(build('R', uint32(6), "b", "u", 'f', uint16(1), byte(0), "n", uint32(23), uint32(2)))
	require.NoError(t, err)
	require.NotSame(t, first, second)
	require.Equal(t, "id", first.(*Relation).Columns[0].Name)
	require.Equal(t, event.Row(nil), (&Update{}).Old)
}
