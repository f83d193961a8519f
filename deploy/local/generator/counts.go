package generator

import (
	"maps"
	"sync"
)

// Count is how many rows of a table were written, in committed transactions.
type Count struct {
	Inserted, Updated, Deleted int64
	Truncated                  int64 // rows that a TRUNCATE emptied away
}

// Rows is the number of row changes.
func (c Count) Rows() int64 { return c.Inserted + c.Updated + c.Deleted + c.Truncated }

// Counts are the counts of each table, by "sector.table".
type Counts map[string]Count

// Rows is the number of row changes over all tables.
func (c Counts) Rows() int64 {
	var n int64
	for _, t := range c {
		n += t.Rows()
	}
	return n
}

// Merge gives the sums of two counts.
func (c Counts) Merge(other Counts) Counts {
	sum := maps.Clone(c)
	if sum == nil {
		sum = Counts{}
	}
	for name, t := range other {
		s := sum[name]
		sum[name] = Count{s.Inserted + t.Inserted, s.Updated + t.Updated, s.Deleted + t.Deleted, s.Truncated + t.Truncated}
	}
	return sum
}

// tally gathers counts of several sectors at once.
type tally struct {
	mu sync.Mutex
	by Counts
}

func newCounts() *tally { return &tally{by: Counts{}} }

func (t *tally) add(sector, table string, c Count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.by = t.by.Merge(Counts{sector + "." + table: c})
}

func (t *tally) result() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.by)
}
