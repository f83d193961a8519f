package registry

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memory is a log that servers of one test share.
type memory struct {
	mu      sync.Mutex
	entries []Entry
	owner   *handle
	grown   chan struct{}
	held    chan struct{} // where there is one, nobody reads on before it is closed
}

func newMemory() *memory { return &memory{grown: make(chan struct{})} }

// handle is one server's end of a memory.
type handle struct {
	*memory
	lose  error // given by the next Append, which does nothing
	after error // given by the next Append, which appends all the same
}

func (h *handle) Own(context.Context) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owner = h
	return int64(len(h.entries)), nil
}

func (h *handle) Append(_ context.Context, entries ...Entry) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.owner != h {
		return ErrNotOwner
	}
	if err := h.lose; err != nil {
		h.lose = nil
		return err
	}
	h.entries = append(h.entries, entries...)
	close(h.grown)
	h.grown = make(chan struct{})
	err := h.after
	h.after = nil
	return err
}

func (h *handle) Follow(ctx context.Context, apply func(e *Entry, next int64)) error {
	for next := 0; ; {
		h.mu.Lock()
		fresh, grown, held := h.entries[next:], h.grown, h.held
		h.mu.Unlock()
		if held != nil && len(fresh) > 0 {
			select {
			case <-held:
			case <-ctx.Done():
				return nil
			}
		}
		for i := range fresh {
			next++
			apply(&fresh[i], int64(next))
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil
		}
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// start makes a server on a memory, and a client of it.
func start(t testing.TB, m *memory) (*Client, *handle, *httptest.Server) {
	t.Helper()
	h := &handle{memory: m}
	s, err := serve(testContext(t), h, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return New(web.URL), h, web
}
