package generator

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

var populationSteps = []step{
	{"births", registerBirths},
	{"records for newborn children", recordNewborns},
	{"newcomers", registerNewcomers},
	{"deaths", registerDeaths},
	{"moves and telephones", moveFamilies},
	{"identity numbers issued anew", reissueCCCD},
	{"primary keys changed", renumberCitizens},
	{"an import that is rolled back", abortCitizenImport},
	{"records deleted and written again", rewriteCitizens},
}

// registerBirths registers the births of today, 20 in a transaction. The
// children have no citizen's record yet.
func registerBirths(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 21, func(t *tx, n int) error { return bear(ctx, t, 20) })
}

// bear registers n births of today.
func bear(ctx context.Context, t *tx, n int) error {
	w := t.w
	citizens, err := t.records(ctx, "citizen")
	if err != nil {
		return err
	}
	first, err := t.number(ctx, `SELECT coalesce(max(birth_id), 0) + 1 FROM birth`)
	if err != nil {
		return err
	}
	births := city.Rows{Table: city.Births}
	for i, m := range sample(w.r, only(citizens, func(c record) bool { return canBear(w.city, c.person) }), n) {
		births.Rows = append(births.Rows, w.city.BirthRow(w.r, first+int64(i), 0, w.city.Newborn(w.r, m.person)))
	}
	return t.insert(ctx, births)
}

func canBear(c *city.City, p *city.Person) bool {
	age := p.Age(c.Base)
	return p.Sex == city.Female && age >= 19 && age <= 41 && p.AliveOn(c.Base) && (p.Relation == city.Head || p.Relation == city.Spouse)
}

// recordNewborns gives children with a birth but no record their own; in each
// transaction one attempt fails and goes back to its savepoint.
func recordNewborns(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 10, func(t *tx, n int) error {
		births, err := keys[int64](ctx, t, `SELECT birth_id FROM birth WHERE citizen_id IS NULL ORDER BY birth_id LIMIT 26`)
		if err != nil {
			return err
		}
		for i, birth := range births {
			err := t.savepoint(ctx, func(t *tx) error {
				if err := recordNewborn(ctx, t, birth); err != nil {
					return err
				}
				if i == 0 && n < 8 {
					return errRollback // the clerk saw a mistake
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

// recordNewborn makes the citizen's record of a child from the registration of
// its birth, under a new person number, and ties the two.
func recordNewborn(ctx context.Context, t *tx, birth int64) error {
	p, err := childOf(ctx, t, birth)
	if err != nil {
		return err
	}
	citizen, err := t.number(ctx, `SELECT max(citizen_id) + 1 FROM citizen`)
	if err != nil {
		return err
	}
	row := t.w.city.CitizenRow(t.w.r, citizen, p)
	if err := t.insert(ctx, city.Rows{Table: city.Citizens, Rows: [][]any{row}, People: []int64{p.ID}}); err != nil {
		return err
	}
	_, err = t.update(ctx, "birth", `UPDATE birth SET citizen_id = $2 WHERE birth_id = $1`, birth, citizen)
	return err
}

// childOf is the child of a registered birth: one whom the city was built
// with, or a person born since.
func childOf(ctx context.Context, t *tx, birth int64) (*city.Person, error) {
	var name, sex, ward, mother string
	p := &city.Person{}
	err := t.QueryRow(ctx, `SELECT child_name, birth_date, sex::text, ward_code, coalesce(mother_cccd, '') FROM birth WHERE birth_id = $1`, birth).Scan(&name, &p.Born, &sex, &ward, &mother)
	if err != nil {
		return nil, err
	}
	for i := range t.w.city.People {
		q := &t.w.city.People[i]
		if q.Born.Equal(p.Born) && q.Name() == name {
			if m := t.w.city.Person(q.Mother); m != nil && m.CCCD == mother {
				return q, nil
			}
		}
	}
	p.ID, err = t.number(ctx, `SELECT greatest(max(person), $1) + 1 FROM demo.truth`, len(t.w.city.People))
	if err != nil {
		return nil, err
	}
	taken := func(cccd string) (bool, error) {
		n, err := t.number(ctx, `SELECT count(*) FROM citizen WHERE cccd = $1`, cccd)
		return n > 0, err
	}
	if err := t.w.city.Complete(t.w.r, p, name, city.Sex(sex), ward, taken); err != nil {
		return nil, err
	}
	return p, nil
}

// registerNewcomers takes people into the register who lived in the city
// without being known to it.
func registerNewcomers(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 6, func(t *tx, n int) error {
		people, err := t.without(ctx, "citizen")
		if err != nil {
			return err
		}
		people = sample(w.r, only(people, func(p *city.Person) bool { return p.AliveOn(w.city.Base) && p.Age(w.city.Base) > 0 }), 18)
		first, err := t.number(ctx, `SELECT max(citizen_id) + 1 FROM citizen`)
		if err != nil {
			return err
		}
		rows := city.Rows{Table: city.Citizens}
		for i, p := range people {
			row := w.city.CitizenRow(w.r, first+int64(i), p)
			row[10], row[11] = w.today(), w.today()
			rows.Rows, rows.People = append(rows.Rows, row), append(rows.People, p.ID)
		}
		return t.insert(ctx, rows)
	})
}

// registerDeaths registers deaths of the last days, one in a transaction.
func registerDeaths(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 90, func(t *tx, n int) error {
		alive, err := keys[int64](ctx, t, `SELECT citizen_id FROM citizen WHERE status = 'alive' AND birth_date < $1::date - 60 * 365
			AND NOT EXISTS (SELECT FROM death d WHERE d.citizen_id = citizen.citizen_id) ORDER BY citizen_id`, w.city.Base)
		if err != nil || len(alive) == 0 {
			return err
		}
		return registerDeath(ctx, t, alive[w.r.IntN(len(alive))])
	})
}

func registerDeath(ctx context.Context, t *tx, citizen int64) error {
	death, err := t.number(ctx, `SELECT coalesce(max(death_id), 0) + 1 FROM death`)
	if err != nil {
		return err
	}
	died := t.w.city.Base.AddDate(0, 0, -t.w.r.IntN(9))
	if err := t.insert(ctx, city.Rows{Table: city.Deaths, Rows: [][]any{t.w.city.DeathRow(t.w.r, death, citizen, died)}}); err != nil {
		return err
	}
	_, err = t.update(ctx, "citizen", `UPDATE citizen SET status = 'dead', updated_at = now() WHERE citizen_id = $1`, citizen)
	return err
}

// moveFamilies changes addresses of whole families with one statement each,
// telephone numbers one by one, and touches all records of some wards at once.
func moveFamilies(ctx context.Context, w *work) error {
	err := w.transact(ctx, func(t *tx) error {
		addresses, err := keys[string](ctx, t, `SELECT DISTINCT address FROM citizen WHERE address IS NOT NULL ORDER BY address`)
		if err != nil {
			return err
		}
		for _, from := range sample(w.r, addresses, 220) {
			ward, to := w.city.NewAddress(w.r)
			if _, err := t.update(ctx, "citizen", `UPDATE citizen SET ward_code = $2, address = $3, updated_at = now() WHERE address = $1`, from, ward, to); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(t *tx) error {
		citizens, err := keys[int64](ctx, t, `SELECT citizen_id FROM citizen WHERE status = 'alive' ORDER BY citizen_id`)
		if err != nil {
			return err
		}
		var b pgx.Batch
		for _, c := range sample(w.r, citizens, 600) {
			b.Queue(`UPDATE citizen SET phone = $2, updated_at = now() WHERE citizen_id = $1`, c, city.Phone(w.r))
		}
		if err := t.updates(ctx, "citizen", &b); err != nil {
			return err
		}
		_, err = t.update(ctx, "citizen", `UPDATE citizen SET updated_at = now() WHERE ward_code IN (SELECT code FROM ward WHERE valid_to IS NULL ORDER BY md5(code || $1) LIMIT 12)`, fmt.Sprint(w.round))
		return err
	})
}

// reissueCCCD cancels identity numbers and issues new ones.
func reissueCCCD(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		numbers, err := keys[string](ctx, t, `SELECT cccd FROM citizen WHERE status = 'alive' ORDER BY citizen_id`)
		if err != nil {
			return err
		}
		used := make(map[string]bool, len(numbers))
		for _, n := range numbers {
			used[n] = true
		}
		var b pgx.Batch
		for _, old := range sample(w.r, numbers, 40) {
			anew := city.ReissueCCCD(w.r, old, used)
			used[anew] = true
			b.Queue(`UPDATE citizen SET cccd = $2, updated_at = now() WHERE cccd = $1`, old, anew)
		}
		return t.updates(ctx, "citizen", &b)
	})
}

// renumberCitizens changes primary keys; the foreign keys follow.
func renumberCitizens(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		citizens, err := keys[int64](ctx, t, `SELECT citizen_id FROM citizen WHERE citizen_id IN (SELECT citizen_id FROM birth UNION SELECT citizen_id FROM death) ORDER BY citizen_id`)
		if err != nil {
			return err
		}
		for _, from := range sample(w.r, citizens, 8) {
			to, err := t.number(ctx, `SELECT max(citizen_id) + 1 FROM citizen`)
			if err != nil {
				return err
			}
			for _, table := range []string{"birth", "death"} { // they follow by ON UPDATE CASCADE
				n, err := t.number(ctx, `SELECT count(*) FROM `+table+` WHERE citizen_id = $1`, from)
				if err != nil {
					return err
				}
				t.count(table, Count{Updated: n})
			}
			if _, err := t.update(ctx, "citizen", `UPDATE citizen SET citizen_id = $2, updated_at = now() WHERE citizen_id = $1`, from, to); err != nil {
				return err
			}
			if err := t.moved(ctx, "citizen", from, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// abortCitizenImport writes 3,000 records and takes them back.
func abortCitizenImport(ctx context.Context, w *work) error {
	err := w.transact(ctx, func(t *tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO citizen (citizen_id, cccd, full_name, birth_date, sex, ward_code)
			SELECT m.id + n, '9' || lpad(n::text, 11, '0'), 'Nhập thử', date '1990-01-01', 'male', '26740'
			FROM (SELECT max(citizen_id) AS id FROM citizen) m, generate_series(1, 3000) n`); err != nil {
			return err
		}
		return errRollback
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(*tx) error { return nil })
}

// rewriteCitizens deletes records and writes them again under the same key,
// some in one transaction, some in two.
func rewriteCitizens(ctx context.Context, w *work) error {
	var citizens []int64
	err := w.transact(ctx, func(t *tx) (err error) {
		citizens, err = keys[int64](ctx, t, `SELECT citizen_id FROM citizen c WHERE NOT EXISTS (SELECT FROM birth b WHERE b.citizen_id = c.citizen_id)
			AND NOT EXISTS (SELECT FROM death d WHERE d.citizen_id = c.citizen_id) ORDER BY citizen_id`)
		if err != nil {
			return err
		}
		citizens = sample(w.r, citizens, 20)
		for _, c := range citizens[:len(citizens)/2] {
			if err := t.reinsert(ctx, "citizen", "citizen_id", c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.finishTwice(ctx, "citizen", "citizen_id", citizens[len(citizens)/2:])
}
