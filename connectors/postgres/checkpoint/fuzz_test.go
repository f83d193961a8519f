package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever stands in the state topic, it is read or refused, and what is read
// is written and read again as the same state.
func FuzzParse(f *testing.F) {
	c := Checkpoint{SystemID: "7", Timeline: 1, Slot: "s", Epoch: 2, LSN: 10, Ordinal: 3, Confirmed: 12}
	data, err := c.Marshal()
	require.NoError(f, err)
	f.Add(data)
	data, err = MarshalTables(map[string]Table{"public.b": {Done: []Blocks{{From: 1, To: 4}}, From: 7, To: 9, Columns: []Column{{Name: "id", Number: 1, Type: 20, Typmod: -1}}}})
	require.NoError(f, err)
	f.Add(data)
	for _, s := range []string{"null", "[]", `{"lsn":-1}`, `{"lsn":18446744073709551615}`, `{"a":null}`, `{"a":{"columns":[null]}}`, `{"slot":"\ud800"}`, "{}{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := Parse(data); err == nil {
			again, err := c.Marshal()
			require.NoError(t, err)
			same, err := Parse(again)
			require.NoError(t, err)
			require.Equal(t, c, same)
			_ = c.Check(Server{SystemID: c.SystemID, Timeline: c.Timeline, SlotExists: true}) // no state is fatal to it
		}
		tables, err := ParseTables(data)
		if err != nil {
			return
		}
		again, err := MarshalTables(tables)
		require.NoError(t, err)
		same, err := ParseTables(again)
		require.NoError(t, err)
		for name, table := range same {
			require.Empty(t, table.Outdated(Shape{Relfilenode: table.Relfilenode, Published: table.Published}), name)
			now := Shape{Relfilenode: table.Relfilenode, Columns: table.Columns}
			require.True(t, table.Seen(now).Knows(now) || len(now.Columns) > 1, name)
		}
		second, err := MarshalTables(same)
		require.NoError(t, err)
		require.Equal(t, string(again), string(second))
	})
}
