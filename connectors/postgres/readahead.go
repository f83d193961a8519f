package postgres

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// readAheadBytes is the most that is taken from the socket at once: a server
// that is ahead of us has written that much, a change at a time.
const readAheadBytes = 128 << 10

// readAhead is a connection that takes from the socket all that has come, also
// when its reader asks for less. It lies below TLS.
type readAhead struct {
	net.Conn
	memory []byte
	unread []byte
	// pause is called before the socket is asked, which may wait: everything
	// that was read before was handed on.
	pause atomic.Pointer[func()]
}

// dialReadAhead makes the connections of a configuration read ahead.
func dialReadAhead(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &readAhead{Conn: conn, memory: make([]byte, readAheadBytes)}, nil
	}
}

// readAheadOf gives the readAhead of a connection, nil when it has none.
func readAheadOf(conn net.Conn) *readAhead {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	r, _ := conn.(*readAhead)
	return r
}

// Read implements net.Conn.
func (r *readAhead) Read(p []byte) (int, error) {
	if len(r.unread) == 0 {
		if pause := r.pause.Load(); pause != nil {
			(*pause)()
		}
		n, err := r.Conn.Read(r.memory)
		if n == 0 {
			return 0, err
		}
		r.unread = r.memory[:n] // an error beside it comes again with the next read
	}
	n := copy(p, r.unread)
	r.unread = r.unread[n:]
	return n, nil
}
