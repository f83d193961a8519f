package txn

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
)

// server is a model of what a PostgreSQL server sends of one workload, to one
// reader: whole transactions at their commit, or segments as it pleases.
type server struct {
	random *rand.Rand
	// cut is how often, in a thousand changes, a segment is sent; 0 is protocol
	// version 1.
	cut      int
	out      [][]byte
	sent     map[uint32]int            // columns of the tables as last described to whole transactions
	streamed map[uint32]map[uint32]int // transactions in segments, and the tables described in them
	partly   map[uint32]bool           // subtransactions of which something was sent
	pending  map[uint32][]change       // by transaction
}

type change struct {
	subxid, table uint32
	columns       int
	text          string
}

func (c change) frame() []byte {
	f := frame('I', be32(c.table), []byte{'N', 0, byte(c.columns)})
	for range c.columns {
		f = append(f, frame('t', be32(uint32(len(c.text))), []byte(c.text))...)
	}
	return f
}

func describe(table uint32, columns int) []byte {
	return append(frame('R', be32(table)), relation(columns)[5:]...)
}

func newServer(seed uint64, cut int) *server {
	return &server{random: rand.New(rand.NewPCG(seed, uint64(cut))), cut: cut, sent: map[uint32]int{}, streamed: map[uint32]map[uint32]int{},
		partly: map[uint32]bool{}, pending: map[uint32][]change{}}
}

func (s *server) change(xid uint32, c change) {
	s.pending[xid] = append(s.pending[xid], c)
	if s.random.IntN(1000) < s.cut {
		s.segment(xid)
	}
}

func (s *server) segment(xid uint32) {
	described, again := s.streamed[xid]
	first := byte(1)
	if again {
		first = 0
	} else {
		described = map[uint32]int{}
		s.streamed[xid] = described
	}
	s.out = append(s.out, start(xid, first))
	for _, c := range s.pending[xid] {
		s.partly[c.subxid] = true
		if described[c.table] != c.columns {
			described[c.table] = c.columns
			s.out = append(s.out, in(c.subxid, describe(c.table, c.columns)))
		}
		s.out = append(s.out, in(c.subxid, c.frame()))
	}
	s.out = append(s.out, stop)
	delete(s.pending, xid)
}

func (s *server) abort(xid, subxid uint32) {
	s.pending[xid] = slices.DeleteFunc(s.pending[xid], func(c change) bool { return subxid == xid || c.subxid == subxid })
	if s.partly[subxid] || subxid == xid && s.streamed[xid] != nil {
		s.out = append(s.out, abort(xid, subxid))
		clear(s.streamed[xid])
	}
	if subxid == xid {
		delete(s.streamed, xid)
	}
}

func (s *server) commit(xid uint32, lsn uint64) {
	if described, ok := s.streamed[xid]; ok {
		s.segment(xid)
		s.out = append(s.out, streamCommit(xid, lsn))
		maps.Copy(s.sent, described)
		delete(s.streamed, xid)
		return
	}
	s.out = append(s.out, begin(xid, lsn))
	for _, c := range s.pending[xid] {
		if s.sent[c.table] != c.columns {
			s.sent[c.table] = c.columns
			s.out = append(s.out, describe(c.table, c.columns))
		}
		s.out = append(s.out, c.frame())
	}
	s.out = append(s.out, commit(lsn))
	delete(s.pending, xid)
}

// workload runs transactions that interleave, with savepoints and ALTER TABLE,
// on all servers alike.
func workload(seed uint64, servers []*server) {
	random := rand.New(rand.NewPCG(20260302, seed))
	type level struct {
		subxids []uint32       // the savepoint and those released within it
		columns map[uint32]int // before an ALTER TABLE in it
	}
	type transaction struct {
		xid    uint32
		levels []level
		used   map[uint32]bool
		owns   map[uint32]bool // tables that it altered: it alone may use them
	}
	var open []*transaction
	columns := map[uint32]int{1: 1, 2: 2, 3: 1}
	next, lsn := uint32(100), uint64(1000)
	all := func(f func(s *server)) {
		for _, s := range servers {
			f(s)
		}
	}
	// back undoes a level.
	back := func(x *transaction, l level) {
		for _, subxid := range l.subxids {
			if subxid != x.xid {
				all(func(s *server) { s.abort(x.xid, subxid) })
			}
		}
		for table, n := range l.columns {
			columns[table] = n
		}
	}
	end := func(i int) { open = slices.Delete(open, i, i+1) }
	for range 300 {
		dice := random.IntN(100)
		if len(open) == 0 || dice < 5 && len(open) < 5 {
			next++
			open = append(open, &transaction{next, []level{{[]uint32{next}, map[uint32]int{}}}, map[uint32]bool{}, map[uint32]bool{}})
			continue
		}
		i := random.IntN(len(open))
		x := open[i]
		top := len(x.levels) - 1
		table := uint32(1 + random.IntN(3))
		others := func(f func(*transaction) bool) bool {
			return slices.ContainsFunc(open, func(o *transaction) bool { return o != x && f(o) })
		}
		switch {
		case dice < 65:
			if others(func(o *transaction) bool { return o.owns[table] }) {
				continue // it would wait
			}
			x.used[table] = true
			c := change{x.levels[top].subxids[0], table, columns[table], fmt.Sprintf("%d", random.IntN(1e6))}
			all(func(s *server) { s.change(x.xid, c) })
		case dice < 70: // ALTER TABLE
			if others(func(o *transaction) bool { return o.used[table] || o.owns[table] }) {
				continue
			}
			x.owns[table] = true
			if _, ok := x.levels[top].columns[table]; !ok {
				x.levels[top].columns[table] = columns[table]
			}
			columns[table] = 1 + random.IntN(4)
		case dice < 80: // SAVEPOINT
			next++
			x.levels = append(x.levels, level{[]uint32{next}, map[uint32]int{}})
		case dice < 84 && top > 0: // RELEASE
			l := x.levels[top]
			into := &x.levels[top-1]
			into.subxids = append(into.subxids, l.subxids...)
			for table, n := range l.columns {
				if _, ok := into.columns[table]; !ok {
					into.columns[table] = n
				}
			}
			x.levels = x.levels[:top]
		case dice < 92 && top > 0: // ROLLBACK TO
			to := 1 + random.IntN(top)
			for k := top; k >= to; k-- {
				back(x, x.levels[k])
			}
			x.levels = x.levels[:to]
		case dice < 98: // COMMIT
			lsn += 10
			all(func(s *server) { s.commit(x.xid, lsn) })
			end(i)
		default: // ROLLBACK
			for k := top; k >= 0; k-- {
				back(x, x.levels[k])
			}
			all(func(s *server) { s.abort(x.xid, x.xid) })
			end(i)
		}
	}
	for len(open) > 0 {
		lsn += 10
		all(func(s *server) { s.commit(open[0].xid, lsn) })
		end(0)
	}
}

// P6: one workload, sent whole and in segments cut in many ways, comes out as
// the same messages in the same order, so that the same ordinals are counted;
// and every row stands under the description that it was written by.
func TestSegmentsAreCutAnywhere(t *testing.T) {
	for seed := range uint64(300) {
		servers := []*server{newServer(seed, 0), newServer(seed, 30), newServer(seed, 300), newServer(seed, 1000)}
		workload(seed, servers)
		var want [][]byte
		for i, s := range servers {
			out, err := feed(newAssembler(t, 1+int(seed)*16), s.out...)
			require.NoError(t, err, "seed %d, server %d", seed, i)
			if i == 0 {
				requireFrames(t, s.out, out)
			}
			changes := fitting(t, out)
			if i == 0 {
				want = changes
			}
			requireFrames(t, want, changes)
		}
	}
}

// fitting leaves the descriptions out and wants each row to have the columns
// that were last described.
func fitting(t *testing.T, frames [][]byte) (rest [][]byte) {
	var d pgoutput.Decoder
	columns := map[uint32]int{}
	for _, f := range frames {
		m, err := d.Decode(f)
		require.NoError(t, err)
		switch m := m.(type) {
		case *pgoutput.Relation:
			columns[m.OID] = len(m.Columns)
			continue
		case *pgoutput.Insert:
			require.Len(t, m.New, columns[m.Relation])
		}
		rest = append(rest, f)
	}
	return rest
}
