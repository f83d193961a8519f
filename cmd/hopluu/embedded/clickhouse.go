package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
)

// ClickHouseConfig says how ClickHouse's engine is started.
type ClickHouseConfig struct {
	Parts     parts.Paths
	Bin       string   // the program that has `embedded clickhouse`; this one when empty
	Env       []string // added to the environment of this process
	Dir       string   // holds data, log and port
	Port      int      // wanted port of the HTTP interface, 0 for any; another one when it is taken
	Backups   string   // where BACKUP may write; in the data folder when empty
	Users     string   // users.xml, none when empty
	MaxMemory int64    // bytes for the engine, its own default when 0
	Log       *slog.Logger
}

// ClickHouse is a running engine behind its HTTP interface.
type ClickHouse struct {
	*Process
}

// URL is the address of the HTTP interface.
func (c *ClickHouse) URL() string { return "http://" + c.Addr }

// StartClickHouse starts `hopluu embedded clickhouse` as a process of its own
// (the engine allows one process a data folder, and its crash must not be
// ours) and waits until it answers. ctx bounds the start, not its life.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	if cfg.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("cannot start ClickHouse: %w", err)
		}
		cfg.Bin = self
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot start ClickHouse: %w", err)
	}
	if err := makePassable(dir); err != nil {
		return nil, fmt.Errorf("cannot start ClickHouse: %w", err)
	}
	port, err := choosePort(dir, "port", cfg.Port)
	if err != nil {
		return nil, fmt.Errorf("cannot start ClickHouse: %w", err)
	}
	args := []string{"embedded", "clickhouse", "--path", filepath.Join(dir, "data"), "--listen", address(port), "--lib", cfg.Parts.ClickHouse}
	if cfg.Backups != "" {
		args = append(args, "--backups", cfg.Backups)
	}
	if cfg.Users != "" {
		args = append(args, "--users", cfg.Users)
	}
	if cfg.MaxMemory > 0 {
		args = append(args, "--max-memory", strconv.FormatInt(cfg.MaxMemory, 10))
	}
	c := &ClickHouse{&Process{
		Name: "ClickHouse",
		Addr: address(port),
		Log:  filepath.Join(dir, "log"),
		launch: launch{
			command: func() (*exec.Cmd, error) {
				if err := freeSoon(port); err != nil {
					return nil, err
				}
				cmd := exec.Command(cfg.Bin, args...)
				cmd.Env = append(os.Environ(), cfg.Env...)
				cmd.Dir = dir
				return cmd, nil
			},
			ready: func(ctx context.Context) error { return probeHTTP(ctx, "http://"+address(port)+"/ping") },
			stop:  syscall.SIGTERM, orphan: syscall.SIGKILL, grace: stopBound,
		},
	}}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// probeHTTP wants status 200.
func probeHTTP(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
