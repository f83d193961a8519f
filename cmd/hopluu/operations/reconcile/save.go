package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Save notes the results in ops.reconciliation, so that a difference is seen
// where figures are read (case 30).
func Save(ctx context.Context, conn driver.Conn, results []Result) error {
	return save(ctx, conn, uuid.New(), results...)
}

func save(ctx context.Context, conn driver.Conn, run uuid.UUID, results ...Result) error {
	batch, err := conn.PrepareBatch(ctx, `INSERT INTO ops.reconciliation (run_id, at, table, source_rows, clickhouse_rows, source_checksum, clickhouse_checksum, missing, extra, different, ok,
		source, lsn, duplicates, changed, bronze_lost, bronze_doubled, bronze_unknown, samples, error, waiting, unreadable_letters)`)
	if err != nil {
		return fmt.Errorf("write ops.reconciliation: %w: has 'hopluu sink run' of this release ever run with this ClickHouse?", err)
	}
	now := time.Now()
	for _, r := range results {
		o := r.Topic.Offsets
		err := batch.Append(run, now, r.Source+"."+r.Table, uint64(r.SourceRows), uint64(r.ClickHouseRows), r.SourceChecksum, r.ClickHouseChecksum,
			uint64(r.Counts[missing]), uint64(r.Counts[extra]), uint64(r.Counts[different]), r.OK,
			r.Source, r.LSN, uint64(r.Duplicates), uint64(r.Changed), uint64(o.LostCount), uint64(o.DoubledCount), uint64(o.UnknownCount), r.samples(), r.Error,
			uint64(r.Waiting), uint64(r.UnreadableLetters))
		if err != nil {
			return fmt.Errorf("write ops.reconciliation: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write ops.reconciliation: %w", err)
	}
	return nil
}

// samples are some of what differs: "missing <key>", "lost <partition:offset>".
func (r *Result) samples() []string {
	all := []string{}
	for _, kind := range []struct {
		name string
		list []string
	}{
		{"missing", r.Missing}, {"extra", r.Extra}, {"different", r.Different}, {"waiting", r.WaitingKeys},
		{"lost", r.Topic.Offsets.Lost}, {"doubled", r.Topic.Offsets.Doubled}, {"unknown", r.Topic.Offsets.Unknown},
	} {
		for _, what := range kind.list {
			all = append(all, kind.name+" "+what)
		}
	}
	return all
}
