package commandline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// A password that is changed under a running connector ends it with one line
// that says what to mend: trying again would lock the role out. Once it is
// right again, what happened meanwhile arrives, each row once (P2).
func TestAPasswordThatIsChanged(t *testing.T) {
	w := shared(t)
	w.registry()
	w.enable()
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 10) n")
	connector := w.start("connector", "run")
	connector.ready()

	role := "hopluu_" + w.source
	old := w.value("SELECT rolpassword FROM pg_authid WHERE rolname = '" + role + "'")
	// First the password: as long as it is not committed the old one lets in.
	w.exec("ALTER ROLE " + role + " PASSWORD 'another'; INSERT INTO room SELECT n, n FROM generate_series(11, 20) n")
	w.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + role + "'")
	select {
	case <-connector.Done():
	case <-time.After(within):
		t.Fatal("the connector goes on with a password that is refused")
	}
	require.Error(t, connector.Wait())
	var last string
	for line := range strings.Lines(connector.log()) {
		last = line
	}
	require.True(t, strings.HasPrefix(last, "hopluu: "), last)
	require.Contains(t, last, "refuses user "+role)
	require.Contains(t, last, "set the right user and password in the source's dsn")
	require.NotContains(t, connector.log(), "secret")
	s, code := w.status()
	require.Equal(t, 1, code)
	require.Equal(t, "unreachable", s.State)

	w.exec("ALTER ROLE " + role + " PASSWORD '" + old + "'")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	require.NoError(t, connector.Restart(ctx))
	kafka := w.kafka()
	harness.Eventually(t, within, func(ctx context.Context) error {
		seen := map[string]int{}
		err := kafka.ReadAll(ctx, topic.Public(w.source, "public", "room"), func(r topic.Record) error { seen[string(r.Key)]++; return nil })
		for key, n := range seen {
			require.Equal(t, 1, n, "%x", key)
		}
		if err == nil && len(seen) < 20 {
			err = fmt.Errorf("%d rows of 20", len(seen))
		}
		return errors.Join(err)
	})
}
