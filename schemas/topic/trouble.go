package topic

import (
	"fmt"
	"sync"
	"time"
)

// calls are the requests that a client waits for.
type calls struct {
	mu   sync.Mutex
	open map[*call]struct{}
}

// call is one of them, with how its last attempt failed.
type call struct {
	began time.Time
	err   error
}

func (c *calls) begin() *call {
	this := &call{began: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*call]struct{}{}
	}
	c.open[this] = struct{}{}
	return this
}

func (c *calls) failed(this *call, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	this.err = err
}

func (c *calls) end(this *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, this)
}

// Trouble tells what the client has been waiting for longer than that, nil when
// for nothing. A call that is retried gives its error only when patience is
// over; this tells it before, to whoever asks how things are.
func (c *Client) Trouble(longer time.Duration) error {
	c.calls.mu.Lock()
	defer c.calls.mu.Unlock()
	var oldest *call
	for this := range c.calls.open {
		if time.Since(this.began) > longer && (oldest == nil || this.began.Before(oldest.began)) {
			oldest = this
		}
	}
	if oldest == nil {
		return nil
	}
	waited := time.Since(oldest.began).Round(time.Second)
	if oldest.err == nil {
		return fmt.Errorf("waiting for Kafka for %s: it has not answered: see that its brokers run", waited)
	}
	return fmt.Errorf("waiting for Kafka for %s: %w: see that its brokers run and have room on their disks", waited, oldest.err)
}
