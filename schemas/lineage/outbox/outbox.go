package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hopluu/hopluu/schemas/lineage"
)

const (
	// room is how many events wait at most (P8).
	room = 512
	// patience bounds the sending of one event, and closing that of what waits.
	patience = 10 * time.Second
	closing  = 5 * time.Second
)

// Config says where events go.
type Config struct {
	// URL is that of an OpenLineage server, to which events are posted
	// (/api/v1/lineage when it has no path of its own), or file:///PATH, to which
	// they are appended, one a line.
	URL string
	// Key is sent as a bearer token, if it is not empty.
	Key     string
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Outbox sends events beside the work that they tell of. It may be used by many
// goroutines.
type Outbox struct {
	Config
	send    func(context.Context, []byte) error
	queue   chan lineage.Event
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	sent    prometheus.Counter
	dropped prometheus.Counter
	waiting atomic.Int64

	mu     sync.Mutex
	closed bool
	losing bool // since the last event that was sent
}

// New makes an outbox. Close ends it.
func New(c Config) (*Outbox, error) {
	o := &Outbox{Config: c, queue: make(chan lineage.Event, room), done: make(chan struct{})}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, errors.New("openlineage.url cannot be read: write http://host:5000, https://host or file:///PATH")
	case u.Scheme == "file":
		o.send = appendTo(u.Path)
	default:
		if strings.Trim(u.Path, "/") == "" {
			u.Path = "/api/v1/lineage"
		}
		o.send = postTo(u.String(), c.Key)
	}
	o.sent = prometheus.NewCounter(prometheus.CounterOpts{Name: "hopluu_lineage_events_sent_total", Help: "OpenLineage events that were sent."})
	o.dropped = prometheus.NewCounter(prometheus.CounterOpts{Name: "hopluu_lineage_events_dropped_total", Help: "OpenLineage events that were given up, because the server did not take them in time. Lineage is advice: no data is lost by it."})
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hopluu_lineage_events_waiting", Help: "OpenLineage events that wait to be sent, or are under way."}, func() float64 { return float64(o.waiting.Load()) })
	if c.Metrics != nil {
		c.Metrics.MustRegister(o.sent, o.dropped, waiting)
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	go o.run()
	return o, nil
}

// Put hands an event over, and never waits: when too many wait already it is
// dropped and counted.
func (o *Outbox) Put(e lineage.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	select {
	case o.queue <- e:
		o.waiting.Add(1)
	default:
		o.lost(errors.New("too many events wait for the server"))
	}
}

// lost counts an event that is given up; the first of a row of them is told. The
// lock is held.
func (o *Outbox) lost(why error) {
	o.dropped.Inc()
	if !o.losing {
		o.losing = true
		o.Log.Warn("lineage events are dropped until their server takes them again; the data flow goes on", "error", why)
	}
}

func (o *Outbox) run() {
	defer close(o.done)
	for e := range o.queue {
		text, err := json.Marshal(e)
		if err == nil {
			var ctx context.Context
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(o.ctx, patience)
			err = o.send(ctx, text)
			cancel()
		}
		o.waiting.Add(-1)
		o.mu.Lock()
		if err != nil {
			o.lost(err)
		} else {
			o.sent.Inc()
			if o.losing {
				o.losing = false
				o.Log.Info("the lineage server takes events again")
			}
		}
		o.mu.Unlock()
	}
}

// Close sends what waits, for a few seconds at most, and gives up the rest.
func (o *Outbox) Close() {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		close(o.queue)
	}
	o.mu.Unlock()
	t := time.AfterFunc(closing, o.cancel)
	defer t.Stop()
	<-o.done
	o.cancel()
}

// postTo posts events. What is refused is not sent again: a later one of the run
// says the same.
func postTo(address, key string) func(context.Context, []byte) error {
	client := &http.Client{}
	return func(ctx context.Context, text []byte) (err error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		if key != "" {
			request.Header.Set("Authorization", "Bearer "+key)
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, answer.Body.Close()) }()
		said, err := io.ReadAll(io.LimitReader(answer.Body, 500))
		if err != nil {
			return err
		}
		if answer.StatusCode/100 != 2 {
			return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(said)))
		}
		return nil
	}
}

func appendTo(path string) func(context.Context, []byte) error {
	return func(_ context.Context, text []byte) (err error) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		_, err = file.Write(append(text, '\n'))
		return err
	}
}
