package generator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// Seed makes the tables where they are missing and fills each database with
// its initial content, in one transaction a database: one that was seeded
// already is left as it is, one whose seeding was cut off is seeded anew.
func (g *Generator) Seed(ctx context.Context) (Counts, error) {
	counts := newCounts()
	err := g.each(ctx, func(ctx context.Context, sector string, conn *pgx.Conn) error {
		if err := prepare(ctx, conn, sector); err != nil {
			return err
		}
		if err := g.agree(ctx, conn, sector); err != nil {
			return err
		}
		if _, ok, err := noted(ctx, conn, noteSeeded); err != nil || ok {
			return err
		}
		start := time.Now()
		tables := initial(g.city, sector)
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, rows := range tables {
				if err := copyRows(ctx, tx, rows); err != nil {
					return err
				}
			}
			return errors.Join(
				note(ctx, tx, noteSeed, strconv.FormatUint(g.cfg.Seed, 10)),
				note(ctx, tx, notePersons, strconv.Itoa(g.cfg.Persons)),
				note(ctx, tx, noteBase, g.city.Base.Format(time.DateOnly)),
				note(ctx, tx, noteSeeded, "yes"),
			)
		})
		if err != nil {
			return err
		}
		total := 0
		for _, rows := range tables {
			total += len(rows.Rows)
			counts.add(sector, rows.Table.Name, Count{Inserted: int64(len(rows.Rows))})
		}
		g.cfg.Log.Info("seeded", "sector", sector, "rows", total, "took", time.Since(start).Round(time.Millisecond))
		return nil
	})
	return counts.result(), err
}

// seeded refuses databases that Seed has not filled.
func (g *Generator) seeded(ctx context.Context, conn *pgx.Conn, sector string) error {
	var there bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('demo.demo_progress') IS NOT NULL`).Scan(&there); err != nil {
		return err
	}
	if there {
		_, ok, err := noted(ctx, conn, noteSeeded)
		if err != nil {
			return err
		}
		there = ok
	}
	if !there {
		return fmt.Errorf("database of sector %s is not seeded; seed it first", sector)
	}
	return g.agree(ctx, conn, sector)
}

// initial is what a sector's database begins with.
func initial(c *city.City, sector string) []city.Rows {
	switch sector {
	case "population":
		return c.Population()
	case "health":
		return c.Health()
	case "welfare":
		return c.Welfare()
	case "tax":
		return c.Tax()
	default: // New admits no sector beyond these
		return c.Construction()
	}
}
