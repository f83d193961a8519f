package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// ServerConfig says where an embedded registry keeps its schemas.
type ServerConfig struct {
	// Topic holds the schemas; default "_schemas", as Confluent has it.
	Topic string
	// Replication of the topic when it is made; 0 leaves it to the broker.
	Replication int16
	Log         *slog.Logger
}

// Server is a schema registry as an http.Handler that speaks Confluent's REST
// API (https://docs.confluent.io/platform/current/schema-registry/develop/api.html),
// for Avro. What it knows is what it has read back from its topic, so that all
// servers on one topic answer alike; the one that started last writes, the
// others answer 503 to writes.
type Server struct {
	log  Log
	slog *slog.Logger
	mux  *http.ServeMux

	writing sync.Mutex // one write at a time, from its check to its reading back

	mu      sync.Mutex
	state   *state
	next    int64         // position that the state has reached
	awaited *Entry        // the last one of a write, until it has been read back
	came    chan struct{} // closed then
	moved   chan struct{} // closed when the state moves on
	damage  error         // an entry that could not be read
	refused error         // another server writes now
	lost    bool          // the log must be owned anew before the next write

	stop    context.CancelFunc
	stopped chan struct{}
	close   func() error
}

// NewServer makes the topic when it is missing, takes it over from an older
// server, and reads what it holds.
func NewServer(ctx context.Context, client *topic.Client, config ServerConfig) (*Server, error) {
	if config.Topic == "" {
		config.Topic = "_schemas"
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	// Only keys are kept; nothing may go by age.
	_, err := client.Ensure(ctx, topic.Spec{
		Name: config.Topic, Partitions: 1, Replication: config.Replication,
		Config: map[string]string{"cleanup.policy": "compact"},
	})
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	l := &topicLog{
		client: client,
		part:   topic.Partition{Topic: config.Topic},
		id:     "hopluu.registry." + config.Topic,
		log:    config.Log,
	}
	s, err := serve(ctx, l, config.Log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.close = l.Close
	return s, nil
}

// serve makes a server on a log.
func serve(ctx context.Context, log Log, logger *slog.Logger) (*Server, error) {
	s := &Server{
		log:     log,
		slog:    logger,
		state:   newState(),
		moved:   make(chan struct{}),
		stopped: make(chan struct{}),
		close:   func() error { return nil },
	}
	s.mux = s.routes()
	end, err := log.Own(ctx)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	follow, stop := context.WithCancel(context.Background())
	s.stop = stop
	failed := make(chan error, 1)
	go func() {
		defer close(s.stopped)
		failed <- log.Follow(follow, s.read)
	}()
	caught := make(chan error, 1)
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { caught <- s.reach(wait, func() bool { return s.next >= end }) }()
	select {
	case err = <-caught:
	case err = <-failed:
		if err == nil {
			err = errors.New("its log ended")
		}
	}
	if err != nil {
		stop()
		<-s.stopped
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return s, nil
}

// Close ends the server.
func (s *Server) Close() error {
	s.stop()
	<-s.stopped
	return s.close()
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Ready tells why the server cannot answer rightly, nil when it can.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage
}

// read takes one entry of the log into the state.
func (s *Server) read(e *Entry, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e != nil {
		if err := s.state.apply(*e); err != nil && s.damage == nil {
			s.damage = fmt.Errorf("the log's entry at offset %d cannot be read: %w", next-1, err)
			s.slog.Error("schema registry refuses writes: its log is damaged", "error", s.damage)
		}
		if a := s.awaited; a != nil && bytes.Equal(a.Key, e.Key) && bytes.Equal(a.Value, e.Value) {
			s.awaited = nil
			close(s.came)
		}
	}
	s.next = next
	close(s.moved)
	s.moved = make(chan struct{})
}

// reach waits until the state satisfies done, which is called under the lock.
func (s *Server) reach(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		ok, moved := done(), s.moved
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write lets plan look at the state, appends the entries that it gives, and
// waits until they have been read back. Nobody else writes meanwhile, in this
// server or another.
func (s *Server) write(ctx context.Context, plan func(*state) ([]Entry, error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	// A client that goes away does not leave a write half done.
	ctx = context.WithoutCancel(ctx)
	if err := s.own(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	entries, err := plan(s.state)
	came := make(chan struct{})
	if err == nil && len(entries) > 0 {
		s.awaited, s.came = &entries[len(entries)-1], came
	}
	s.mu.Unlock()
	if err != nil || len(entries) == 0 {
		return err
	}
	if err := s.log.Append(ctx, entries...); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.awaited = nil
		switch {
		case errors.Is(err, ErrNotOwner):
			s.refused = err
			s.slog.Warn("schema registry answers reads only: another one has taken over", "error", err)
		case errors.Is(err, ErrUncertain):
			s.lost = true
		}
		return unavailable(err)
	}
	select {
	case <-came:
		return nil
	case <-time.After(readBack):
		// The state lacks it: who planned by that would give its id once more.
		s.mu.Lock()
		s.awaited, s.lost = nil, true
		s.mu.Unlock()
		return unavailable(fmt.Errorf("a write has not been read back within %s", readBack))
	}
}

// readBack is how long a write waits for its own entries.
const readBack = 30 * time.Second

// own refuses writes when another server has taken over, and takes the log
// anew after a write whose outcome is not known, or that the state does not have.
func (s *Server) own(ctx context.Context) error {
	s.mu.Lock()
	refused, lost, damage := s.refused, s.lost, s.damage
	s.mu.Unlock()
	switch {
	case damage != nil:
		return storeError(damage)
	case refused != nil:
		return unavailable(refused)
	case !lost:
		return nil
	}
	end, err := s.log.Own(ctx)
	if err != nil {
		return unavailable(err)
	}
	bound, cancel := context.WithTimeoutCause(ctx, readBack, fmt.Errorf("the log has not been read to its end within %s", readBack))
	defer cancel()
	if err := s.reach(bound, func() bool { return s.next >= end }); err != nil {
		return unavailable(err)
	}
	s.mu.Lock()
	s.lost = false
	s.mu.Unlock()
	return nil
}
