package pgvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
)

// Whatever the text, a type refuses it with a *TextError or writes Avro that
// the reference reads to its end.
func FuzzAppend(f *testing.F) {
	rows, _ := readGolden(f)
	for _, r := range rows {
		if r.Column.OID != 0 && len(r.Text) < 100 {
			f.Add(r.Column.OID, r.Column.Typmod, []byte(r.Text))
		}
	}
	for _, text := range []string{`{"a\`, "{", "}", `{""}`, `{"\\",x}`, "{{", "{NULL,null,\"NULL\"}"} {
		f.Add(uint32(1009), int32(-1), []byte(text))
	}
	codecs := map[uint32]map[int32]*goavro.Codec{}
	f.Fuzz(func(t *testing.T, oid uint32, typmod int32, text []byte) {
		codec, err := Lookup(Column{Name: "c", OID: oid, Typmod: typmod, TypeName: "some"})
		require.NoError(t, err)
		b, err := codec.Append(nil, text)
		typed, beside := Unfit(codec)
		here, errHere := typed.Append([]byte("x"), text)
		there, errThere := beside.Append([]byte("x"), text)
		if utf8.Valid(text) {
			require.Equal(t, errHere == nil, errors.Is(errThere, avro.ErrAbsent), "it is in one of the two: %v, %v", errHere, errThere)
			require.Equal(t, errThere == nil, errors.Is(errHere, avro.ErrAbsent))
		}
		if errHere == nil {
			require.Equal(t, "x"+string(b), string(here))
		} else if errThere == nil {
			require.Equal(t, "x"+string(avro.AppendBytes(nil, string(text))), string(there))
		}
		var textErr *TextError
		if err != nil {
			require.True(t, errors.As(err, &textErr), "%v", err)
			return
		}
		reference := codecs[oid][typmod]
		if reference == nil {
			schema, err := json.Marshal(codec.Avro)
			require.NoError(t, err)
			reference, err = goavro.NewCodec(string(schema))
			require.NoError(t, err)
			if codecs[oid] == nil {
				codecs[oid] = map[int32]*goavro.Codec{}
			}
			codecs[oid][typmod] = reference
		}
		_, rest, err := reference.NativeFromBinary(b)
		require.NoError(t, err, "%s %q", codec.PGType, text)
		require.Empty(t, rest)
	})
}

// What PostgreSQL would print of an array, under any delimiter and of any
// elements, is read back as these elements; and no text does worse than a
// *TextError.
func FuzzArray(f *testing.F) {
	f.Add(byte(','), []byte("a\x00b,c\x00\x00NULL\x00\x01"), []byte("{a,NULL}"))
	f.Add(byte(';'), []byte("(1,2),(3,4)\x00\"\\\x00 {}"), []byte("{(1,2),(3,4);NULL}"))
	f.Add(byte(':'), []byte(""), []byte(`{"a\`))
	f.Add(byte('"'), []byte("x"), []byte(`{"}`))
	f.Fuzz(func(t *testing.T, delimiter byte, data, text []byte) {
		codec, err := Lookup(Column{Name: "c", OID: 90001, Delimiter: delimiter, Elem: &Column{OID: 90002, TypeName: "some"}})
		require.NoError(t, err)
		var textErr *TextError
		if _, err := codec.Append(nil, text); err != nil {
			require.True(t, errors.As(err, &textErr), "%v", err)
		}
		if delimiter == 0 || strings.IndexByte(`{}"\NULnul`, delimiter) >= 0 || delimiter >= 0x80 || !utf8.Valid(data) {
			return // no type has such a delimiter
		}
		printed := []byte{'{'}
		var want []byte
		elements := bytes.Split(data, []byte{0})
		for i, e := range elements {
			if i > 0 {
				printed = append(printed, delimiter)
			}
			if string(e) == "\x01" {
				printed, want = append(printed, "NULL"...), append(want, elementNull)
				continue
			}
			printed, want = append(printed, '"'), append(want, elementValue)
			for _, c := range e {
				if c == '"' || c == '\\' {
					printed = append(printed, '\\')
				}
				printed = append(printed, c)
			}
			printed, want = append(printed, '"'), avro.AppendBytes(want, e)
		}
		printed = append(printed, '}')
		want = append(append(avro.AppendLong(nil, int64(len(elements))), want...), 0)
		have, err := codec.Append(nil, printed)
		require.NoError(t, err, "%q", printed)
		require.Equal(t, want, have, "%q", printed)
	})
}

// An hstore is read back from the JSON as it was, whatever its texts; and no
// text does worse than a *TextError or gives anything but JSON.
func FuzzHstore(f *testing.F) {
	f.Add([]byte("a\x001\x00b\x00\x01\x00"), []byte(`"a"=>"1", "b"=>NULL`))
	f.Add([]byte("\"\\\x00\t\n\x02"), []byte(`"a"=>"1" , "b"=>NULL`))
	f.Add([]byte(""), []byte(`"a"=>"1", `))
	f.Add([]byte("đ\x00\x7f"), []byte(`"a\x"=>NULL`))
	f.Fuzz(func(t *testing.T, data, text []byte) {
		var textErr *TextError
		if b, err := appendHstore([]byte("before"), text); err != nil {
			require.True(t, errors.As(err, &textErr), "%v", err)
		} else {
			var value map[string]*string
			require.NoError(t, json.Unmarshal(avroText(t, b[len("before"):]), &value), "%q", b)
		}
		if !utf8.Valid(data) {
			return
		}
		want := map[string]*string{}
		var printed []byte
		quoted := func(text []byte) {
			printed = append(printed, '"')
			for _, c := range text {
				if c == '"' || c == '\\' {
					printed = append(printed, '\\')
				}
				printed = append(printed, c)
			}
			printed = append(printed, '"')
		}
		texts := bytes.Split(data, []byte{0})
		for i := 0; i+1 < len(texts); i += 2 {
			key := string(texts[i])
			if _, twice := want[key]; twice {
				continue
			}
			if len(want) > 0 {
				printed = append(printed, ", "...)
			}
			quoted(texts[i])
			printed = append(printed, "=>"...)
			if value := string(texts[i+1]); value == "\x01" {
				want[key], printed = nil, append(printed, "NULL"...)
			} else {
				want[key] = &value
				quoted(texts[i+1])
			}
		}
		b, err := appendHstore(nil, printed)
		require.NoError(t, err, "%q", printed)
		have := map[string]*string{}
		require.NoError(t, json.Unmarshal(avroText(t, b), &have), "%q", printed)
		require.Equal(t, want, have, "%q", printed)
	})
}

// avroText is what an Avro string holds.
func avroText(t *testing.T, b []byte) []byte {
	t.Helper()
	codec, err := goavro.NewCodec(`"string"`)
	require.NoError(t, err)
	text, rest, err := codec.NativeFromBinary(b)
	require.NoError(t, err)
	require.Empty(t, rest)
	return []byte(text.(string))
}
