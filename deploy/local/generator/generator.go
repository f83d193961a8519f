package generator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
	"github.com/hopluu/hopluu/deploy/local/systems"
)

// Config says which city is generated, and where its registers are.
type Config struct {
	// Seed decides everything that is drawn. It, Persons and Base must stay the
	// same for databases that were seeded already; see Generator.Seed.
	Seed uint64
	// Persons is the number of people; 0 means 12,000, which is an initial load
	// of about 100,000 rows.
	Persons int
	// DSN is the connection string of each sector's database. Sectors that are
	// not in it are left out.
	DSN map[string]string
	// Rate is the number of rows a second, over all sectors, that Run writes; 0
	// means 20.
	Rate float64
	// Base is the day on which the city stands; the zero time means today. Only
	// the date, in the city's time zone, counts.
	Base time.Time
	Log  *slog.Logger // nil means none
}

// Generator fills and drives the source systems.
type Generator struct {
	cfg     Config
	sectors []string // those with a DSN, in alphabetical order

	mu   sync.Mutex
	city *city.City // built when the seed is known to be that of the databases
}

// New checks the configuration. It connects to nothing.
func New(cfg Config) (*Generator, error) {
	known, err := systems.Names()
	if err != nil {
		return nil, err
	}
	if len(cfg.DSN) == 0 {
		return nil, errors.New("generator: no DSN; give the connection string of at least one sector")
	}
	var sectors []string
	for sector := range cfg.DSN {
		if !slices.Contains(known, sector) {
			return nil, fmt.Errorf("generator: DSN for unknown sector %q; the sectors are %s", sector, strings.Join(known, ", "))
		}
		sectors = append(sectors, sector)
	}
	slices.Sort(sectors)
	if cfg.Persons == 0 {
		cfg.Persons = 12_000
	}
	if cfg.Rate == 0 {
		cfg.Rate = 20
	}
	if cfg.Rate < 0 {
		return nil, fmt.Errorf("generator: rate is %v rows a second; give a positive number", cfg.Rate)
	}
	if cfg.Base.IsZero() {
		cfg.Base = time.Now()
	}
	y, m, d := cfg.Base.In(city.Zone).Date()
	cfg.Base = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Generator{cfg: cfg, sectors: sectors}, nil
}

// connect opens a connection to a sector's database.
func (g *Generator) connect(ctx context.Context, sector string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, g.cfg.DSN[sector])
	if err != nil {
		return nil, fmt.Errorf("generator: cannot connect to the database of sector %s; see that it runs and that the DSN is right: %w", sector, err)
	}
	return conn, nil
}

// each runs fn for every sector at the same time, on a connection of its own.
// The first error ends the others.
func (g *Generator) each(parent context.Context, fn func(ctx context.Context, sector string, conn *pgx.Conn) error) error {
	group, ctx := errgroup.WithContext(parent)
	for _, sector := range g.sectors {
		group.Go(func() (err error) {
			conn, err := g.connect(ctx, sector)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, hangUp(conn)) }()
			if err := fn(ctx, sector, conn); err != nil {
				if parent.Err() != nil && !errors.Is(err, parent.Err()) {
					// A statement that is cut off may tell of its closed connection.
					err = fmt.Errorf("%w: %w", parent.Err(), err)
				}
				return fmt.Errorf("generator: sector %s: %w", sector, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// hangUp closes a connection even when the caller's context has ended.
func hangUp(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return conn.Close(ctx)
}
