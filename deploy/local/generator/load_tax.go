package generator

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

var taxSteps = []step{
	{"payments of arrears", payArrears},
	{"48,000 rows of land tax in one transaction", noticeLandTax},
	{"tax codes replaced by identity numbers", replaceTaxCodes},
	{"declarations amended", amendDeclarations},
	{"new taxpayers with savepoints", newTaxpayers},
	{"payments that are rolled back", abortTaxPayments},
	{"primary keys changed", renumberTaxpayers},
	{"payments deleted and written again", rewriteTaxPayments},
}

// payArrears pays what is still owed on some declarations, 50 in a
// transaction.
func payArrears(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 12, func(t *tx, n int) error { return payOwed(ctx, t, 50) })
}

// payOwed pays the rest of up to n declarations, the oldest first.
func payOwed(ctx context.Context, t *tx, n int) error {
	type owed struct{ declaration, taxpayer, amount int64 }
	rows, err := t.Query(ctx, `SELECT d.declaration_id, d.taxpayer_id, (d.declared - coalesce(sum(p.amount), 0))::bigint FROM declaration d LEFT JOIN tax_payment p USING (declaration_id)
		GROUP BY d.declaration_id HAVING d.declared > coalesce(sum(p.amount), 0) ORDER BY d.due_on, d.declaration_id LIMIT $1`, n)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o owed, err error) {
		return o, row.Scan(&o.declaration, &o.taxpayer, &o.amount)
	})
	if err != nil {
		return err
	}
	first, err := t.number(ctx, `SELECT max(payment_id) + 1 FROM tax_payment`)
	if err != nil {
		return err
	}
	payments := city.Rows{Table: city.TaxPayments}
	for i, o := range list {
		row := city.TaxPaymentRow(t.w.r, first+int64(i), o.taxpayer, o.declaration, o.amount, t.w.city.Base)
		row[4] = t.w.today()
		payments.Rows = append(payments.Rows, row)
	}
	return t.insert(ctx, payments)
}

// landNotices is how many notices of land tax, each with its payment, one
// transaction holds.
const landNotices = 24_000

// noticeLandTax writes the land tax of earlier years, notices and payments, in
// one transaction over two tables.
func noticeLandTax(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		taxpayers, err := keys[int64](ctx, t, `SELECT taxpayer_id FROM taxpayer ORDER BY taxpayer_id`)
		if err != nil {
			return err
		}
		declaration, err := t.number(ctx, `SELECT max(declaration_id) + 1 FROM declaration`)
		if err != nil {
			return err
		}
		payment, err := t.number(ctx, `SELECT max(payment_id) + 1 FROM tax_payment`)
		if err != nil {
			return err
		}
		notices, payments := city.Rows{Table: city.Declarations}, city.Rows{Table: city.TaxPayments}
		for i := range int64(landNotices) {
			taxpayer, amount := taxpayers[int(i)%len(taxpayers)], int64(1+w.r.IntN(60))*25_000
			year := time.Date(w.city.Base.Year()-4-int(i)*6/landNotices, time.January, 1, 0, 0, 0, 0, time.UTC)
			row, due := w.city.DeclarationRow(w.r, declaration+i, taxpayer, "land", year, amount)
			notices.Rows = append(notices.Rows, row)
			payments.Rows = append(payments.Rows, city.TaxPaymentRow(w.r, payment+i, taxpayer, declaration+i, amount, due.AddDate(0, 0, -w.r.IntN(40))))
		}
		if err := t.copy(ctx, notices); err != nil {
			return err
		}
		return t.copy(ctx, payments)
	})
}

// replaceTaxCodes writes the CCCD as tax code where it is known, with one
// statement, as was decided for 1 July 2025.
func replaceTaxCodes(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		_, err := t.update(ctx, "taxpayer", `UPDATE taxpayer SET tax_code = cccd, updated_at = $1 WHERE taxpayer_id IN
			(SELECT taxpayer_id FROM taxpayer WHERE kind <> 'company' AND length(cccd) = 12 AND tax_code <> cccd ORDER BY taxpayer_id LIMIT 700)`, w.today())
		return err
	})
}

// amendDeclarations changes amounts, 100 in a transaction.
func amendDeclarations(ctx context.Context, w *work) error {
	var declarations []int64
	return w.finishChunks(ctx, 18, func(t *tx, n int) (err error) {
		if n == 0 {
			if declarations, err = keys[int64](ctx, t, `SELECT declaration_id FROM declaration WHERE declared > 0 ORDER BY declaration_id`); err != nil {
				return err
			}
			declarations = sample(w.r, declarations, 1800)
		}
		var b pgx.Batch
		for _, d := range declarations[len(declarations)*n/18 : len(declarations)*(n+1)/18] {
			b.Queue(`UPDATE declaration SET declared = round(declared * 1.02, -3), submitted_at = coalesce(submitted_at, $2) WHERE declaration_id = $1`, d, w.today())
		}
		return t.updates(ctx, "declaration", &b)
	})
}

// newTaxpayers registers people; of each ten one goes back to its savepoint.
func newTaxpayers(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 20, func(t *tx, n int) error {
		people, err := t.without(ctx, "taxpayer")
		if err != nil {
			return err
		}
		people = sample(w.r, only(people, func(p *city.Person) bool { return p.AliveOn(w.city.Base) && p.Age(w.city.Base) >= 18 }), 10)
		for i, p := range people {
			err := t.savepoint(ctx, func(t *tx) error {
				if err := registerTaxpayer(ctx, t, p); err != nil {
					return err
				}
				if i == 4 {
					return errRollback
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// registerTaxpayer registers a person with a first declaration.
func registerTaxpayer(ctx context.Context, t *tx, p *city.Person) error {
	w := t.w
	taxpayer, err := t.number(ctx, `SELECT max(taxpayer_id) + 1 FROM taxpayer`)
	if err != nil {
		return err
	}
	declaration, err := t.number(ctx, `SELECT max(declaration_id) + 1 FROM declaration`)
	if err != nil {
		return err
	}
	kind := []string{"person", "person", "person", "household_business"}[w.r.IntN(4)]
	if err := t.insert(ctx, city.Rows{Table: city.Taxpayers, Rows: [][]any{w.city.TaxpayerRow(w.r, taxpayer, p, kind)}, People: []int64{p.ID}}); err != nil {
		return err
	}
	row, _ := w.city.DeclarationRow(w.r, declaration, taxpayer, "pit", time.Date(w.city.Base.Year()-1, time.January, 1, 0, 0, 0, 0, time.UTC), int64(1+w.r.IntN(60))*250_000)
	return t.insert(ctx, city.Rows{Table: city.Declarations, Rows: [][]any{row}})
}

// abortTaxPayments books 1,500 payments and takes them back.
func abortTaxPayments(ctx context.Context, w *work) error {
	err := w.transact(ctx, func(t *tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO tax_payment (payment_id, taxpayer_id, declaration_id, amount, paid_at)
			SELECT (SELECT max(payment_id) FROM tax_payment) + row_number() OVER (), taxpayer_id, declaration_id, 1000, now() FROM declaration ORDER BY declaration_id LIMIT 1500`); err != nil {
			return err
		}
		return errRollback
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(*tx) error { return nil })
}

// renumberTaxpayers changes primary keys; declarations and payments follow.
func renumberTaxpayers(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		taxpayers, err := keys[int64](ctx, t, `SELECT taxpayer_id FROM taxpayer ORDER BY taxpayer_id`)
		if err != nil {
			return err
		}
		to, err := t.number(ctx, `SELECT max(taxpayer_id) FROM taxpayer`)
		if err != nil {
			return err
		}
		for _, from := range sample(w.r, taxpayers, 12) {
			to++
			for _, table := range []string{"declaration", "tax_payment"} { // they follow by ON UPDATE CASCADE
				n, err := t.number(ctx, `SELECT count(*) FROM `+table+` WHERE taxpayer_id = $1`, from)
				if err != nil {
					return err
				}
				t.count(table, Count{Updated: n})
			}
			if _, err := t.update(ctx, "taxpayer", `UPDATE taxpayer SET taxpayer_id = $2, updated_at = $3 WHERE taxpayer_id = $1`, from, to, w.today()); err != nil {
				return err
			}
			if err := t.moved(ctx, "taxpayer", from, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// rewriteTaxPayments cancels payments, and others deletes and writes again
// under the same key.
func rewriteTaxPayments(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		if _, err := t.delete(ctx, "tax_payment", `DELETE FROM tax_payment WHERE payment_id IN (SELECT payment_id FROM tax_payment ORDER BY md5(payment_id::text || $1) LIMIT 80)`, fmt.Sprint(w.round)); err != nil {
			return err
		}
		payments, err := keys[int64](ctx, t, `SELECT payment_id FROM tax_payment ORDER BY payment_id`)
		if err != nil {
			return err
		}
		for _, p := range sample(w.r, payments, 25) {
			if err := t.reinsert(ctx, "tax_payment", "payment_id", p); err != nil {
				return err
			}
		}
		return nil
	})
}
