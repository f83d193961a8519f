package walbudget

import (
	"fmt"
	"math"
	"time"
)

// Policy is what happens beyond the limit.
type Policy string

const (
	// Alert goes on telling, and leaves the rest to people and to the server's
	// max_slot_wal_keep_size.
	Alert Policy = "alert"
	// Release drops the slot, so that the server can let its WAL go, and reads
	// all tables anew once the connector can work again.
	Release Policy = "release"
)

// Budget is how many bytes of WAL a slot may keep.
type Budget struct {
	Warn, Limit int64 // 0 for none
	Policy      Policy
}

// Check refuses a budget that contradicts itself.
func (b Budget) Check() error {
	switch {
	case b.Warn < 0 || b.Limit < 0:
		return fmt.Errorf("is negative")
	case b.Policy != Alert && b.Policy != Release:
		return fmt.Errorf("has the policy %q: use alert or release", b.Policy)
	case b.Limit > 0 && b.Warn > b.Limit:
		return fmt.Errorf("warns at %d bytes, beyond its limit of %d: warn earlier", b.Warn, b.Limit)
	case b.Policy == Release && b.Limit == 0:
		return fmt.Errorf("has the policy release without a limit: set the limit")
	}
	return nil
}

// Level is where a slot stands.
type Level int

// The levels, in rising order.
const (
	Within Level = iota
	Warned
	Over
)

func (l Level) String() string {
	switch l {
	case Within:
		return "within"
	case Warned:
		return "warned"
	}
	return "over"
}

// Judge tells the level of a slot that keeps so many bytes.
func (b Budget) Judge(retained int64) Level {
	switch {
	case b.Limit > 0 && retained > b.Limit:
		return Over
	case b.Warn > 0 && retained > b.Warn:
		return Warned
	}
	return Within
}

// Rate estimates how fast WAL is written from the server's position at
// successive times: bytes a second, smoothed over about a minute.
type Rate struct {
	at       time.Time
	position uint64
	rate     float64
	known    bool
}

// smoothing is the time constant of the average.
const smoothing = time.Minute

// Add takes a position in the WAL and the time at which it was read.
func (r *Rate) Add(position uint64, at time.Time) {
	if r.at.IsZero() || position < r.position { // the first, or another history
		*r = Rate{at: at, position: position}
		return
	}
	elapsed := at.Sub(r.at)
	if elapsed <= 0 {
		return
	}
	now := float64(position-r.position) / elapsed.Seconds()
	if r.known {
		weight := 1 - math.Exp(-elapsed.Seconds()/smoothing.Seconds())
		r.rate += weight * (now - r.rate)
	} else {
		r.rate, r.known = now, true
	}
	r.at, r.position = at, position
}

// PerSecond is the present rate in bytes; ok is false while it is not known.
func (r *Rate) PerSecond() (bytes float64, ok bool) { return r.rate, r.known }

// Left is how long it takes at the present rate until so many more bytes are
// written; ok is false while the rate is not known or nothing is written.
func (r *Rate) Left(bytes int64) (left time.Duration, ok bool) {
	if !r.known || r.rate <= 0 {
		return 0, false
	}
	seconds := float64(max(bytes, 0)) / r.rate
	if seconds > (100 * 365 * 24 * time.Hour).Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
