package generator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// Run keeps the systems at work, each on its own, at about Config.Rate rows a
// second in all, until ctx ends; then it returns nil. A database that goes away
// is waited for; any other error ends all.
func (g *Generator) Run(ctx context.Context) error {
	var all float64
	for _, sector := range g.sectors {
		all += shareOf[sector]
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, sector := range g.sectors {
		rate := g.cfg.Rate * shareOf[sector] / all
		group.Go(func() error {
			for {
				err := g.runSector(ctx, sector, rate)
				if ctx.Err() != nil {
					return nil
				}
				if !lostConnection(err) {
					return fmt.Errorf("generator: sector %s: %w", sector, err)
				}
				g.cfg.Log.Warn("database is away; trying again", "sector", sector, "error", err)
				if !wait(ctx, time.Second) {
					return nil
				}
			}
		})
	}
	return group.Wait()
}

// shareOf is how much of all writing happens in a sector.
var shareOf = map[string]float64{"health": 45, "tax": 20, "welfare": 15, "population": 12, "construction": 8}

// errLost wraps what broke a connection.
type errLost struct{ err error }

func (e *errLost) Error() string { return e.err.Error() }
func (e *errLost) Unwrap() error { return e.err }

func lostConnection(err error) bool {
	var lost *errLost
	var connect *pgconn.ConnectError
	return errors.As(err, &lost) || errors.As(err, &connect)
}

// wait waits; false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// runSector writes to one database until ctx ends or its connection breaks.
func (g *Generator) runSector(ctx context.Context, sector string, rate float64) (err error) {
	conn, err := g.connect(ctx, sector)
	if err != nil {
		return err
	}
	defer func() {
		if conn.IsClosed() && err != nil {
			err = &errLost{err}
			return
		}
		err = errors.Join(err, hangUp(conn))
	}()
	w, err := g.workOn(ctx, conn, sector, newCounts())
	if err != nil {
		return err
	}
	attempt, err := w.attempt(ctx)
	if err != nil {
		return err
	}
	w.r, w.live = city.Rand(g.cfg.Seed, "run "+sector, attempt), true
	next := time.Now()
	for {
		if y, m, d := time.Now().In(city.Zone).Date(); g.cfg.Base.Before(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) {
			w.city.Base = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		}
		var rows int64
		do := actions[sector].draw(w)
		err := w.transact(ctx, func(t *tx) error {
			err := do(ctx, t)
			rows = t.written.Rows()
			return err
		})
		if err != nil {
			return err
		}
		// After a pause, such as a database that was away, nothing is made up for.
		next = next.Add(time.Duration(float64(max(rows, 1)) / rate * float64(time.Second)))
		if late := time.Now(); next.Before(late) {
			next = late
		}
		if !wait(ctx, time.Until(next)) {
			return nil
		}
	}
}

// action is something that happens in a sector, and how often.
type action struct {
	weight float64
	do     func(ctx context.Context, t *tx) error
}

type actionList []action

func (l actionList) draw(w *work) func(context.Context, *tx) error {
	var sum float64
	for _, a := range l {
		sum += a.weight
	}
	x := w.r.Float64() * sum
	for _, a := range l {
		if x -= a.weight; x < 0 {
			return a.do
		}
	}
	return l[len(l)-1].do
}

// actions of each sector. Each is one transaction of a few rows.
var actions = map[string]actionList{
	"population": {
		{4, func(ctx context.Context, t *tx) error { return bear(ctx, t, 1) }},
		{3, func(ctx context.Context, t *tx) error {
			return onOne(ctx, t, `SELECT birth_id FROM birth WHERE citizen_id IS NULL ORDER BY random() LIMIT 1`, recordNewborn)
		}},
		{2, func(ctx context.Context, t *tx) error { return onOne(ctx, t, oldCitizen, registerDeath) }},
		{6, changePhone},
		{2, moveFamily},
	},
	"health": {
		{3, admitOne},
		{16, func(ctx context.Context, t *tx) error { return visitBy(ctx, t, 1+t.w.r.IntN(3)) }},
		{8, discharge},
		{3, correctPatient},
	},
	"welfare": {
		{1, func(ctx context.Context, t *tx) error { return grant(ctx, t, 1) }},
		{8, payThisMonth},
		{2, correctMember},
	},
	"tax": {
		{5, func(ctx context.Context, t *tx) error { return payOwed(ctx, t, 1+t.w.r.IntN(3)) }},
		{2, registerOneTaxpayer},
		{4, declareOne},
	},
	"construction": {
		{3, func(ctx context.Context, t *tx) error { return apply(ctx, t, 1) }},
		{3, func(ctx context.Context, t *tx) error { return issue(ctx, t, 1) }},
		{3, func(ctx context.Context, t *tx) error { return inspect(ctx, t, 1) }},
	},
}

const oldCitizen = `SELECT citizen_id FROM citizen WHERE status = 'alive' AND birth_date < now() - interval '60 years'
	AND NOT EXISTS (SELECT FROM death d WHERE d.citizen_id = citizen.citizen_id) ORDER BY random() LIMIT 1`

// onOne does something with the one key that a query gives; nothing when it
// gives none.
func onOne(ctx context.Context, t *tx, query string, do func(context.Context, *tx, int64) error) error {
	found, err := keys[int64](ctx, t, query)
	if err != nil || len(found) == 0 {
		return err
	}
	return do(ctx, t, found[0])
}

// anyRecord draws a living person's record of a table.
func anyRecord(ctx context.Context, t *tx, table string, do func(record) error) error {
	var rec record
	var person int64
	err := t.QueryRow(ctx, `SELECT key::bigint, person FROM demo.truth WHERE tbl = $1 AND person BETWEEN 1 AND $2 ORDER BY random() LIMIT 1`, table, len(t.w.city.People)).Scan(&rec.key, &person)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	rec.person = t.w.city.Person(person)
	if !rec.person.AliveOn(t.w.city.Base) {
		return nil
	}
	return do(rec)
}

func changePhone(ctx context.Context, t *tx) error {
	_, err := t.update(ctx, "citizen", `UPDATE citizen SET phone = $1, updated_at = now() WHERE citizen_id = (SELECT citizen_id FROM citizen WHERE status = 'alive' ORDER BY random() LIMIT 1)`, city.Phone(t.w.r))
	return err
}

func moveFamily(ctx context.Context, t *tx) error {
	ward, to := t.w.city.NewAddress(t.w.r)
	_, err := t.update(ctx, "citizen", `UPDATE citizen SET ward_code = $1, address = $2, updated_at = now() WHERE address = (SELECT address FROM citizen WHERE address IS NOT NULL ORDER BY random() LIMIT 1)`, ward, to)
	return err
}

func admitOne(ctx context.Context, t *tx) error {
	people, err := t.without(ctx, "patient")
	if err != nil {
		return err
	}
	return admit(ctx, t, sample(t.w.r, only(people, func(p *city.Person) bool { return p.AliveOn(t.w.city.Base) }), 1))
}

func visitBy(ctx context.Context, t *tx, n int) error {
	for range n {
		if err := anyRecord(ctx, t, "patient", func(r record) error { return visit(ctx, t, []record{r}, 1) }); err != nil {
			return err
		}
	}
	return nil
}

// discharge ends the visits that have been open for longest, without touching
// their notes (P4).
func discharge(ctx context.Context, t *tx) error {
	_, err := t.update(ctx, "encounter", `UPDATE encounter SET discharged_at = now(), cost = cost + 25000.50 WHERE encounter_id IN
		(SELECT encounter_id FROM encounter WHERE discharged_at IS NULL ORDER BY admitted_at LIMIT 2)`)
	return err
}

func correctPatient(ctx context.Context, t *tx) error {
	return anyRecord(ctx, t, "patient", func(r record) error {
		_, err := t.update(ctx, "patient", `UPDATE patient SET cccd = $2, full_name = CASE WHEN full_name LIKE 'CON BÀ %' THEN $3 ELSE full_name END, updated_at = now() WHERE patient_id = $1`, r.key, r.person.CCCD, r.person.Name())
		return err
	})
}

// payThisMonth pays beneficiaries who have nothing yet for this month.
func payThisMonth(ctx context.Context, t *tx) error {
	tag, err := t.Exec(ctx, `INSERT INTO payment (beneficiary_id, period, amount, paid_at, channel)
		SELECT beneficiary_id, $1, monthly_amount, now(), 'bank' FROM beneficiary b WHERE status = 'active'
		AND NOT EXISTS (SELECT FROM payment p WHERE p.beneficiary_id = b.beneficiary_id AND p.period = $1) ORDER BY beneficiary_id LIMIT 3`,
		time.Date(t.w.city.Base.Year(), t.w.city.Base.Month(), 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	t.count("payment", Count{Inserted: tag.RowsAffected()})
	return nil
}

func correctMember(ctx context.Context, t *tx) error {
	return anyRecord(ctx, t, "household_member", func(r record) error {
		_, err := t.update(ctx, "household_member", `UPDATE household_member SET cccd = $2, updated_at = now() WHERE member_id = $1`, r.key, r.person.CCCD)
		return err
	})
}

func registerOneTaxpayer(ctx context.Context, t *tx) error {
	people, err := t.without(ctx, "taxpayer")
	if err != nil {
		return err
	}
	for _, p := range sample(t.w.r, only(people, func(p *city.Person) bool { return p.AliveOn(t.w.city.Base) && p.Age(t.w.city.Base) >= 18 }), 1) {
		if err := registerTaxpayer(ctx, t, p); err != nil {
			return err
		}
	}
	return nil
}

func declareOne(ctx context.Context, t *tx) error {
	return onOne(ctx, t, `SELECT taxpayer_id FROM taxpayer ORDER BY random() LIMIT 1`, func(ctx context.Context, t *tx, taxpayer int64) error {
		declaration, err := t.number(ctx, `SELECT max(declaration_id) + 1 FROM declaration`)
		if err != nil {
			return err
		}
		base := t.w.city.Base
		quarter := time.Date(base.Year(), (base.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, -3, 0)
		row, _ := t.w.city.DeclarationRow(t.w.r, declaration, taxpayer, "vat", quarter, int64(1+t.w.r.IntN(80))*200_000)
		return t.insert(ctx, city.Rows{Table: city.Declarations, Rows: [][]any{row}})
	})
}
