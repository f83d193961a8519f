package clickhouse

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sessions bounds how many statements run at the same time.
const sessions = 4

// engine is ClickHouse's engine on one data folder. It is open as long as one
// session is: the anchor, which runs nothing.
type engine struct {
	lib     *library
	args    []string
	anchor  *session
	lock    *os.File
	slots   chan struct{}
	version string
}

// openEngine opens the data folder, which belongs to one process at a time.
func openEngine(libPath, dataPath, backupPath, users string, maxMemory int64) (_ *engine, err error) {
	if err := os.MkdirAll(dataPath, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dataPath, ".hopluu-lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the data folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("the data folder %s is in use by another process: end it, or give another --path: %w", dataPath, err)
	}
	lib, err := openLibrary(libPath)
	if err != nil {
		return nil, err
	}
	e := &engine{
		lib:  lib,
		lock: lock,
		args: []string{
			"clickhouse",
			"--path=" + dataPath,
			"--max_server_memory_usage=" + strconv.FormatInt(maxMemory, 10),
			"--mark_cache_size=" + strconv.FormatInt(maxMemory/16, 10),
			"--backups.allowed_path=" + backupPath,
			"--implicit_select=0", // a client's convenience, not a server's
		},
		slots: make(chan struct{}, sessions),
	}
	if users != "" {
		file, err := usersConfig(dataPath, users)
		if err != nil {
			return nil, err
		}
		e.args = append(e.args, "--config-file="+file)
	}
	if e.anchor, err = lib.open(e.args); err != nil {
		return nil, err
	}
	res, err := e.anchor.query("SELECT version()", "TSV", nil)
	if err != nil {
		return nil, fmt.Errorf("the engine does not answer: %w", err)
	}
	e.version = strings.TrimSpace(string(res.data))
	return e, nil
}

// usersConfig writes the configuration by which the engine reads its users, and
// gives its path.
func usersConfig(dataPath, users string) (string, error) {
	users, err := filepath.Abs(users)
	if err != nil {
		return "", fmt.Errorf("cannot find the users: %w", err)
	}
	if _, err := os.Stat(users); err != nil {
		return "", fmt.Errorf("cannot read the users: %w", err)
	}
	var text strings.Builder
	text.WriteString("<clickhouse><user_directories><users_xml><path>")
	if err := xml.EscapeText(&text, []byte(users)); err != nil {
		return "", fmt.Errorf("cannot write the users' configuration: %w", err)
	}
	text.WriteString("</path></users_xml></user_directories></clickhouse>\n")
	file := filepath.Join(dataPath, ".hopluu-config.xml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return "", fmt.Errorf("cannot write the users' configuration: %w", err)
	}
	return file, nil
}

// do runs fn with a session of its own, new and then closed, which takes less
// than a millisecond: so no setting, database or temporary table of one
// request reaches another one.
func (e *engine) do(ctx context.Context, fn func(*session) error) error {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.slots }()
	s, err := e.lib.open(e.args)
	if err != nil {
		return err
	}
	defer s.close()
	return fn(s)
}

// close ends the engine, which writes what it still holds. No session may be
// in use.
func (e *engine) close() error {
	e.anchor.close()
	return e.lock.Close()
}
