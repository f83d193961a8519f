package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// logged keeps what a connector logs.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A transaction that somebody left open holds up the slot, and so the snapshot,
// of a new source: the log names it, although the role sees little of others.
func TestWhoHoldsUpASnapshotIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	log := &logged{}
	r.config.Log = slog.New(slog.NewTextHandler(io.MultiWriter(log, t.Output()), nil))
	other := r.connect()
	_, err := other.PgConn().Exec(t.Context(), `BEGIN; INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`).ReadAll()
	require.NoError(t, err)
	c := r.start()
	r.eventually(func() error {
		if !bytes.Contains([]byte(log.String()), fmt.Appendf(nil, "process %d of postgres in %s", other.PgConn().PID(), r.config.Source)) {
			return errors.New("nothing is told of the transaction")
		}
		return nil
	})
	_, err = other.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	r.ready(c)
	r.tail(r.public("visit")).shows(visits)
	require.NoError(t, c.stop())
}
