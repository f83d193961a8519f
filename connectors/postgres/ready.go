package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// CheckSetup looks for what would make capture fail later or, worse, leave
// changes out in silence: servers from 18 on skip a publication that is not
// there. What it finds is a *ConfigError.
func CheckSetup(ctx context.Context, conn *pgx.Conn, publication string) error {
	var level string
	if err := conn.QueryRow(ctx, `SELECT current_setting('wal_level')`).Scan(&level); err != nil {
		return fmt.Errorf("read wal_level: %w", err)
	}
	if level != "logical" {
		return &ConfigError{Reason: fmt.Sprintf("the database server runs with wal_level=%s: run ALTER SYSTEM SET wal_level = 'logical' and restart the server", level)}
	}
	p, err := readPublication(ctx, conn, publication)
	if err != nil {
		return err
	}
	if !p.exists {
		return &ConfigError{Reason: fmt.Sprintf("publication %s is missing: run 'hopluu connector enable' for this source", publication)}
	}
	if !p.everything {
		return &ConfigError{Reason: fmt.Sprintf("publication %s leaves out changes: run ALTER PUBLICATION %s SET (%s)", publication, pgx.Identifier{publication}.Sanitize(), publishEverything)}
	}
	return nil
}

// publishEverything are the options without which rows would go wrong: all
// four operations, and partitions under the name of their root.
const publishEverything = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

// publishesEverything is the condition on pg_publication that they are set.
const publishesEverything = "pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot"

type publicationState struct{ exists, everything bool }

func readPublication(ctx context.Context, conn *pgx.Conn, name string) (publicationState, error) {
	p := publicationState{exists: true}
	err := conn.QueryRow(ctx, `
		SELECT `+publishesEverything+` FROM pg_publication WHERE pubname = $1`, name).Scan(&p.everything)
	if errors.Is(err, pgx.ErrNoRows) {
		return publicationState{}, nil
	}
	if err != nil {
		return publicationState{}, fmt.Errorf("read publication %s: %w", name, err)
	}
	return p, nil
}
