package reconcile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// cell is a canonical text or NULL.
type cell struct {
	null bool
	text []byte
}

// row is what the comparison keeps of a row.
type row struct {
	key  []string
	hash uint64
	// erased: it is of an erased person, and ClickHouse is not to have it (P12).
	erased bool
}

// hashRow makes one number of a row's cells: lengths keep ("a","bc") and
// ("ab","c") apart, NULL has a length of its own.
func hashRow(digest *xxhash.Digest, cells []cell) uint64 {
	digest.Reset()
	var length [8]byte
	for _, c := range cells {
		n := uint64(len(c.text))
		if c.null {
			n = 1<<64 - 1
		}
		binary.LittleEndian.PutUint64(length[:], n)
		// A digest's Write never fails.
		_, _ = digest.Write(length[:])
		_, _ = digest.Write(c.text)
	}
	return digest.Sum64()
}

// compareKeys orders keys as both servers order them: integers as numbers,
// everything else as bytes.
func compareKeys(integer []bool, a, b []string) int {
	for i := range a {
		if c := compareKey(integer[i], a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareKey(integer bool, a, b string) int {
	if integer {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
	}
	return bytes.Compare([]byte(a), []byte(b))
}

// Range is a run of keys with the checksum of both sides.
type Range struct {
	From               string `json:"from"`
	To                 string `json:"to"`
	SourceRows         int64  `json:"source_rows"`
	ClickHouseRows     int64  `json:"clickhouse_rows"`
	SourceChecksum     string `json:"source_checksum"`
	ClickHouseChecksum string `json:"clickhouse_checksum"`
	// number counts the ranges of a table, those that agree among them.
	number int
}

// side sums up one side of a range or a table.
type side struct {
	rows int64
	sum  uint64 // of row hashes: the same whatever their order
}

func (s *side) add(hash uint64) { s.rows++; s.sum += hash }

func (s side) checksum() string { return fmt.Sprintf("%016x", s.sum) }

// rangeRows is how many rows of the source a range has.
const rangeRows = 10_000

// maxSuspects bounds the keys that are kept to be looked at again.
const maxSuspects = 200_000

// difference says what is wrong with a key.
type difference string

const (
	missing   difference = "missing"   // only in the source
	extra     difference = "extra"     // only in ClickHouse
	different difference = "different" // in both, with other values
)

// suspect is a key that differs.
type suspect struct {
	difference
	key []string
	// place orders the suspects of a table as its keys; inRange is the number of
	// the range that holds it.
	place, inRange int
}

// merger compares two streams of rows in key order.
type merger struct {
	integer            []bool
	source, clickhouse side
	ranges             []Range
	suspects           map[string]suspect
	overflow           bool
	erased             int64 // rows of the source that are erased
	duplicates         int64 // rows of ClickHouse whose key came twice
	last               []string

	place      int
	number     int
	from, to   []string
	rangeLeft  side
	rangeRight side
}

func (m *merger) step(key []string, left, right *row) {
	m.place++
	if m.from == nil {
		m.from = key
	}
	m.to = key
	if left != nil {
		m.source.add(left.hash)
		m.rangeLeft.add(left.hash)
	}
	if right != nil {
		if m.last != nil && compareKeys(m.integer, m.last, right.key) == 0 {
			m.duplicates++
		}
		m.last = right.key
		m.clickhouse.add(right.hash)
		m.rangeRight.add(right.hash)
	}
	kind := different
	switch {
	case left == nil:
		kind = extra
	case right == nil:
		kind = missing
	case left.hash == right.hash:
		kind = ""
	}
	if kind != "" {
		if len(m.suspects) < maxSuspects {
			m.suspects[keyText(key)] = suspect{kind, key, m.place, m.number}
		} else {
			m.overflow = true
		}
	}
	if m.rangeLeft.rows+m.rangeRight.rows >= 2*rangeRows {
		m.closeRange()
	}
}

func (m *merger) closeRange() {
	if m.from == nil {
		return
	}
	if m.rangeLeft != m.rangeRight {
		m.ranges = append(m.ranges, Range{
			From: keyText(m.from), To: keyText(m.to), SourceRows: m.rangeLeft.rows, ClickHouseRows: m.rangeRight.rows,
			SourceChecksum: m.rangeLeft.checksum(), ClickHouseChecksum: m.rangeRight.checksum(), number: m.number,
		})
	}
	m.number++
	m.from, m.to, m.rangeLeft, m.rangeRight = nil, nil, side{}, side{}
}

// merge walks both sides; next gives nil at the end.
func (m *merger) merge(all, right func() (*row, error)) error {
	left := func() (*row, error) {
		for {
			r, err := all()
			if r == nil || !r.erased {
				return r, err
			}
			m.erased++
		}
	}
	l, err := left()
	if err != nil {
		return err
	}
	r, err := right()
	if err != nil {
		return err
	}
	for l != nil || r != nil {
		order := 0
		switch {
		case l == nil:
			order = 1
		case r == nil:
			order = -1
		default:
			order = compareKeys(m.integer, l.key, r.key)
		}
		switch {
		case order < 0:
			m.step(l.key, l, nil)
		case order > 0:
			m.step(r.key, nil, r)
		default:
			m.step(l.key, l, r)
		}
		if order <= 0 {
			if l, err = left(); err != nil {
				return err
			}
		}
		if order >= 0 {
			if r, err = right(); err != nil {
				return err
			}
		}
	}
	m.closeRange()
	return nil
}
