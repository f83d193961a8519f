package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// DefaultMaxMemory is what the engine may take, in bytes.
const DefaultMaxMemory = 1_500_000_000

// Config says what is served where.
type Config struct {
	Path      string // the data folder, made when it is not there
	Listen    string // host:port of the HTTP interface
	Lib       string // path of libchdb.so
	Backups   string // the folder that BACKUP writes to and RESTORE reads from, "backups" in Path when empty
	Users     string // users.xml of the users and roles that views may be defined by; every request is default's
	MaxMemory int64  // bytes that the engine may take, DefaultMaxMemory when 0
	Log       *slog.Logger
}

// stopTime is how long running queries may go on after the end was asked for.
const stopTime = 10 * time.Second

// Serve opens the data folder and answers ClickHouse's HTTP interface until
// ctx ends; then running queries may end, and the engine writes what it
// holds. There is no authentication: Listen belongs on the loopback
// interface. The engine is one a process, so Serve is too.
func Serve(ctx context.Context, cfg Config) error {
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = DefaultMaxMemory
	}
	e, err := openEngine(cfg.Lib, cfg.Path, cmp.Or(cfg.Backups, filepath.Join(cfg.Path, "backups")), cfg.Users, cfg.MaxMemory)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot listen on %s: give another --listen: %w", cfg.Listen, err), e.close())
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		cfg.Log.Warn("the embedded ClickHouse has no authentication and can be reached from other machines", "listen", listener.Addr().String())
	}
	cfg.Log.Info("ClickHouse's engine is ready", "version", e.version, "listen", listener.Addr().String(), "path", cfg.Path)

	server := &http.Server{
		Handler:           &handler{engine: e, log: cfg.Log},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serving ended: %w", err), e.close())
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := server.Shutdown(bound); err != nil {
		// A query still runs inside the library, which cannot be closed then.
		// Its data are as safe as after a crash.
		cfg.Log.Warn("queries were still running at the end", "err", err)
		return nil
	}
	cfg.Log.Info("ClickHouse's engine ends")
	return e.close()
}
