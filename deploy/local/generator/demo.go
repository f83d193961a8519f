package generator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
	"github.com/hopluu/hopluu/deploy/local/systems"
)

// demoSchema keeps what the generator must know across runs, outside the
// schema that is captured: how far it came, and who each record really is.
const demoSchema = `
CREATE SCHEMA IF NOT EXISTS demo;
CREATE TABLE IF NOT EXISTS demo.demo_progress (
  name  text PRIMARY KEY,
  value text NOT NULL,
  noted timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS demo.truth (
  tbl    text NOT NULL,
  key    text NOT NULL, -- the primary key as text
  person bigint,        -- NULL: a record of no person, such as a company
  PRIMARY KEY (tbl, key)
);
CREATE INDEX IF NOT EXISTS truth_person ON demo.truth (person);
`

// database is anything that runs statements: a connection or a transaction.
type database interface {
	pgxExecer
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// prepare makes the tables of a sector and the schema demo where they are
// missing.
func prepare(ctx context.Context, conn *pgx.Conn, sector string) error {
	if err := systems.Apply(ctx, conn, sector); err != nil {
		return err
	}
	if _, err := conn.PgConn().Exec(ctx, demoSchema).ReadAll(); err != nil {
		return fmt.Errorf("making the schema demo: %w", err)
	}
	return nil
}

// noted reads a note of the progress table; ok is false when there is none.
func noted(ctx context.Context, db database, name string) (value string, ok bool, err error) {
	err = db.QueryRow(ctx, `SELECT value FROM demo.demo_progress WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, err
}

// note writes a note into the progress table.
func note(ctx context.Context, db database, name, value string) error {
	_, err := db.Exec(ctx, `INSERT INTO demo.demo_progress (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, noted = now()`, name, value)
	return err
}

// Names of the notes.
const (
	noteSeed     = "seed"
	notePersons  = "persons"
	noteBase     = "base"
	noteSeeded   = "seeded"
	noteRound    = "round" // the round of Load that is under way or was last done
	noteStep     = "step"  // how many steps of that round are done
	noteAttempts = "attempts"
)

// agree builds the city that the databases were seeded with. What is noted in
// a database wins over the configured day, so that a later run goes on with
// the same people; another seed or number of people is refused.
func (g *Generator) agree(ctx context.Context, conn *pgx.Conn, sector string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	base := g.cfg.Base
	if value, ok, err := noted(ctx, conn, noteBase); err != nil {
		return err
	} else if ok {
		if base, err = time.Parse(time.DateOnly, value); err != nil {
			return fmt.Errorf("demo_progress holds a day that is none: %w", err)
		}
	}
	for name, mine := range map[string]string{noteSeed: strconv.FormatUint(g.cfg.Seed, 10), notePersons: strconv.Itoa(g.cfg.Persons)} {
		value, ok, err := noted(ctx, conn, name)
		if err != nil {
			return err
		}
		if ok && value != mine {
			return fmt.Errorf("database of sector %s was filled with %s %s, not %s; give %s again, or start with empty databases", sector, name, value, mine, value)
		}
	}
	if g.city == nil {
		c, err := city.Build(city.Params{Seed: g.cfg.Seed, Persons: g.cfg.Persons, Base: base, Rates: city.FixedRates()})
		if err != nil {
			return err
		}
		g.city = c
		return nil
	}
	if !g.city.Base.Equal(base) {
		return fmt.Errorf("database of sector %s was filled as of %s, another as of %s; start with empty databases", sector, base.Format(time.DateOnly), g.city.Base.Format(time.DateOnly))
	}
	return nil
}
