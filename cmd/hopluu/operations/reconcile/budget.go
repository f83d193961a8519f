package reconcile

import "time"

// Budget bounds what the comparison in the background takes (P7).
type Budget struct {
	// Share is the part of the time in which it may have a source or ClickHouse
	// work, above 0 up to 1.
	Share float64
	// RowsPerSecond is how many rows or events it may compare; 0 sets no limit.
	RowsPerSecond int
}

// rest is how long to rest after work that took so long and compared so many
// rows. Waiting for the sink is no work.
func (b Budget) rest(took time.Duration, rows int64) time.Duration {
	var rest time.Duration
	if b.Share > 0 && b.Share < 1 {
		rest = time.Duration(float64(took) * (1/b.Share - 1))
	}
	if b.RowsPerSecond > 0 {
		rest = max(rest, time.Duration(float64(rows)/float64(b.RowsPerSecond)*float64(time.Second))-took)
	}
	return rest
}
