package capture

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
)

// P7: looking at the tables takes no lock on them. While a table is being read
// an application's ALTER TABLE queues behind the reader; whatever the connector
// then asked under a lock would queue behind that, and all three would wait for
// ever.
func TestLookingAtTablesWaitsForNoLock(t *testing.T) {
	r := newRig(t)
	reader, alter := r.connect(), r.connect()
	tx, err := reader.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE public.visit IN ACCESS SHARE MODE")
	require.NoError(t, err)
	altered := make(chan error, 1)
	go func() {
		_, err := alter.Exec(t.Context(), "ALTER TABLE public.visit ADD COLUMN room text")
		altered <- err
	}()
	look := r.connect()
	harness.Eventually(t, within, func(ctx context.Context) error {
		var waits bool
		err := look.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'public.visit'::regclass)").Scan(&waits)
		if err == nil && !waits {
			err = errors.New("ALTER TABLE does not wait yet")
		}
		return err
	})
	catalogConn, err := postgres.Connect(t.Context(), r.config.DSN)
	require.NoError(t, err)
	defer func(c *pgx.Conn) { require.NoError(t, c.Close(context.Background())) }(catalogConn)
	bound, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	catalog := postgres.NewCatalog(catalogConn)
	shapes, err := catalog.Shapes(bound, r.config.Publication, "public.visit", "public.patient")
	require.NoError(t, err)
	require.NotZero(t, shapes["public.visit"].Published)
	require.NotZero(t, shapes["public.patient"].Published)
	_, err = catalog.Relation(bound, "public", "visit")
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-altered)
}
