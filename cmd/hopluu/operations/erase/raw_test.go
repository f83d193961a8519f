package erase

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// described is the message by which a source describes a table with a key and two
// more columns (Relation of the protocol).
func described(columns ...string) []byte {
	be := binary.BigEndian
	b := be.AppendUint32([]byte{'R'}, 7)
	b = append(b, "public\x00person\x00d"...)
	b = be.AppendUint16(b, uint16(len(columns)))
	for i, c := range columns {
		key := byte(0)
		if i == 0 {
			key = 1
		}
		b = append(append(b, key), c+"\x00"...)
		b = be.AppendUint32(be.AppendUint32(b, 25), 0xffffffff)
	}
	return b
}

func cells(texts ...string) (row event.Row) {
	for _, t := range texts {
		row = append(row, event.Value{State: event.Present, Text: []byte(t)})
	}
	return row
}

// P12: changes of a quarantined table are told by their key, by what they speak
// through and by people's numbers, whole or in parts; what nobody can tell is
// counted and kept (P3).
func TestP12ChangesOfAQuarantinedTableAreTold(t *testing.T) {
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(t, err)
	number := string(tokens.Append(nil, sectors.CCCD, []byte("079085001234")))
	person := &sectors.Table{Name: "person", Person: &sectors.Person{Direct: true}, Columns: []sectors.Column{{Name: "cccd", Identifier: sectors.CCCD, Match: "cccd"}}}
	visit := &sectors.Table{Name: "visit", Person: &sectors.Person{Via: "who", To: "person"}}
	name := "vault.his.public.person.dlq"
	for what, c := range map[string]struct {
		table   *sectors.Table
		frames  [][]byte
		headers [][2]string // of each frame, "" for none
		theirs  []int64
		untold  int
	}{
		"by key": {table: person, frames: [][]byte{
			described("id", "cccd", "name"),
			pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("7", "x", "An")}),
			pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("70", "x", "7")}),
			pgoutput.Append(nil, &pgoutput.Update{Relation: 7, New: cells("7", "x", "An")}),
			pgoutput.Append(nil, &pgoutput.Delete{Relation: 7, OldKind: pgoutput.OldKey, Old: event.Row{{State: event.Present, Text: []byte("7")}, {State: event.Null}, {State: event.Null}}}),
		}, theirs: []int64{1, 3, 4}},
		"by number": {table: person, frames: [][]byte{
			described("id", "cccd", "name"),
			pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("8", "079 085 001234", "An")}),
			pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("9", "079085009999", "Bình")}),
		}, theirs: []int64{1}},
		"by the person": {table: visit, frames: [][]byte{
			described("id", "who", "note"),
			pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("1", "7", "x")}),
			pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("7", "8", "x")}),
		}, theirs: []int64{1}},
		"in parts": {table: person, frames: func() [][]byte {
			whole := pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("7", "x", "An")})
			return [][]byte{described("id", "cccd", "name"), whole[:9], whole[9:], whole[:9]}
		}(), headers: [][2]string{{}, {"hopluu.part", "1/2"}, {"hopluu.part", "2/2"}, {"hopluu.part", "1/2"}}, theirs: []int64{1, 2}},
		"without its table": {table: person, frames: [][]byte{pgoutput.Append(nil, &pgoutput.Insert{Relation: 7, New: cells("7", "x", "An")})}, untold: 1},
		"not a change":      {table: person, frames: [][]byte{{'?'}}, untold: 1},
	} {
		t.Run(what, func(t *testing.T) {
			records := []string{"his.person:7"}
			r := &rawJudge{judge: &judge{e: &Eraser{Config: Config{Tokens: tokens}}, lane: lane{name, "his", c.table}, records: records, tokens: []string{number}}}
			s := &sorted{theirs: map[place]bool{}}
			for i, frame := range c.frames {
				rec := topic.Record{Partition: topic.Partition{Topic: name}, Offset: int64(i), Value: frame}
				if i < len(c.headers) && c.headers[i][0] != "" {
					rec.Headers = []topic.Header{{Key: c.headers[i][0], Value: []byte(c.headers[i][1])}}
				}
				require.NoError(t, r.take(&rec, s))
			}
			want := map[place]bool{}
			for _, offset := range c.theirs {
				want[place{topic.Partition{Topic: name}, offset}] = true
			}
			require.Equal(t, want, s.theirs)
			require.Equal(t, c.untold, s.untold)
		})
	}
}
