package embedded

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// A backend that does not notice that its server was killed keeps the data from
// the next one; it is ended. One stopped by a signal notices nothing for certain.
func TestABackendThatOutlivesItsServerIsEnded(t *testing.T) {
	p, err := StartPostgres(t.Context(), PostgresConfig{Parts: paths(t), Dir: filepath.Join(openDir(t), "pg")})
	require.NoError(t, err)
	killAtEnd(t, p.Process)
	conn, err := pgx.Connect(t.Context(), p.DSN("postgres"))
	require.NoError(t, err)
	backend := int(conn.PgConn().PID())
	require.NoError(t, syscall.Kill(backend, syscall.SIGSTOP))
	require.NoError(t, p.Kill())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, p.Restart(ctx))
	next, err := pgx.Connect(ctx, p.DSN("postgres"))
	require.NoError(t, err)
	require.NoError(t, next.Close(ctx))
}
