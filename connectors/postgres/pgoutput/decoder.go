package pgoutput

import "github.com/hopluu/hopluu/schemas/event"

// Decoder reads the messages of one stream in their order. Its zero value is
// ready; a new connection needs a new one. One goroutine at a time.
type Decoder struct {
	streaming bool // between Stream Start and Stream Stop: messages carry an xid

	oldRow, newRow event.Row // memory of the rows

	begin            Begin
	commit           Commit
	origin           Origin
	typ              Type
	insert           Insert
	update           Update
	del              Delete
	truncate         Truncate
	message          LogicalMessage
	streamStart      StreamStart
	streamStop       StreamStop
	streamCommit     StreamCommit
	streamAbort      StreamAbort
	beginPrepare     BeginPrepare
	prepare          Prepare
	commitPrepared   CommitPrepared
	rollbackPrepared RollbackPrepared
	streamPrepare    StreamPrepare
}

// Streaming tells whether the stream is between Stream Start and Stream Stop.
func (d *Decoder) Streaming() bool { return d.streaming }

// Decode reads one message. What it gives is memory of the Decoder (but for
// *Relation) and aliases the frame, until the next Decode. The error is a
// *FrameError; a malformed frame never does worse (case 19).
func (d *Decoder) Decode(data []byte) (Message, error) {
	f := frame{b: data}
	m := d.decode(&f)
	if f.err == nil && f.p != len(data) {
		f.fail("bytes after the end of the message")
	}
	if f.err != nil {
		return nil, f.err
	}
	switch m.(type) { // only what was read whole changes the state
	case *StreamStart:
		d.streaming = true
	case *StreamStop:
		d.streaming = false
	}
	return m, nil
}

func (d *Decoder) decode(f *frame) Message {
	if len(f.b) == 0 {
		f.fail("empty")
		return nil
	}
	switch kind := f.int8(); kind {
	case kindInsert:
		d.insert.Xid, d.insert.Relation = d.xid(f), f.int32()
		f.expect('N', "a new row was expected")
		d.newRow = f.row(d.newRow)
		d.insert.New = d.newRow
		return &d.insert
	case kindUpdate:
		return d.decodeUpdate(f)
	case kindDelete:
		return d.decodeDelete(f)
	case kindBegin:
		d.begin = Begin{FinalLSN: f.lsn(), CommitMicros: f.micros(), Xid: f.int32()}
		return &d.begin
	case kindCommit:
		d.commit = Commit{Flags: f.int8(), CommitLSN: f.lsn(), EndLSN: f.lsn(), CommitMicros: f.micros()}
		return &d.commit
	case kindRelation:
		return d.decodeRelation(f)
	case kindTruncate:
		return d.decodeTruncate(f)
	case kindMessage:
		d.message = LogicalMessage{Xid: d.xid(f), Transactional: f.flag(), LSN: f.lsn(), Prefix: f.string(), Content: f.take(int(f.int32()))}
		return &d.message
	case kindOrigin:
		d.origin = Origin{CommitLSN: f.lsn(), Name: f.string()}
		return &d.origin
	case kindType:
		d.typ = Type{Xid: d.xid(f), OID: f.int32(), Namespace: f.string(), Name: f.string()}
		return &d.typ
	case kindStreamStart, kindStreamStop, kindStreamCommit, kindStreamAbort:
		return d.decodeStream(f, kind)
	case kindBeginPrepare, kindPrepare, kindCommitPrepared, kindRollbackPrepared, kindStreamPrepare:
		return d.decodePrepared(f, kind)
	}
	f.p = 0
	f.fail("a message of an unknown kind")
	return nil
}

// xid reads the transaction's number, which is there in streamed transactions
// only.
func (d *Decoder) xid(f *frame) uint32 {
	if d.streaming {
		return f.int32()
	}
	return 0
}

func (d *Decoder) decodeUpdate(f *frame) Message {
	u := &d.update
	u.Xid, u.Relation = d.xid(f), f.int32()
	u.OldKind, u.Old = OldNone, nil
	kind := f.int8()
	if kind == OldKey || kind == OldFull {
		d.oldRow = f.row(d.oldRow)
		u.OldKind, u.Old = kind, d.oldRow
		kind = f.int8()
	}
	if kind != 'N' {
		f.fail("a new row was expected")
		return u
	}
	d.newRow = f.row(d.newRow)
	u.New = d.newRow
	if u.OldKind != OldNone {
		complete(u.New, u.Old)
	}
	return u
}

// complete fills in unchanged values that the old image holds: what did not
// change is what it was (P4). With OldKey only the columns of the key are
// present there, so that no null stands in for a value.
func complete(row, old event.Row) {
	for i := range min(len(row), len(old)) {
		if row[i].State == event.Unchanged && old[i].State == event.Present {
			row[i] = old[i]
		}
	}
}

func (d *Decoder) decodeDelete(f *frame) Message {
	m := &d.del
	m.Xid, m.Relation, m.OldKind = d.xid(f), f.int32(), f.int8()
	if m.OldKind != OldKey && m.OldKind != OldFull {
		f.fail("an old row was expected")
		return m
	}
	d.oldRow = f.row(d.oldRow)
	m.Old = d.oldRow
	return m
}

func (d *Decoder) decodeRelation(f *frame) Message {
	r := &Relation{Xid: d.xid(f), OID: f.int32(), Namespace: f.string(), Name: f.string(), ReplicaIdentity: f.int8()}
	n := int(f.int16())
	if n > (len(f.b)-f.p)/10 { // the least size of a column's description
		f.fail(short)
		return r
	}
	r.Columns = make([]RelationColumn, n)
	for i := range r.Columns {
		r.Columns[i] = RelationColumn{Key: f.flag(), Name: f.string(), OID: f.int32(), Typmod: int32(f.int32())}
	}
	return r
}

func (d *Decoder) decodeTruncate(f *frame) Message {
	t := &d.truncate
	t.Xid = d.xid(f)
	n := int(f.int32())
	options := f.int8()
	if options > 3 {
		f.p--
		f.fail("options that this version does not know")
	}
	t.Cascade, t.RestartIdentity = options&1 != 0, options&2 != 0
	t.Relations = t.Relations[:0]
	if n > (len(f.b)-f.p)/4 {
		f.fail(short)
	}
	for ; n > 0 && f.err == nil; n-- {
		t.Relations = append(t.Relations, f.int32())
	}
	return t
}

func (d *Decoder) decodeStream(f *frame, kind byte) Message {
	switch kind {
	case kindStreamStart:
		if d.streaming {
			f.fail("a segment begins within a segment")
		}
		d.streamStart = StreamStart{Xid: f.int32(), First: f.flag()}
		return &d.streamStart
	case kindStreamStop:
		if !d.streaming {
			f.fail("a segment ends that did not begin")
		}
		return &d.streamStop
	case kindStreamCommit:
		d.streamCommit = StreamCommit{Xid: f.int32(), Flags: f.int8(), CommitLSN: f.lsn(), EndLSN: f.lsn(), CommitMicros: f.micros()}
		return &d.streamCommit
	default: // StreamAbort
		d.streamAbort = StreamAbort{Xid: f.int32(), Subxid: f.int32()}
		if f.p < len(f.b) {
			d.streamAbort.HasAbort, d.streamAbort.AbortLSN, d.streamAbort.AbortMicros = true, f.lsn(), f.micros()
		}
		return &d.streamAbort
	}
}

func (d *Decoder) decodePrepared(f *frame, kind byte) Message {
	switch kind {
	case kindBeginPrepare:
		d.beginPrepare = BeginPrepare{PrepareLSN: f.lsn(), EndLSN: f.lsn(), PrepareMicros: f.micros(), Xid: f.int32(), GID: f.string()}
		return &d.beginPrepare
	case kindPrepare:
		d.prepare = Prepare{Flags: f.int8(), PrepareLSN: f.lsn(), EndLSN: f.lsn(), PrepareMicros: f.micros(), Xid: f.int32(), GID: f.string()}
		return &d.prepare
	case kindCommitPrepared:
		d.commitPrepared = CommitPrepared{Flags: f.int8(), CommitLSN: f.lsn(), EndLSN: f.lsn(), CommitMicros: f.micros(), Xid: f.int32(), GID: f.string()}
		return &d.commitPrepared
	case kindRollbackPrepared:
		d.rollbackPrepared = RollbackPrepared{Flags: f.int8(), PrepareEndLSN: f.lsn(), RollbackEndLSN: f.lsn(),
			PrepareMicros: f.micros(), RollbackMicros: f.micros(), Xid: f.int32(), GID: f.string()}
		return &d.rollbackPrepared
	default: // StreamPrepare
		d.streamPrepare = StreamPrepare{Flags: f.int8(), PrepareLSN: f.lsn(), EndLSN: f.lsn(), PrepareMicros: f.micros(), Xid: f.int32(), GID: f.string()}
		return &d.streamPrepare
	}
}
