package txn

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/spool"
	"github.com/hopluu/hopluu/schemas/event"
)

// Step is what becomes of a message.
type Step uint8

const (
	// Pass: the message is one of protocol version 1 and stands in its place.
	Pass Step = iota
	// Kept: it belongs to a transaction that is not committed yet, or ends one
	// that never will be. Nothing follows from it now.
	Kept
	// Commit: it commits a transaction, whose messages Committed gives. They
	// take the place of this one.
	Commit
)

// Assembler is the state of one connection's stream. One goroutine at a time.
type Assembler struct {
	spool   *spool.Spool
	decoder pgoutput.Decoder
	arrival uint64 // messages so far

	phase phase
	open  uint32 // the transaction of the segment or of the prepare

	committed pgoutput.StreamCommit // the last one that was committed
	// described are the tables as the server believes us to know them for
	// transactions that it sends whole.
	described map[uint32]description
	// seen are the tables that the prepare being received has described.
	seen map[uint32]bool
	// prepared are the transactions that wait for COMMIT PREPARED, each with
	// the LSN of its prepare.
	prepared map[uint32]event.LSN

	message []byte // memory of Begin and Commit
}

type phase uint8

const (
	between phase = iota
	whole         // Begin was, Commit was not
	segment       // Stream Start was, Stream Stop was not
	prepare       // Begin Prepare was, Prepare was not
)

type description struct {
	arrival uint64
	frame   []byte
}

// New makes an assembler for a new connection. The spool is to be empty; it
// remains the caller's to close.
func New(s *spool.Spool) *Assembler {
	return &Assembler{spool: s, described: map[uint32]description{}, prepared: map[uint32]event.LSN{}}
}

// Take takes in the next message. Its memory is the assembler's unless the step
// is Pass. An error ends the stream: what follows could not be placed (P3). It
// is a *pgoutput.FrameError, a *spool.DiskError, a *LostError, or an *OrderError.
func (a *Assembler) Take(frame []byte) (Step, error) {
	a.arrival++
	var kind byte
	if len(frame) > 0 {
		kind = frame[0]
	}
	switch a.phase {
	case segment:
		return Kept, a.inSegment(kind, frame)
	case prepare:
		return a.inPrepare(kind, frame)
	}
	switch kind {
	case 'I', 'U', 'D', 'T', 'Y', 'O', 'M':
		return Pass, nil
	case 'B':
		a.phase = whole
		return Pass, nil
	case 'C':
		a.phase = between
		return Pass, nil
	}
	m, err := a.decoder.Decode(frame)
	if err != nil {
		return Kept, err
	}
	switch m := m.(type) {
	case *pgoutput.Relation:
		a.describe(m.OID, frame)
		return Pass, nil
	case *pgoutput.StreamStart:
		return Kept, a.start(m)
	case *pgoutput.StreamCommit:
		if !a.spool.Known(m.Xid) {
			return Kept, a.wrong(kind, m.Xid, spool.ErrUnknown)
		}
		return a.commit(*m)
	case *pgoutput.StreamAbort:
		return Kept, a.spool.Abort(m.Xid, m.Subxid)
	case *pgoutput.BeginPrepare:
		if err := a.enter(prepare, kind); err != nil {
			return Kept, err
		}
		a.open, a.seen = m.Xid, map[uint32]bool{}
		if err := a.spool.Start(m.Xid); err != nil {
			return Kept, a.wrong(kind, m.Xid, err)
		}
		return Kept, nil
	case *pgoutput.StreamPrepare:
		if !a.spool.Known(m.Xid) {
			return Kept, a.wrong(kind, m.Xid, spool.ErrUnknown)
		}
		a.prepared[m.Xid] = m.PrepareLSN
		return Kept, nil
	case *pgoutput.CommitPrepared:
		if _, ok := a.prepared[m.Xid]; !ok {
			return Kept, &LostError{Xid: m.Xid, GID: m.GID, LSN: m.CommitLSN}
		}
		return a.commit(pgoutput.StreamCommit{Xid: m.Xid, Flags: m.Flags, CommitLSN: m.CommitLSN, EndLSN: m.EndLSN, CommitMicros: m.CommitMicros})
	case *pgoutput.RollbackPrepared:
		delete(a.prepared, m.Xid)
		return Kept, a.spool.Abort(m.Xid, m.Xid)
	}
	return Kept, a.wrong(kind, 0, errOrder)
}

// OrderError says that a message cannot stand where it stands.
type OrderError struct {
	Kind byte
	Xid  uint32 // 0 when the message names none
	Err  error
}

func (e *OrderError) Error() string {
	if e.Xid == 0 {
		return fmt.Sprintf("pgoutput message %q: %v", e.Kind, e.Err)
	}
	return fmt.Sprintf("pgoutput message %q of transaction %d: %v", e.Kind, e.Xid, e.Err)
}

func (e *OrderError) Unwrap() error { return e.Err }

var errOrder = errors.New("it cannot stand here")

func (a *Assembler) wrong(kind byte, xid uint32, err error) error {
	return &OrderError{Kind: kind, Xid: xid, Err: err}
}

// LostError says that a transaction was committed of which the slot's former
// reader got the changes: they were confirmed, and are not sent again.
type LostError struct {
	Xid uint32
	GID string
	LSN event.LSN
}

func (e *LostError) Error() string {
	return fmt.Sprintf("prepared transaction %q (%d) was committed at %s, but its changes were confirmed by another reader of the slot and are not sent again", e.GID, e.Xid, e.LSN)
}

// enter begins a segment or a prepare. That Begin and Commit follow one another
// is for the reader of what comes out to see.
func (a *Assembler) enter(next phase, kind byte) error {
	if a.phase != between {
		return a.wrong(kind, 0, errOrder)
	}
	a.phase = next
	return nil
}

func (a *Assembler) describe(oid uint32, frame []byte) {
	a.described[oid] = description{a.arrival, bytes.Clone(frame)}
}

func (a *Assembler) start(m *pgoutput.StreamStart) error {
	if err := a.enter(segment, 'S'); err != nil {
		return err
	}
	a.open = m.Xid
	switch {
	case m.First:
		if err := a.spool.Start(m.Xid); err != nil {
			return a.wrong('S', m.Xid, err)
		}
	case !a.spool.Known(m.Xid):
		return a.wrong('S', m.Xid, spool.ErrUnknown)
	}
	return nil
}

func (a *Assembler) inSegment(kind byte, frame []byte) error {
	switch kind {
	case 'E':
		a.phase = between
		_, err := a.decoder.Decode(frame)
		return err
	case 'O':
		return nil // where it was first committed is of no use to us
	}
	subxid, plain, err := pgoutput.Unwrap(frame)
	if err != nil {
		return err
	}
	if kind == 'M' || kind == 'Y' {
		// They carry nothing that a row needs, and a message does not say of
		// which subtransaction it is: who wants messages asks for whole
		// transactions.
		return nil
	}
	return a.keep(kind, subxid, plain)
}

func (a *Assembler) keep(kind byte, subxid uint32, frame []byte) error {
	err := a.spool.Add(a.open, subxid, spool.Frame{Arrival: a.arrival, Data: frame})
	if errors.Is(err, spool.ErrAborted) || errors.Is(err, spool.ErrUnknown) {
		return a.wrong(kind, subxid, err)
	}
	return err
}

// inPrepare keeps what comes between Begin Prepare and Prepare. There the server
// describes tables only if it did not do so before, also in transactions that
// are committed by now and whose descriptions may be out of date when this one
// is committed: what holds now is kept with it.
func (a *Assembler) inPrepare(kind byte, frame []byte) (Step, error) {
	m, err := a.decoder.Decode(frame)
	if err != nil {
		return Kept, err
	}
	var relations []uint32
	switch m := m.(type) {
	case *pgoutput.Prepare:
		if m.Xid != a.open {
			return Kept, a.wrong(kind, m.Xid, errOrder)
		}
		a.phase = between
		a.prepared[m.Xid] = m.PrepareLSN
		return Kept, nil
	case *pgoutput.Relation:
		a.seen[m.OID] = true
		a.describe(m.OID, frame)
		return Pass, a.keep(kind, a.open, frame)
	case *pgoutput.Insert:
		relations = []uint32{m.Relation}
	case *pgoutput.Update:
		relations = []uint32{m.Relation}
	case *pgoutput.Delete:
		relations = []uint32{m.Relation}
	case *pgoutput.Truncate:
		relations = m.Relations
	case *pgoutput.Type, *pgoutput.Origin, *pgoutput.LogicalMessage:
		return Kept, nil
	default:
		return Kept, a.wrong(kind, a.open, errOrder)
	}
	for _, oid := range relations {
		if d, ok := a.described[oid]; ok && !a.seen[oid] {
			a.seen[oid] = true
			if err := a.keep('R', a.open, d.frame); err != nil {
				return Kept, err
			}
		}
	}
	return Kept, a.keep(kind, a.open, frame)
}

func (a *Assembler) commit(m pgoutput.StreamCommit) (Step, error) {
	if a.phase != between {
		return Kept, a.wrong('c', m.Xid, errOrder)
	}
	a.committed = m
	return Commit, nil
}

// Committed gives the messages of the transaction that the last Take committed,
// and forgets it. A message is valid until the next one. After an error, or a
// loop that was left, the stream cannot go on.
//
// A table's description holds for what comes after it. One that came within
// this transaction is older than one that came after it in another, though it
// is handed on later: then the younger one is handed on again at the end, since
// it is what the server goes by from here on. One that says again what was said
// within the transaction is left out: the server repeats them after every
// savepoint that was rolled back.
func (a *Assembler) Committed() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		c := a.committed
		a.message = pgoutput.AppendBegin(a.message[:0], pgoutput.Begin{FinalLSN: c.CommitLSN, CommitMicros: c.CommitMicros, Xid: c.Xid})
		if !yield(a.message, nil) {
			return
		}
		said := map[uint32][]byte{} // in this transaction, by table
		for f, err := range a.spool.Replay(c.Xid) {
			repeated := false
			if err == nil && f.Data[0] == 'R' {
				repeated, err = a.redescribe(f, said)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !repeated && !yield(f.Data, nil) {
				return
			}
		}
		for _, oid := range slices.Sorted(maps.Keys(said)) {
			if now := a.described[oid].frame; !bytes.Equal(now, said[oid]) && !yield(now, nil) {
				return
			}
		}
		if err := a.spool.Drop(c.Xid); err != nil {
			yield(nil, fmt.Errorf("transaction %d: %w", c.Xid, err))
			return
		}
		delete(a.prepared, c.Xid) // not before: its changes were not handed on yet
		a.message = pgoutput.AppendCommit(a.message[:0], pgoutput.Commit{Flags: c.Flags, CommitLSN: c.CommitLSN, EndLSN: c.EndLSN, CommitMicros: c.CommitMicros})
		yield(a.message, nil)
	}
}

// redescribe notes a description that comes out of the spool, and tells whether
// it was the last one that was said.
func (a *Assembler) redescribe(f spool.Frame, said map[uint32][]byte) (repeated bool, err error) {
	m, err := a.decoder.Decode(f.Data)
	if err != nil {
		return false, err
	}
	oid := m.(*pgoutput.Relation).OID // by its first byte
	repeated = bytes.Equal(said[oid], f.Data)
	if !repeated {
		said[oid] = bytes.Clone(f.Data)
	}
	if a.described[oid].arrival < f.Arrival {
		a.described[oid] = description{f.Arrival, said[oid]}
	}
	return repeated, nil
}

// Held gives the LSN of the oldest prepare that is not committed: what is sent
// from there on must be sent again after a restart, so nothing beyond it may be
// confirmed (P1). False when there is none.
func (a *Assembler) Held() (lsn event.LSN, held bool) {
	for _, l := range a.prepared {
		if !held || l < lsn {
			lsn, held = l, true
		}
	}
	return lsn, held
}
