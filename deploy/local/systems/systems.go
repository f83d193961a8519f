package systems

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed *.sql
var files embed.FS

// Names lists the sectors that have a system here, in alphabetical order.
func Names() ([]string, error) {
	paths, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(p, ".sql")
	}
	return paths, nil
}

// SQL is the script that makes a sector's tables. It may be run again.
func SQL(sector string) (string, error) {
	b, err := files.ReadFile(sector + ".sql")
	if err != nil {
		return "", fmt.Errorf("no source system is known for sector %q; add deploy/local/systems/%s.sql: %w", sector, sector, err)
	}
	return string(b), nil
}

// Apply makes a sector's tables in the database of conn, in one transaction,
// and leaves what is there already.
func Apply(ctx context.Context, conn *pgx.Conn, sector string) error {
	script, err := SQL(sector)
	if err != nil {
		return err
	}
	// Several statements in one simple query are one transaction.
	if _, err := conn.PgConn().Exec(ctx, script).ReadAll(); err != nil {
		return fmt.Errorf("making the tables of sector %s: %w", sector, err)
	}
	return nil
}
