package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// The kinds of ranges in ops.reconciliation_range.
const (
	rowsKind  = "rows"  // a source's rows with silver, by keys
	topicKind = "topic" // a topic's records with bronze, by partition and offset
)

// entry is a range that was compared, as ops.reconciliation_range keeps it: what
// a round has done, for a process that is killed goes on behind it.
type entry struct {
	source, table, kind string
	number              uint32
	// after and upTo are the ends of the keys; of a share of a table the number
	// of the share and of all shares; of a topic the partition and the offset
	// that is not in it any more.
	after, upTo []string
	last        bool
	lsn         event.LSN
	left, right side // the source or topic, and ClickHouse
	counts      map[difference]int
	samples     map[difference][]string
	duplicates  int64
	changed     int
	waiting     int // keys that an open dead letter holds back
	waitingKeys []string
	ok          bool
	// suspects are the keys that differ, for a repair; they are not noted.
	suspects []suspect
}

// write notes a range. What is noted is not compared again in its round.
func (e *entry) write(ctx context.Context, conn driver.Conn, round uuid.UUID) error {
	batch, err := conn.PrepareBatch(ctx, `INSERT INTO ops.reconciliation_range (round, at, source, table, kind, number, after, up_to, last, lsn,
		source_rows, clickhouse_rows, source_sum, clickhouse_sum, missing, extra, different, duplicates, changed, missing_keys, extra_keys, different_keys, ok, waiting, waiting_keys)`)
	if err == nil {
		err = batch.Append(round, time.Now(), e.source, e.table, e.kind, e.number, notNil(e.after), notNil(e.upTo), e.last, e.lsn.String(),
			uint64(e.left.rows), uint64(e.right.rows), e.left.sum, e.right.sum, uint64(e.counts[missing]), uint64(e.counts[extra]), uint64(e.counts[different]),
			uint64(e.duplicates), uint64(e.changed), notNil(e.samples[missing]), notNil(e.samples[extra]), notNil(e.samples[different]), e.ok,
			uint64(e.waiting), notNil(e.waitingKeys))
	}
	if err == nil {
		err = batch.Send()
	}
	if err != nil {
		return fmt.Errorf("write ops.reconciliation_range: %w: has 'hopluu sink run' of this release ever run with this ClickHouse?", err)
	}
	return nil
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// round is one comparison of everything, and how far it is.
type round struct {
	id    uuid.UUID
	began time.Time
	// at is where each table stands, by "source schema.table"; done tables were
	// compared to their end.
	at   map[string]*standing
	done map[string]bool
}

// standing is how far a table is in a round.
type standing struct {
	rows     *entry            // the last range of its keys, nil before the first
	offsets  map[int32]int64   // the next offset of each partition
	number   map[string]uint32 // of the next range, by kind
	finished map[string]bool   // kinds that are compared to their end
	failed   string            // why it is left to the next round
	suspects []suspect         // to be repaired, one more than may be at most
}

func newRound() *round {
	return &round{id: uuid.New(), began: time.Now(), at: map[string]*standing{}, done: map[string]bool{}}
}

func (r *round) of(source, table string) *standing {
	name := source + " " + table
	if r.at[name] == nil {
		r.at[name] = &standing{offsets: map[int32]int64{}, number: map[string]uint32{}, finished: map[string]bool{}}
	}
	return r.at[name]
}

// pass takes note of a range that is compared.
func (s *standing) pass(e *entry) error {
	s.number[e.kind] = max(s.number[e.kind], e.number+1)
	if e.kind == rowsKind {
		s.rows = e
		s.finished[rowsKind] = e.last
		return nil
	}
	if len(e.upTo) != 2 {
		return nil // of a topic without records
	}
	partition, err := strconv.ParseInt(e.upTo[0], 10, 32)
	if err != nil {
		return fmt.Errorf("ops.reconciliation_range: partition %q: %w", e.upTo[0], err)
	}
	next, err := strconv.ParseInt(e.upTo[1], 10, 64)
	if err != nil {
		return fmt.Errorf("ops.reconciliation_range: offset %q: %w", e.upTo[1], err)
	}
	s.offsets[int32(partition)] = next
	return nil
}

// begin is where to go on in the table's keys.
func (s *standing) begin(limit int) bounds {
	b := bounds{limit: limit}
	if s.rows == nil {
		return b
	}
	if len(s.rows.upTo) == 2 && s.rows.after != nil && slices.Equal(s.rows.after, []string{sharesMark}) {
		bucket, err := strconv.ParseUint(s.rows.upTo[0], 10, 64)
		buckets, err2 := strconv.ParseUint(s.rows.upTo[1], 10, 64)
		if err == nil && err2 == nil {
			b.bucket, b.buckets = bucket+1, buckets
		}
		return b
	}
	b.after = s.rows.upTo
	return b
}

// sharesMark stands in after of a range that is a share of a table.
const sharesMark = "shares"

// lastRound reads how far the last round is; nil when there was none.
func lastRound(ctx context.Context, conn driver.Conn) (*round, error) {
	var rounds uint64
	r := newRound()
	if err := conn.QueryRow(ctx, "SELECT count(), argMax(round, at) FROM ops.reconciliation_range").Scan(&rounds, &r.id); err != nil {
		return nil, fmt.Errorf("read ops.reconciliation_range: %w: has 'hopluu sink run' of this release ever run with this ClickHouse?", err)
	}
	if rounds == 0 {
		return nil, nil
	}
	if err := conn.QueryRow(ctx, "SELECT min(at) FROM ops.reconciliation_range WHERE round = ?", r.id).Scan(&r.began); err != nil {
		return nil, fmt.Errorf("read ops.reconciliation_range: %w", err)
	}
	err := each(ctx, conn, func(rows driver.Rows) error {
		var e entry
		if err := rows.Scan(&e.source, &e.table, &e.kind, &e.number, &e.after, &e.upTo, &e.last); err != nil {
			return err
		}
		return r.of(e.source, e.table).pass(&e)
	}, "SELECT source, table, kind, number, after, up_to, last FROM ops.reconciliation_range WHERE round = ? ORDER BY source, table, kind, number", r.id)
	if err != nil {
		return nil, fmt.Errorf("read ops.reconciliation_range: %w", err)
	}
	err = each(ctx, conn, func(rows driver.Rows) error {
		var source, table, failed string
		if err := rows.Scan(&source, &table, &failed); err != nil {
			return err
		}
		r.done[source+" "+table] = true
		r.of(source, table).failed = failed
		return nil
	}, "SELECT source, substring(table, length(source) + 2), error FROM ops.reconciliation WHERE run_id = ? AND source != ''", r.id)
	if err != nil {
		return nil, fmt.Errorf("read ops.reconciliation: %w", err)
	}
	return r, nil
}

// total sums a table's ranges of a round up, as one comparison of it would say.
func total(ctx context.Context, conn driver.Conn, id uuid.UUID, source string, described sectors.Table) (Result, error) {
	table := described.Schema + "." + described.Name
	result := Result{Source: source, Table: table, OK: true, Counts: map[difference]int{missing: 0, extra: 0, different: 0},
		Ranges: []Range{}, Missing: []string{}, Extra: []string{}, Different: []string{}, WaitingKeys: []string{}}
	result.Topic.OK = true
	err := each(ctx, conn, func(rows driver.Rows) error {
		var kind, lsn string
		var left, right, leftSum, rightSum, lost, more, other, doubled, changed, waiting uint64
		var lostKeys, moreKeys, otherKeys, waitingKeys []string
		var ok uint8
		if err := rows.Scan(&kind, &left, &right, &leftSum, &rightSum, &lost, &more, &other, &doubled, &changed, &lostKeys, &moreKeys, &otherKeys, &ok, &lsn, &waiting, &waitingKeys); err != nil {
			return err
		}
		if kind == topicKind {
			t := &result.Topic
			t.Events, t.Bronze, t.Duplicates, t.OK = int64(left), int64(right), int64(doubled), ok == 1
			t.sum, t.bronzeSum = leftSum, rightSum
			t.Checksum, t.BronzeChecksum = side{sum: leftSum}.checksum(), side{sum: rightSum}.checksum()
			t.Offsets = Offsets{Lost: lostKeys, Unknown: moreKeys, Doubled: otherKeys, LostCount: int64(lost), UnknownCount: int64(more), DoubledCount: int64(other)}
			return nil
		}
		result.LSN = lsn
		result.SourceRows, result.ClickHouseRows, result.Duplicates, result.Changed = int64(left), int64(right), int64(doubled), int(changed)
		result.SourceChecksum, result.ClickHouseChecksum = side{sum: leftSum}.checksum(), side{sum: rightSum}.checksum()
		result.Counts[missing], result.Counts[extra], result.Counts[different] = int(lost), int(more), int(other)
		result.Keys = int(lost + more + other)
		result.Missing, result.Extra, result.Different = lostKeys, moreKeys, otherKeys
		result.Waiting, result.WaitingKeys = int(waiting), waitingKeys
		return nil
	}, fmt.Sprintf(`SELECT kind, sum(source_rows), sum(clickhouse_rows), sum(source_sum), sum(clickhouse_sum), sum(missing), sum(extra), sum(different), sum(duplicates), sum(changed),
			arraySlice(arrayFlatten(groupArray(missing_keys)), 1, %[1]d), arraySlice(arrayFlatten(groupArray(extra_keys)), 1, %[1]d), arraySlice(arrayFlatten(groupArray(different_keys)), 1, %[1]d), toUInt8(min(ok)), argMin(lsn, number),
			sum(waiting), arraySlice(arrayFlatten(groupArray(waiting_keys)), 1, %[1]d)
		FROM (SELECT * FROM ops.reconciliation_range WHERE round = ? AND source = ? AND table = ? ORDER BY number) GROUP BY kind`, maxKeys), id, source, table)
	if err != nil {
		return result, fmt.Errorf("sum up ops.reconciliation_range: %w", err)
	}
	if result.UnreadableLetters, err = unreadableLetters(ctx, conn, source, described); err != nil {
		return result, err
	}
	result.OK = result.Keys == 0 && result.Duplicates == 0 && result.Topic.OK
	return result, nil
}
