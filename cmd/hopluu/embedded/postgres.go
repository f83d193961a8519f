package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
)

// PostgresConfig says how a PostgreSQL is started.
type PostgresConfig struct {
	Parts    parts.Paths
	Name     string            // for messages; "PostgreSQL" when empty
	Dir      string            // holds data, log, port and password; see PostgresDir
	Port     int               // wanted port, 0 for any; another one when it is taken
	User     string            // superuser, "postgres" when empty
	Password string            // of the superuser; when empty one is made once and kept in Dir
	Settings map[string]string // over our own, e.g. wal_level: replica
	Log      *slog.Logger
}

// Postgres is a running PostgreSQL.
type Postgres struct {
	*Process
	Dir      string // where it lives, which may not be where it was asked to
	User     string
	Password string
}

// DSN is the address of a database of this server for its superuser.
func (p *Postgres) DSN(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(p.User, p.Password),
		Host:     p.Addr,
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// postgresDefaults are for several servers on one small machine, each the
// source of logical replication (P7: retained WAL is bounded).
var postgresDefaults = map[string]string{
	"listen_addresses":        host,
	"unix_socket_directories": "",
	"wal_level":               "logical",
	"max_replication_slots":   "20",
	"max_wal_senders":         "20",
	"max_slot_wal_keep_size":  "4GB",
	"max_wal_size":            "512MB",
	"shared_buffers":          "48MB",
	"max_connections":         "50",
	"fsync":                   "on",
	"autovacuum_max_workers":  "1",
	"log_line_prefix":         "%m [%p] %q%d ",
	"timezone":                "UTC",
	"log_timezone":            "UTC",
}

// Major versions of PostgreSQL from which on it knows something.
const (
	builtinLocale = 17
	ioMethod      = 18
)

// postgresVersion asks the binaries for their major version.
func postgresVersion(ctx context.Context, cfg PostgresConfig) (int, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(cfg.Parts.Postgres, "bin", "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	// postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1), or 18beta1
	_, text, _ := strings.Cut(string(out), "(PostgreSQL) ")
	digits := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	version, err := strconv.Atoi(text[:max(digits, 0)])
	if err != nil {
		return 0, fmt.Errorf("PostgreSQL says that its version is %q", lastLine(string(out)))
	}
	return version, nil
}

// StartPostgres makes the database cluster in cfg.Dir when there is none,
// starts the server and waits until it takes connections. ctx bounds the
// start, not the server's life.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if cfg.Name == "" {
		cfg.Name = "PostgreSQL"
	}
	if cfg.User == "" {
		cfg.User = "postgres"
	}
	cred := serverUser()
	dir, err := placePostgres(cfg, cred)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cfg.Name, err)
	}
	version, err := postgresVersion(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cfg.Name, err)
	}
	if cfg.Password, err = keepPassword(dir, cfg.Password); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cfg.Name, err)
	}
	if err := initDB(ctx, cfg, version, dir, cred); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cfg.Name, err)
	}
	port, err := choosePort(dir, "port", cfg.Port)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cfg.Name, err)
	}
	p := &Postgres{Dir: dir, User: cfg.User, Password: cfg.Password}
	p.Process = &Process{
		Name: cfg.Name,
		Addr: address(port),
		Log:  filepath.Join(dir, "log"),
		launch: launch{
			command: func() (*exec.Cmd, error) {
				if err := freeSoon(port); err != nil {
					return nil, err
				}
				cmd := exec.Command(filepath.Join(cfg.Parts.Postgres, "bin", "postgres"), serverArgs(dir, port, version, cfg.Settings)...)
				cmd.Dir = dir
				return cmd, nil
			},
			cred: cred,
			// Fast shutdown; immediate shutdown when we die, which its recovery heals.
			stop: syscall.SIGINT, orphan: syscall.SIGQUIT, grace: stopBound,
			again: stillDying(filepath.Join(dir, "data")),
		},
	}
	p.launch.ready = func(ctx context.Context) error { return ProbePostgres(ctx, p.DSN("postgres")) }
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// placePostgres makes the folder of the server.
func placePostgres(cfg PostgresConfig, cred *syscall.Credential) (string, error) {
	dir, moved, err := PostgresDir(cfg.Dir)
	if err != nil {
		return "", err
	}
	if moved && cfg.Log != nil {
		cfg.Log.Warn("as root, PostgreSQL runs as another user, who cannot enter the folder asked for: its data is elsewhere",
			"server", cfg.Name, "asked", cfg.Dir, "data", dir)
	}
	if cred != nil {
		closed, err := closedFolder(cfg.Parts.Postgres, cred)
		if err != nil {
			return "", err
		}
		if closed != "" {
			return "", fmt.Errorf("as root, PostgreSQL runs as uid %d, who cannot enter %s: chmod o+x it, or set HOPLUU_CACHE to another folder", cred.Uid, closed)
		}
	}
	return dir, makeServerDir(dir, cred)
}

// keepPassword gives the superuser's password: the one asked for, else the
// one that was made when the cluster was.
func keepPassword(dir, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	file := filepath.Join(dir, "password")
	content, err := os.ReadFile(file)
	if err == nil && len(content) > 0 {
		return string(content), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	made := rand.Text()
	return made, os.WriteFile(file, []byte(made), 0o600)
}

// initDB makes the cluster beside its place and renames it there, so that a
// half-made one is never taken for whole.
func initDB(ctx context.Context, cfg PostgresConfig, version int, dir string, cred *syscall.Credential) (err error) {
	data, making := filepath.Join(dir, "data"), filepath.Join(dir, "data.making")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return nil
	}
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	password, err := os.CreateTemp(dir, "initdb-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(password.Name())) }()
	_, err = password.WriteString(cfg.Password)
	if err = errors.Join(err, password.Close()); err != nil {
		return err
	}
	if cred != nil {
		if err := os.Chown(password.Name(), int(cred.Uid), int(cred.Gid)); err != nil {
			return err
		}
	}
	args := []string{"-D", making, "-U", cfg.User, "--pwfile", password.Name(), "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C",
		"--no-sync"} // a power cut in the first half minute costs an empty cluster, nothing more
	if version >= builtinLocale {
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(cfg.Parts.Postgres, "bin", "initdb"), args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb failed: %w: %s", err, lastLine(string(out)))
	}
	return os.Rename(making, data)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func serverArgs(dir string, port, version int, settings map[string]string) []string {
	merged := map[string]string{"port": strconv.Itoa(port)}
	if version >= ioMethod {
		merged["io_method"] = "sync"
	}
	for k, v := range postgresDefaults {
		merged[k] = v
	}
	for k, v := range settings {
		merged[k] = v
	}
	args := []string{"-D", filepath.Join(dir, "data")}
	names := make([]string, 0, len(merged))
	for k := range merged {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		args = append(args, "-c", k+"="+merged[k])
	}
	return args
}

// stillDying gives a check whether the server may have refused to start
// because the backends of a killed one were still holding its shared memory:
// for some seconds, while postmaster.pid remains, it is worth another try. One
// that sleeps on a lock whose holder was killed never looks up, and is ended.
func stillDying(data string) func(time.Duration) bool {
	return func(since time.Duration) bool {
		if since > orphansLookUp {
			endOrphans(data)
		}
		_, err := os.Stat(filepath.Join(data, "postmaster.pid"))
		return err == nil && since < dyingBound
	}
}

const (
	// dyingBound is how long a killed server's children may take to go.
	dyingBound = time.Minute
	// orphansLookUp is how long they have to notice by themselves.
	orphansLookUp = 5 * time.Second
)

// ProbePostgres is a probe of readiness: the server takes connections. A wrong
// password is no matter of waiting, and ends it.
func ProbePostgres(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		var pgErr *pgconn.PgError
		// Class 28: the password of the data is not the one we have.
		if errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Code, "28") {
			return &hopelessError{fmt.Errorf("the PostgreSQL of this data folder has another user or password: %w", err)}
		}
		return err
	}
	return conn.Close(ctx)
}
