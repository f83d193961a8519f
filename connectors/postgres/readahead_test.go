package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// pieces is a connection that gives one piece a read.
type pieces struct {
	net.Conn
	left  []string
	reads int
}

func (p *pieces) Read(b []byte) (int, error) {
	p.reads++
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	p.left = p.left[1:]
	return n, nil
}

func TestReadAheadTakesAllThatHasCome(t *testing.T) {
	server := &pieces{left: []string{"abcdef", "gh"}}
	conn, err := dialReadAhead(func(context.Context, string, string) (net.Conn, error) { return server, nil })(t.Context(), "tcp", "")
	require.NoError(t, err)
	r := readAheadOf(conn)
	require.NotNil(t, r)
	var pauses []int
	pause := func() { pauses = append(pauses, server.reads) }
	r.pause.Store(&pause)
	got, err := io.ReadAll(byteByByte{conn})
	require.NoError(t, err)
	require.Equal(t, "abcdefgh", string(got))
	require.Equal(t, 3, server.reads, "a read a piece, and one for the end")
	require.Equal(t, []int{0, 1, 2}, pauses, "before each read that may wait, and at no other time")
}

func TestReadAheadBelowTLS(t *testing.T) {
	r := &readAhead{}
	require.Same(t, r, readAheadOf(tls.Client(r, &tls.Config{})))
	require.Nil(t, readAheadOf(&pieces{}))
}

func TestReadAheadGivesTheDialersError(t *testing.T) {
	refused := errors.New("refused")
	_, err := dialReadAhead(func(context.Context, string, string) (net.Conn, error) { return nil, refused })(t.Context(), "tcp", "")
	require.ErrorIs(t, err, refused)
}

// byteByByte asks for one byte at a time.
type byteByByte struct{ io.Reader }

func (r byteByByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(1, len(b))]) }
