package avro

import (
	"errors"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

// P3, P8: whatever the payload, the decoder reads it or gives a *DecodeError;
// and what it reads, the reference reads too.
func FuzzDecode(f *testing.F) {
	e := mustCompile(f, visits())
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(f, err)
	codec, err := goavro.NewCodec(e.ValueSchema())
	require.NoError(f, err)
	foreign, err := ParseEnvelope(debezium)
	require.NoError(f, err)
	for _, ev := range events() {
		msg, err := e.AppendValue(nil, 1, ev)
		require.NoError(f, err)
		f.Add(msg[wireHeader:])
		f.Add(msg[wireHeader : len(msg)-3])
	}
	f.Add(AppendLong([]byte{0, 2}, 1<<62))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d Decoded
		var decodeErr *DecodeError
		if err := foreign.Decode(payload, &d); err != nil {
			require.True(t, errors.As(err, &decodeErr))
		}
		if err := env.Decode(payload, &d); err != nil {
			require.True(t, errors.As(err, &decodeErr))
			return
		}
		_, rest, err := codec.NativeFromBinary(payload)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.True(t, d.Op.Valid())
	})
}

// Whatever the bytes, SplitWire parts them or says that they are not in wire
// format.
func FuzzSplitWire(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 1, 2, 3})
	f.Add([]byte(`{"before":null}`))
	f.Fuzz(func(t *testing.T, msg []byte) {
		id, payload, err := SplitWire(msg)
		if err != nil {
			require.ErrorIs(t, err, ErrNotWire)
			return
		}
		require.Equal(t, msg, append(appendHeader(nil, id), payload...))
	})
}

// Whatever a schema says, it is parsed or refused with a *SchemaError; and a
// parsed one decodes no payload into a panic.
func FuzzParseEnvelope(f *testing.F) {
	e := mustCompile(f, visits())
	f.Add(e.ValueSchema(), []byte{0, 2, 0})
	f.Add(e.KeySchema(), []byte{0, 0})
	f.Add(debezium, []byte{0, 2, 'c', 0})
	f.Add(`{"type":"record","name":"E","fields":[{"name":"op","type":"string"},{"name":"after","type":["null",{"type":"record","name":"E2","fields":[{"name":"x","type":"E2"}]}]}]}`, []byte{2, 'c', 2})
	f.Add(`["null",{"type":["int"]}]`, []byte{})
	f.Fuzz(func(t *testing.T, schema string, payload []byte) {
		env, err := ParseEnvelope(schema)
		var schemaErr *SchemaError
		if err != nil {
			require.True(t, errors.As(err, &schemaErr), "%v", err)
			return
		}
		var d Decoded
		var decodeErr *DecodeError
		if err := env.Decode(payload, &d); err != nil {
			require.True(t, errors.As(err, &decodeErr), "%v", err)
		}
	})
}
