package harness

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
)

// ClickHouseServer is ClickHouse, by its HTTP interface.
type ClickHouseServer struct {
	Addr     string
	User     string // empty on the embedded one
	Password string
	life
}

// URL is the address of the HTTP interface.
func (c *ClickHouseServer) URL() string { return "http://" + c.Addr }

// Options are for clickhouse.Open.
func (c *ClickHouseServer) Options() *clickhouse.Options {
	return &clickhouse.Options{
		Protocol:    clickhouse.HTTP,
		Addr:        []string{c.Addr},
		Auth:        clickhouse.Auth{Username: c.User, Password: c.Password},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		DialTimeout: 5 * time.Second,
	}
}

// ClickHouse gives a running ClickHouse, the one that all tests share unless
// options ask for another. On the shared one a test has databases of its own.
func ClickHouse(t testing.TB, opts ...Option) *ClickHouseServer {
	t.Helper()
	o := apply(opts)
	if useContainers() && o.logDir == "" && o.users == "" {
		return get(t, "clickhouse", o, func(ctx context.Context, _ string) (*ClickHouseServer, func() error, error) {
			return containerClickHouse(ctx)
		})
	}
	paths := Parts(t)
	return get(t, "clickhouse", o, func(ctx context.Context, dir string) (*ClickHouseServer, func() error, error) {
		c, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Parts: paths, Dir: cmp.Or(o.logDir, dir), Backups: o.backups, Users: o.users, Env: []string{serveEnv + "=1"}})
		if err != nil {
			return nil, nil, fmt.Errorf("harness: %w", err)
		}
		return &ClickHouseServer{Addr: c.Addr, life: c.Process}, c.Kill, nil
	})
}
