package avro

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func keyRecord(t *testing.T, fields ...string) *Record {
	t.Helper()
	list := ""
	for i, f := range fields {
		if i > 0 {
			list += ", "
		}
		list += f
	}
	r, err := ParseRecord(`{"type": "record", "name": "health.public.visit.Key", "fields": [` + list + `]}`)
	require.NoError(t, err)
	return r
}

// A key in a former form names the same record, or there is none.
func TestRekey(t *testing.T) {
	field := func(name, typ string) string { return fmt.Sprintf(`{"name": %q, "type": %s}`, name, typ) }
	const date = `{"type": "int", "connect.name": "io.debezium.time.Date"}`
	decimal := func(scale int) string {
		return fmt.Sprintf(`{"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": %d}`, scale)
	}
	for name, c := range map[string]struct {
		now, then *Record
		payload   []byte
		want      []byte // behind the header; nil for none
	}{
		"widened":             {keyRecord(t, field("id", `"long"`)), keyRecord(t, field("id", `"int"`)), AppendLong(nil, -7), AppendLong(nil, -7)},
		"too large for it":    {keyRecord(t, field("id", `"long"`)), keyRecord(t, field("id", `"int"`)), AppendLong(nil, 1<<31), nil},
		"narrowed":            {keyRecord(t, field("id", `"int"`)), keyRecord(t, field("id", `"long"`)), AppendLong(nil, 7), AppendLong(nil, 7)},
		"made a text":         {keyRecord(t, field("id", `"string"`)), keyRecord(t, field("id", `"long"`)), AppendBytes(nil, "70"), AppendLong(nil, 70)},
		"no number":           {keyRecord(t, field("id", `"string"`)), keyRecord(t, field("id", `"long"`)), AppendBytes(nil, "070"), nil},
		"was a text":          {keyRecord(t, field("id", `"long"`)), keyRecord(t, field("id", `"string"`)), AppendLong(nil, 70), AppendBytes(nil, "70")},
		"in another order":    {keyRecord(t, field("a", `"long"`), field("b", `"string"`)), keyRecord(t, field("b", `"string"`), field("a", `"int"`)), AppendBytes(AppendLong(nil, 1), "x"), AppendLong(AppendBytes(nil, "x"), 1)},
		"other columns":       {keyRecord(t, field("a", `"long"`)), keyRecord(t, field("b", `"long"`)), AppendLong(nil, 1), nil},
		"a column more":       {keyRecord(t, field("a", `"long"`), field("b", `"long"`)), keyRecord(t, field("a", `"long"`)), AppendLong(AppendLong(nil, 1), 2), nil},
		"worded anew":         {keyRecord(t, field("d", date)), keyRecord(t, `{"name": "d", "doc": "Ngày", "type": `+date+`}`), AppendLong(nil, 19783), AppendLong(nil, 19783)},
		"no number of days":   {keyRecord(t, field("d", `"long"`)), keyRecord(t, field("d", date)), AppendLong(nil, 19783), nil},
		"decimal of a scale":  {keyRecord(t, field("n", decimal(2))), keyRecord(t, field("n", decimal(2))), AppendBytes(nil, []byte{1, 2}), AppendBytes(nil, []byte{1, 2})},
		"decimal of another":  {keyRecord(t, field("n", decimal(2))), keyRecord(t, field("n", decimal(3))), AppendBytes(nil, []byte{1, 2}), nil},
		"truth and fractions": {keyRecord(t, field("b", `"boolean"`), field("f", `"float"`), field("d", `"double"`)), keyRecord(t, field("b", `"boolean"`), field("f", `"float"`), field("d", `"double"`)), AppendDouble(AppendFloat(AppendBoolean(nil, true), 1.5), -2.5), AppendDouble(AppendFloat(AppendBoolean(nil, true), 1.5), -2.5)},
		"what cannot be read": {keyRecord(t, field("id", `"string"`)), keyRecord(t, field("id", `"string"`)), []byte{9}, nil},
		"was nullable":        {keyRecord(t, field("id", `"long"`)), keyRecord(t, field("id", `["null", "long"]`)), AppendLong(nil, 7), nil},
	} {
		t.Run(name, func(t *testing.T) {
			key, ok := Rekey([]byte("before"), c.payload, c.now, c.then, 0x01020304)
			require.Equal(t, c.want != nil, ok)
			require.Equal(t, "before", string(key[:6]))
			if !ok {
				require.Len(t, key, 6)
				return
			}
			id, payload, err := SplitWire(key[6:])
			require.NoError(t, err)
			require.EqualValues(t, 0x01020304, id)
			require.Equal(t, c.want, payload)
			now, err := c.now.Decode(c.payload, nil)
			require.NoError(t, err)
			then, err := c.then.Decode(payload, nil)
			require.NoError(t, err)
			if len(now) == 1 {
				require.Equal(t, string(AppendRecordID(nil, "s", "t", c.now.Columns(), now)), string(AppendRecordID(nil, "s", "t", c.then.Columns(), then)))
			}
		})
	}
}
