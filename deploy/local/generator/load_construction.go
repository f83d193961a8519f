package generator

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

var constructionSteps = []step{
	{"new applications", newApplications},
	{"permits issued", issuePermits},
	{"inspections", inspectSites},
	{"the catalogue of works emptied and filled", refillWorkKinds},
	{"old inspections archived: emptied and filled", archiveInspections},
	{"primary keys changed", renumberPermits},
	{"owners' identity numbers filled in", correctOwners},
	{"applications withdrawn and written again", rewritePermits},
	{"an import that is rolled back", abortPermits},
}

// newApplications takes in 300 applications, 5 in a transaction.
func newApplications(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 60, func(t *tx, n int) error { return apply(ctx, t, 5) })
}

// apply takes in n applications of today.
func apply(ctx context.Context, t *tx, n int) error {
	w := t.w
	number, err := t.number(ctx, nextPermitNo)
	if err != nil {
		return err
	}
	rows := city.Rows{Table: city.Permits}
	for len(rows.Rows) < n {
		p := &w.city.People[w.r.IntN(len(w.city.People))]
		if p.Age(w.city.Base) >= 24 && p.AliveOn(w.city.Base) {
			rows.Rows, rows.People = append(rows.Rows, w.city.PermitRow(w.r, number+int64(len(rows.Rows)), p, w.city.Base)), append(rows.People, p.ID)
		}
	}
	return t.insert(ctx, rows)
}

// nextPermitNo is the number of the next permit of the year.
const nextPermitNo = `SELECT coalesce(max(split_part(permit_no, '/', 1)::bigint), 0) + 1 FROM permit`

// issuePermits decides on open applications: documents (jsonb) and labels (an
// array) change with the state, others are refused with one statement.
func issuePermits(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		if err := issue(ctx, t, 220); err != nil {
			return err
		}
		_, err := t.update(ctx, "permit", `UPDATE permit SET status = 'refused', tags = array_append(tags, 'thiếu hồ sơ') WHERE status = 'reviewing' AND applied_on < $1`, w.city.Base.AddDate(0, 0, -25))
		return err
	})
}

// issue issues up to n permits that were applied for.
func issue(ctx context.Context, t *tx, n int) error {
	open, err := keys[[16]byte](ctx, t, `SELECT permit_id FROM permit WHERE status IN ('received', 'reviewing') ORDER BY applied_on, permit_id LIMIT $1`, n)
	if err != nil {
		return err
	}
	number, err := t.number(ctx, nextPermitNo)
	if err != nil {
		return err
	}
	var b pgx.Batch
	for i, id := range open {
		b.Queue(`UPDATE permit SET status = 'issued', permit_no = $2, issued_on = $3, documents = documents || jsonb_build_object('quyet_dinh', $2::text), tags = tags || ARRAY['đã cấp'] WHERE permit_id = $1`,
			id, city.PermitNo(number+int64(i), t.w.city.Base), t.w.city.Base)
	}
	return t.updates(ctx, "permit", &b)
}

// inspectSites inspects 300 sites, 10 in a transaction.
func inspectSites(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 30, func(t *tx, n int) error { return inspect(ctx, t, 10) })
}

// inspect inspects n sites as of yesterday.
func inspect(ctx context.Context, t *tx, n int) error {
	permits, err := keys[[16]byte](ctx, t, `SELECT permit_id FROM permit WHERE status = 'issued' ORDER BY permit_id`)
	if err != nil {
		return err
	}
	first, err := t.number(ctx, `SELECT coalesce(max(inspection_id), 90000) + 1 FROM inspection`)
	if err != nil {
		return err
	}
	rows := city.Rows{Table: city.Inspections}
	for i, id := range sample(t.w.r, permits, n) {
		rows.Rows = append(rows.Rows, t.w.city.InspectionRow(t.w.r, first+int64(i), id, t.w.city.Base))
	}
	return t.insert(ctx, rows)
}

// refillWorkKinds empties the catalogue and fills it from a new list that
// lacks one code and has another.
func refillWorkKinds(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		n, err := t.number(ctx, `SELECT count(*) FROM work_kind`)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `TRUNCATE work_kind`); err != nil {
			return err
		}
		t.count("work_kind", Count{Truncated: n})
		kinds := only(city.WorkKindRows(), func(row []any) bool { return row[0] != "telecom" })
		kinds = append(kinds, []any{fmt.Sprintf("solar_%d", w.round), "Điện mặt trời mái nhà", nil})
		return t.copy(ctx, city.Rows{Table: city.WorkKinds, Rows: kinds})
	})
}

// archiveInspections empties the table of inspections and writes back those of
// the last 600 days, in one transaction.
func archiveInspections(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		total, err := t.number(ctx, `SELECT count(*) FROM inspection`)
		if err != nil {
			return err
		}
		for _, sql := range []string{
			`CREATE TEMPORARY TABLE recent ON COMMIT DROP AS SELECT * FROM inspection WHERE inspected_at >= '` + w.city.Base.AddDate(0, 0, -600).Format(time.DateOnly) + `'`,
			`TRUNCATE inspection`,
		} {
			if _, err := t.Exec(ctx, sql); err != nil {
				return err
			}
		}
		t.count("inspection", Count{Truncated: total})
		tag, err := t.Exec(ctx, `INSERT INTO inspection SELECT * FROM recent ORDER BY inspection_id`)
		if err != nil {
			return err
		}
		t.count("inspection", Count{Inserted: tag.RowsAffected()})
		return nil
	})
}

// renumberPermits changes primary keys; inspections follow.
func renumberPermits(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		permits, err := keys[[16]byte](ctx, t, `SELECT permit_id FROM permit ORDER BY permit_id`)
		if err != nil {
			return err
		}
		for _, from := range sample(w.r, permits, 8) {
			to := city.UUID(w.r)
			n, err := t.number(ctx, `SELECT count(*) FROM inspection WHERE permit_id = $1`, from)
			if err != nil {
				return err
			}
			t.count("inspection", Count{Updated: n}) // by ON UPDATE CASCADE
			if _, err := t.update(ctx, "permit", `UPDATE permit SET permit_id = $2 WHERE permit_id = $1`, from, to); err != nil {
				return err
			}
			if err := t.moved(ctx, "permit", from, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// correctOwners fills in and corrects identity numbers of owners.
func correctOwners(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		rows, err := t.Query(ctx, `SELECT key::uuid, person FROM demo.truth WHERE tbl = 'permit' ORDER BY 1`)
		if err != nil {
			return err
		}
		type owner struct {
			permit [16]byte
			person int64
		}
		owners, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o owner, err error) { return o, row.Scan(&o.permit, &o.person) })
		if err != nil {
			return err
		}
		var b pgx.Batch
		for _, o := range sample(w.r, owners, 150) {
			if p := w.city.Person(o.person); p != nil {
				b.Queue(`UPDATE permit SET owner_cccd = $2 WHERE permit_id = $1 AND owner_cccd IS DISTINCT FROM $2`, o.permit, p.CCCD)
			}
		}
		return t.updates(ctx, "permit", &b)
	})
}

// rewritePermits withdraws applications, whose inspections go with them, and
// deletes and writes others again under the same key.
func rewritePermits(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		withdrawn, err := keys[[16]byte](ctx, t, `SELECT permit_id FROM permit WHERE status IN ('refused', 'received') ORDER BY permit_id LIMIT 25`)
		if err != nil {
			return err
		}
		for _, id := range withdrawn {
			n, err := t.number(ctx, `SELECT count(*) FROM inspection WHERE permit_id = $1`, id)
			if err != nil {
				return err
			}
			t.count("inspection", Count{Deleted: n}) // by ON DELETE CASCADE
			if _, err := t.delete(ctx, "permit", `DELETE FROM permit WHERE permit_id = $1`, id); err != nil {
				return err
			}
			if err := t.forgotten(ctx, "permit", id); err != nil {
				return err
			}
		}
		again, err := keys[[16]byte](ctx, t, `SELECT permit_id FROM permit p WHERE NOT EXISTS (SELECT FROM inspection i WHERE i.permit_id = p.permit_id) ORDER BY permit_id LIMIT 15`)
		if err != nil {
			return err
		}
		for _, id := range again {
			if err := t.reinsert(ctx, "permit", "permit_id", id); err != nil {
				return err
			}
		}
		return nil
	})
}

// abortPermits takes in 200 applications and takes them back.
func abortPermits(ctx context.Context, w *work) error {
	err := w.transact(ctx, func(t *tx) error {
		if err := apply(ctx, t, 200); err != nil {
			return err
		}
		return errRollback
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(*tx) error { return nil })
}
