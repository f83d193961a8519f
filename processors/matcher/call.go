package matcher

import (
	"context"
	"errors"
	"fmt"
)

// call is something that a person asks of the desk. It is done between two
// reads, by the goroutine that owns the engine; what it wrote is committed with
// the links that it changed before it is answered.
type call struct {
	do func(context.Context, *desk) error
	// after, which may be nil, looks at what came of it once it is committed.
	after func(*desk)
	err   error
	done  chan error
}

// calls are how those who ask find the goroutine that answers.
type calls struct {
	waiting chan *call
	taken   []*call
}

func newCalls() *calls { return &calls{waiting: make(chan *call)} }

// errUnknown is the answer to whoever asked when the matcher stopped, or was too
// slow.
var errUnknown = errors.New("the matcher did not answer in time: whether it was written is not known; look at the pair again before you repeat it")

// ask has something done, and waits until it is committed.
func (c *calls) ask(ctx context.Context, do func(context.Context, *desk) error, after func(*desk)) error {
	x := &call{do: do, after: after, done: make(chan error, 1)}
	select {
	case c.waiting <- x:
	case <-ctx.Done():
		return fmt.Errorf("the matcher is busy with records: try again in a moment: %w", ctx.Err())
	}
	select {
	case err := <-x.done:
		return err
	case <-ctx.Done():
		return errUnknown
	}
}

// collect takes what waits, without waiting for more.
func (c *calls) collect() {
	for {
		select {
		case x := <-c.waiting:
			c.taken = append(c.taken, x)
		default:
			return
		}
	}
}

// serve does what was collected. Its error ends the matcher.
func (c *calls) serve(ctx context.Context, d *desk) error {
	for _, x := range c.taken {
		x.err = x.do(ctx, d)
		var ends *fatalError
		if errors.As(x.err, &ends) {
			return x.err
		}
	}
	return nil
}

// collected tells whether somebody waits for an answer.
func (c *calls) collected() bool { return len(c.taken) > 0 }

// answer tells those whose calls are committed.
func (c *calls) answer(d *desk) {
	for _, x := range c.taken {
		if x.err == nil && x.after != nil {
			x.after(d)
		}
		x.done <- x.err
	}
	c.taken = c.taken[:0]
}

// errStandby is the answer of a matcher that does not solve.
var errStandby = errors.New("this matcher stands by for another, which answers: ask that one")

// refuse tells those who wait that another answers.
func (c *calls) refuse() {
	for _, x := range c.taken {
		x.done <- errStandby
	}
	c.taken = c.taken[:0]
}

// leave tells those whose calls may not be.
func (c *calls) leave() {
	for _, x := range c.taken {
		x.done <- errUnknown
	}
	c.taken = nil
}
