package main

import (
	"context"
	"fmt"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
)

// What is measured.
const (
	inserts  = "inserts"
	mix      = "mix"
	big      = "big"
	snapshot = "snapshot"
	latency  = "latency"
)

// transactionSize is how many rows a transaction of the small loads changes.
const transactionSize = 1000

const createTable = `CREATE TABLE public.visit (
	id          bigint PRIMARY KEY,
	diagnosis   text NOT NULL,
	clinic      varchar(60) NOT NULL,
	doctor      integer NOT NULL,
	cost        numeric(12,2) NOT NULL,
	visited_on  date NOT NULL,
	created_at  timestamptz NOT NULL,
	local_time  timestamp NOT NULL,
	insured     boolean NOT NULL,
	temperature double precision NOT NULL,
	reference   uuid NOT NULL,
	ward        smallint NOT NULL,
	note        text)`

// rowSQL makes the row of the number i, always the same one.
const rowSQL = `i, 'J' || i % 99 || ' Viêm họng cấp, tái khám sau ' || i % 30 || ' ngày', 'Phòng khám số ' || i % 500, (i % 100000)::int,
	((i::bigint * 7919) % 1000000000)::numeric / 100, date '2020-01-01' + (i % 2000)::int,
	timestamptz '2024-01-01 00:00:00.123456+00' + i * interval '1.001 s', timestamp '2024-01-01 07:00:00.5' + i * interval '1 s',
	i % 3 = 0, 36 + (i % 400) / 97.0::float8, md5(i::text)::uuid, (i % 700)::smallint,
	CASE WHEN i % 2 = 0 THEN 'Ghi chú ' || i END`

// written is a load as it stands in the log.
type written struct {
	changes, deletes int
	end              event.LSN // of the log after it
}

// load writes one load of n changes.
func (r *rig) load(ctx context.Context, name string, n int) (w written, err error) {
	var sql string
	switch name {
	case inserts:
		sql = fmt.Sprintf(`DO $$ BEGIN FOR k IN 0..%d LOOP
			INSERT INTO public.visit SELECT %s FROM generate_series(%d + k * %d, %d + k * %d + %d) i;
			COMMIT;
		END LOOP; END $$`, n/transactionSize-1, rowSQL, r.next, transactionSize, r.next, transactionSize, transactionSize-1)
		w.changes = n
		r.next += n
	case mix:
		// Each transaction updates 600 rows of those that the last load
		// inserted, inserts 300 and deletes 100: of the first tenth, which no
		// update meets.
		first, k := r.next-n, n/transactionSize
		sql = fmt.Sprintf(`DO $$ DECLARE u bigint; BEGIN FOR k IN 0..%d LOOP
			u := %d + (k * 600) %% %d;
			UPDATE public.visit SET diagnosis = 'Đã khỏi, ' || diagnosis, cost = cost + 1, created_at = created_at + interval '1 day', insured = NOT insured
				WHERE id BETWEEN u AND u + 599;
			INSERT INTO public.visit SELECT %s FROM generate_series(%d + k * 300, %d + k * 300 + 299) i;
			DELETE FROM public.visit WHERE id BETWEEN %d + k * 100 AND %d + k * 100 + 99;
			COMMIT;
		END LOOP; END $$`, k-1, first+n/10, n-n/10-599, rowSQL, r.next, r.next, first, first)
		w.changes, w.deletes = n, n/10
		r.next += k * 300
	case big:
		w.changes = n
		sql = fmt.Sprintf("INSERT INTO public.visit SELECT %s FROM generate_series(%d, %d) i", rowSQL, r.next, r.next+w.changes-1)
		r.next += w.changes
	}
	if err := r.exec(ctx, "SET synchronous_commit = off", sql); err != nil {
		return w, fmt.Errorf("load %s: %w", name, err)
	}
	w.end, err = r.walEnd(ctx)
	return w, err
}

// exec runs statements, each in a transaction of its own.
func (r *rig) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := r.admin.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// walEnd makes everything written durable and gives the end of it.
func (r *rig) walEnd(ctx context.Context) (event.LSN, error) {
	// A transaction of its own that is waited for; it holds nothing that is
	// published.
	if err := r.exec(ctx, "SET synchronous_commit = on", "INSERT INTO public.unpublished VALUES (now())"); err != nil {
		return 0, err
	}
	var text string
	if err := r.admin.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text", pgx.QueryExecModeExec).Scan(&text); err != nil {
		return 0, err
	}
	return event.ParseLSN(text)
}
