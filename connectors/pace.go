package connectors

import (
	"context"
	"sync"
	"time"
)

// pace limits how many rows a second the readers of a snapshot take together
// from the source; 0 is no limit.
type pace struct {
	perSecond int
	mu        sync.Mutex
	next      time.Time // when the next row may be read
}

// paceRows is how many rows are asked for at once.
const paceRows = 64

// wait takes n rows and waits until they are due.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.perSecond <= 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	due := p.next
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.perSecond))
	p.mu.Unlock()
	if !due.After(now) {
		return nil
	}
	timer := time.NewTimer(due.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
