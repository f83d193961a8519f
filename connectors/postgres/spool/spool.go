package spool

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
)

// Config says how much a Spool may take, and where.
type Config struct {
	// Dir is for the temporary files; empty is the system's.
	Dir string
	// MemoryBytes of all transactions together; what is beyond goes to files.
	// A frame that is larger by itself is still kept whole for a moment.
	MemoryBytes int
}

// DefaultMemoryBytes is the bound unless the configuration says another.
const DefaultMemoryBytes = 8 << 20

// Spool keeps the transactions in progress of one stream. One goroutine at a
// time.
type Spool struct {
	config       Config
	open         func(dir string) (storage, error)
	transactions map[uint32]*transaction
	blockBytes   int
	memory       int      // of the blocks that hold records
	free         [][]byte // blocks to be used again
	disk         int64
	scratch      scratch
}

// The size of a block: small enough that a small transaction takes little,
// large enough to be compressed well.
const (
	maxBlockBytes = 64 << 10
	minBlockBytes = 64
)

// New makes an empty spool. It makes no file before it needs one.
func New(config Config) *Spool {
	config.MemoryBytes = cmp.Or(config.MemoryBytes, DefaultMemoryBytes)
	config.Dir = cmp.Or(config.Dir, os.TempDir())
	return &Spool{config: config, open: openFile, transactions: map[uint32]*transaction{},
		blockBytes: min(max(config.MemoryBytes/16, minBlockBytes), maxBlockBytes)}
}

// Try tells whether a file can be made, so that a folder that cannot be written
// is known before a transaction needs it. The error is a *DiskError.
func (s *Spool) Try() error {
	f, err := s.open(s.config.Dir)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return &DiskError{Dir: s.config.Dir, Err: err}
	}
	return nil
}

// DiskError says that what does not fit into memory cannot be put into files
// either. Nothing of it was confirmed: it is sent again.
type DiskError struct {
	Dir string
	Err error
}

func (e *DiskError) Error() string {
	return fmt.Sprintf("transactions in progress that are larger than memory cannot be kept in %s: %v: make room there, or name another folder as spool_dir", e.Dir, e.Err)
}

func (e *DiskError) Unwrap() error { return e.Err }

// Errors of a stream that cannot be what a server sends.
var (
	ErrKnown   = errors.New("the transaction is in progress already")
	ErrUnknown = errors.New("no such transaction is in progress")
	ErrAborted = errors.New("a change of a subtransaction that was rolled back")
)

// Start begins to keep a transaction.
func (s *Spool) Start(xid uint32) error {
	if s.transactions[xid] != nil {
		return ErrKnown
	}
	s.transactions[xid] = &transaction{xid: xid, aborted: xidSet{}}
	return nil
}

// Known tells whether the transaction is in progress.
func (s *Spool) Known(xid uint32) bool { return s.transactions[xid] != nil }

// Add keeps a frame of a transaction that was started, as one of its
// subtransaction, which is xid itself for what stands outside of any. The frame
// is copied. Frames come in the order of their Arrival. After an error the
// spool is good for nothing but to be closed.
func (s *Spool) Add(xid, subxid uint32, f Frame) error {
	t := s.transactions[xid]
	if t == nil {
		return ErrUnknown
	}
	if t.aborted.has(subxid) {
		return ErrAborted
	}
	need := recordHead + len(f.Data)
	last := len(t.blocks) - 1
	if last < 0 || cap(t.blocks[last])-len(t.blocks[last]) < need {
		if err := s.room(max(need, s.blockBytes)); err != nil {
			return err
		}
		block := s.block(need)
		t.blocks = append(t.blocks, block)
		t.memory += cap(block)
		s.memory += cap(block)
		last = len(t.blocks) - 1
	}
	t.blocks[last] = t.appendRecord(t.blocks[last], subxid, f)
	return nil
}

// block gives an empty block.
func (s *Spool) block(need int) []byte {
	if need > s.blockBytes {
		for n := len(s.free); n > 0 && s.memory+need+n*s.blockBytes > s.config.MemoryBytes; n-- {
			s.free = s.free[:n-1]
		}
		s.free = slices.Clip(s.free)
		return make([]byte, 0, need)
	}
	if n := len(s.free); n > 0 {
		block := s.free[n-1]
		s.free = s.free[:n-1]
		return block
	}
	return make([]byte, 0, s.blockBytes)
}

// release takes the blocks of a transaction back.
func (s *Spool) release(t *transaction) {
	for _, b := range t.blocks {
		if cap(b) == s.blockBytes {
			s.free = append(s.free, b[:0])
		}
	}
	s.memory -= t.memory
	t.blocks, t.memory = nil, 0
}

// room puts the largest transactions into their files until a block of n bytes
// fits into memory (P8).
func (s *Spool) room(n int) error {
	for s.memory > 0 && s.memory+n > s.config.MemoryBytes {
		if err := s.spill(largest(s.transactions)); err != nil {
			return &DiskError{Dir: s.config.Dir, Err: err}
		}
	}
	return nil
}

// largest gives the transaction that takes the most memory: emptying it is what
// gives the most room for one file.
func largest(transactions map[uint32]*transaction) *transaction {
	return slices.MaxFunc(slices.Collect(maps.Values(transactions)), func(a, b *transaction) int {
		return cmp.Or(cmp.Compare(a.memory, b.memory), cmp.Compare(a.xid, b.xid))
	})
}

func (s *Spool) spill(t *transaction) error {
	if t.file == nil {
		storage, err := s.open(s.config.Dir)
		if err != nil {
			return err
		}
		if t.file, err = newFile(storage); err != nil {
			return errors.Join(err, storage.Close())
		}
	}
	defer s.scratch.trim()
	before := t.file.size
	for _, b := range t.blocks {
		if err := t.file.append(&s.scratch, b); err != nil {
			return err
		}
	}
	s.disk += t.file.size - before
	s.release(t)
	return nil
}

// Abort drops the frames of a subtransaction, and no others: the server tells
// of each one that is rolled back, also of those within it. With subxid as xid
// it drops the whole transaction. One that is unknown is none of our business:
// servers tell of transactions of which they sent nothing (case 4).
func (s *Spool) Abort(xid, subxid uint32) error {
	t := s.transactions[xid]
	switch {
	case t == nil:
		return nil
	case subxid == xid:
		return s.Drop(xid)
	}
	t.aborted.add(subxid)
	return nil
}

// Replay gives the frames of a transaction that are left, in the order in which
// they came. A frame is valid until the next one; the spool must not be changed
// meanwhile. It can be replayed until it is dropped.
func (s *Spool) Replay(xid uint32) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		t := s.transactions[xid]
		if t == nil {
			yield(Frame{}, ErrUnknown)
			return
		}
		var arrival uint64
		walk := func(block []byte) (bool, error) {
			return t.walk(block, &arrival, func(f Frame) bool { return yield(f, nil) })
		}
		more, err := true, error(nil)
		if t.file != nil {
			defer s.scratch.trim()
			more, err = t.file.each(&s.scratch, walk)
		}
		for _, b := range t.blocks {
			if !more || err != nil {
				break
			}
			more, err = walk(b)
		}
		if err != nil {
			yield(Frame{}, fmt.Errorf("transaction %d: %w", xid, err))
		}
	}
}

// Drop forgets a transaction.
func (s *Spool) Drop(xid uint32) error {
	t := s.transactions[xid]
	if t == nil {
		return nil
	}
	delete(s.transactions, xid)
	s.release(t)
	if t.file == nil {
		return nil
	}
	s.disk -= t.file.size
	return t.file.Close()
}

// Close forgets all transactions.
func (s *Spool) Close() error {
	var errs []error
	for xid := range s.transactions {
		errs = append(errs, s.Drop(xid))
	}
	return errors.Join(errs...)
}

// Usage is what a spool holds.
type Usage struct {
	Transactions int
	MemoryBytes  int
	DiskBytes    int64
}

// Usage tells what the spool holds now.
func (s *Spool) Usage() Usage {
	return Usage{Transactions: len(s.transactions), MemoryBytes: s.memory, DiskBytes: s.disk}
}
