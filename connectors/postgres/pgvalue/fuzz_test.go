package pgvalue

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
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
