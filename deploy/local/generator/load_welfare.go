package generator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

var welfareSteps = []step{
	{"payments of an earlier month, entered late", enterOldPayments},
	{"the yearly review of households", reviewHouseholds},
	{"new poor households", newHouseholds},
	{"new beneficiaries", newBeneficiaries},
	{"beneficiaries suspended and stopped", stopBeneficiaries},
	{"a new column: note of payments", addPaymentNote},
	{"payments booked in the wrong month", rebookPayments},
	{"identity numbers of members corrected", correctMembers},
	{"members deleted and written again", rewriteMembers},
	{"what the funds have spent", spendFunds},
	{"payments that are rolled back", abortPayments},
}

// enterOldPayments writes the payments of the month before the earliest one, a
// row for each beneficiary.
func enterOldPayments(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		// After so many rounds there is no month left that everybody's dates hold.
		if _, err := t.delete(ctx, "payment", `DELETE FROM payment WHERE period < '2015-01-01' AND (SELECT min(period) FROM payment) < '1950-01-01'`); err != nil {
			return err
		}
		rows, _, err := oldPayments(ctx, t, 100_000)
		if err != nil {
			return err
		}
		return t.copy(ctx, rows)
	})
}

// oldPayments are up to n payments of the month before the earliest one.
func oldPayments(ctx context.Context, t *tx, n int) (city.Rows, time.Time, error) {
	rows := city.Rows{Table: city.Payments}
	var earliest time.Time
	if err := t.QueryRow(ctx, `SELECT min(period) FROM payment`).Scan(&earliest); err != nil {
		return rows, earliest, err
	}
	month := earliest.AddDate(0, -1, 0)
	type grant struct {
		id     int64
		amount pgtype.Numeric
	}
	found, err := t.Query(ctx, `SELECT beneficiary_id, monthly_amount FROM beneficiary ORDER BY beneficiary_id LIMIT $1`, n)
	if err != nil {
		return rows, month, err
	}
	grants, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (g grant, err error) { return g, row.Scan(&g.id, &g.amount) })
	if err != nil {
		return rows, month, err
	}
	for _, g := range grants {
		rows.Rows = append(rows.Rows, city.PaymentRow(t.w.r, g.id, month, g.amount.Int.Int64(), "post"))
	}
	return rows, month, nil
}

// reviewHouseholds decides anew on the category of all households, by one
// statement for most, a row at a time for some.
func reviewHouseholds(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		if _, err := t.update(ctx, "household", `UPDATE household SET decided_on = $1, lacks = array_remove(lacks, 'thông tin') WHERE category <> 'escaped'`, w.city.Base); err != nil {
			return err
		}
		households, err := keys[int64](ctx, t, `SELECT household_id FROM household WHERE category <> 'escaped' ORDER BY household_id`)
		if err != nil {
			return err
		}
		var b pgx.Batch
		for i, id := range sample(w.r, households, 50) {
			b.Queue(`UPDATE household SET category = ($2::text)::household_category WHERE household_id = $1`, id, []string{"escaped", "near_poor", "poor"}[i%3])
		}
		return t.updates(ctx, "household", &b)
	})
}

// newHouseholds puts families on the list.
func newHouseholds(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 20, func(t *tx, n int) error {
		people, err := t.without(ctx, "household_member")
		if err != nil {
			return err
		}
		heads := only(people, func(p *city.Person) bool { return p.Relation == city.Head && p.AliveOn(w.city.Base) })
		if len(heads) == 0 {
			return nil
		}
		head := heads[w.r.IntN(len(heads))]
		household, err := t.number(ctx, `SELECT max(household_id) + 1 FROM household`)
		if err != nil {
			return err
		}
		member, err := t.number(ctx, `SELECT max(member_id) + 1 FROM household_member`)
		if err != nil {
			return err
		}
		if err := t.insert(ctx, city.Rows{Table: city.Households, Rows: [][]any{w.city.HouseholdRow(w.r, household, head, w.city.Base)}}); err != nil {
			return err
		}
		members := city.Rows{Table: city.Members}
		for i, id := range w.city.Families[head.Family] {
			if p := w.city.Person(id); p.AliveOn(w.city.Base) {
				members.Rows, members.People = append(members.Rows, w.city.MemberRow(w.r, member+int64(i), household, p)), append(members.People, id)
			}
		}
		return t.insert(ctx, members)
	})
}

// newBeneficiaries grants programmes to people who had none, with the first
// payment.
func newBeneficiaries(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 15, func(t *tx, n int) error { return grant(ctx, t, 10) })
}

// grant grants programmes to up to n people.
func grant(ctx context.Context, t *tx, n int) error {
	w := t.w
	people, err := t.without(ctx, "beneficiary")
	if err != nil {
		return err
	}
	people = sample(w.r, only(people, func(p *city.Person) bool { return p.AliveOn(w.city.Base) && p.Age(w.city.Base) >= 60 }), n)
	first, err := t.number(ctx, `SELECT max(beneficiary_id) + 1 FROM beneficiary`)
	if err != nil {
		return err
	}
	beneficiaries, payments := city.Rows{Table: city.Beneficiaries}, city.Rows{Table: city.Payments}
	for i, p := range people {
		b := w.city.Benefit(w.r, first+int64(i), p, w.r.IntN(2))
		beneficiaries.Rows, beneficiaries.People = append(beneficiaries.Rows, b.Row), append(beneficiaries.People, p.ID)
		payments.Rows = append(payments.Rows, city.PaymentRow(w.r, first+int64(i), b.Last, b.Amount, "bank"))
	}
	if err := t.insert(ctx, beneficiaries); err != nil {
		return err
	}
	return t.insert(ctx, payments)
}

// stopBeneficiaries stops those of the dead, as it should be, and suspends
// some others.
func stopBeneficiaries(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		records, err := t.records(ctx, "beneficiary")
		if err != nil {
			return err
		}
		dead := only(records, func(r record) bool { return !r.person.AliveOn(w.city.Base) })
		alive := only(records, func(r record) bool { return r.person.AliveOn(w.city.Base) })
		var b pgx.Batch
		for _, r := range sample(w.r, dead, 15) {
			b.Queue(`UPDATE beneficiary SET status = 'stopped', updated_at = $2 WHERE beneficiary_id = $1`, r.key, w.today())
		}
		for _, r := range sample(w.r, alive, 25) {
			b.Queue(`UPDATE beneficiary SET status = 'suspended', updated_at = $2 WHERE beneficiary_id = $1`, r.key, w.today())
		}
		return t.updates(ctx, "beneficiary", &b)
	})
}

// addPaymentNote adds a column to the table with a compound key, then writes
// rows with it and fills it in others.
func addPaymentNote(ctx context.Context, w *work) error {
	noted := city.Table{Name: "payment", Columns: append(slices.Clone(city.Payments.Columns), "note")}
	err := w.transact(ctx, func(t *tx) error {
		_, err := t.Exec(ctx, `ALTER TABLE payment ADD COLUMN IF NOT EXISTS note text`)
		return err
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(t *tx) error {
		rows, month, err := oldPayments(ctx, t, 400)
		if err != nil {
			return err
		}
		rows.Table = noted
		for i := range rows.Rows {
			rows.Rows[i] = append(rows.Rows[i], "Nhập bổ sung kỳ "+month.Format("01/2006"))
		}
		if err := t.insert(ctx, rows); err != nil {
			return err
		}
		_, err = t.update(ctx, "payment", `UPDATE payment SET note = 'Đã đối soát' WHERE period = (SELECT max(period) FROM payment) AND note IS NULL`)
		return err
	})
}

// rebookPayments moves payments to another month: a part of a compound
// primary key changes.
func rebookPayments(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		_, err := t.update(ctx, "payment", `UPDATE payment p SET period = (p.period - interval '4 years')::date
			WHERE (beneficiary_id, period) IN (SELECT beneficiary_id, period FROM payment ORDER BY md5(beneficiary_id::text || period::text || $1) LIMIT 60)
			AND NOT EXISTS (SELECT FROM payment q WHERE q.beneficiary_id = p.beneficiary_id AND q.period = (p.period - interval '4 years')::date)`, fmt.Sprint(w.round))
		return err
	})
}

// correctMembers fills in and corrects identity numbers.
func correctMembers(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		members, err := t.records(ctx, "household_member")
		if err != nil {
			return err
		}
		var b pgx.Batch
		for _, m := range sample(w.r, members, 200) {
			b.Queue(`UPDATE household_member SET cccd = $2, updated_at = $3 WHERE member_id = $1 AND cccd IS DISTINCT FROM $2`, m.key, m.person.CCCD, w.today())
		}
		return t.updates(ctx, "household_member", &b)
	})
}

// rewriteMembers takes members off the list for good, and others deletes and
// writes again in the next transaction.
func rewriteMembers(ctx context.Context, w *work) error {
	var again []int64
	err := w.transact(ctx, func(t *tx) error {
		members, err := keys[int64](ctx, t, `SELECT member_id FROM household_member WHERE relation <> 'head' ORDER BY member_id`)
		if err != nil {
			return err
		}
		members = sample(w.r, members, 35)
		gone := members[:min(15, len(members))]
		again = members[len(gone):]
		if _, err := t.delete(ctx, "household_member", `DELETE FROM household_member WHERE member_id = ANY($1)`, gone); err != nil {
			return err
		}
		for _, m := range gone {
			if err := t.forgotten(ctx, "household_member", m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.finishTwice(ctx, "household_member", "member_id", again)
}

// spendFunds updates the same few rows again and again.
func spendFunds(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 40, func(t *tx, n int) error {
		_, err := t.update(ctx, "fund", `UPDATE fund SET spent = spent + $2 WHERE fund_id = $1`, 1+n%12, dong(int64(1+w.r.IntN(50))*1_000_000))
		return err
	})
}

// abortPayments pays everybody twice and takes it back.
func abortPayments(ctx context.Context, w *work) error {
	err := w.transact(ctx, func(t *tx) error {
		rows, _, err := oldPayments(ctx, t, 800)
		if err != nil {
			return err
		}
		if err := t.copy(ctx, rows); err != nil {
			return err
		}
		return errRollback
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(*tx) error { return nil })
}
