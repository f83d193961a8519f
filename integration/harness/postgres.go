package harness

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
)

// PostgresServer is a real PostgreSQL with wal_level=logical.
type PostgresServer struct {
	Addr     string
	User     string // superuser
	Password string
	life
}

// DSN is the address of one of its databases for its superuser.
func (s *PostgresServer) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Host: s.Addr, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// NewDatabase makes an empty database for one test and gives its address.
// Slots and publications in it are the test's to drop; the database goes with
// the server.
func (s *PostgresServer) NewDatabase(t testing.TB) (name, dsn string) {
	t.Helper()
	name = Name("db")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return name, s.DSN(name)
}

// Option changes how a part is started; which parts take it, it says.
type Option func(*options)

type options struct {
	own      bool
	settings map[string]string
	logDir   string
	backups  string
	users    string
	version  int
}

// Own asks for a server that no other test uses, to be killed and stopped. It
// ends with the test. For every part.
func Own() Option { return func(o *options) { o.own = true } }

// WithSetting changes a setting of the server, e.g. wal_level to replica. For
// PostgreSQL and Kafka.
func WithSetting(name, value string) Option {
	return func(o *options) {
		if o.settings == nil {
			o.settings = map[string]string{}
		}
		o.settings[name] = value
	}
}

// OldestPostgres is the major version of the oldest PostgreSQL that is tried.
const OldestPostgres = 15

// WithVersion asks for a server of another major version: OldestPostgres, or 0
// for the one that all tests share. For PostgreSQL.
func WithVersion(major int) Option { return func(o *options) { o.version = major } }

// WithLogDir puts the topics, or ClickHouse's data, into a folder of the test, such
// as a small file system that it fills. It asks for a server of its own.
func WithLogDir(dir string) Option {
	return func(o *options) { o.logDir, o.own = dir, true }
}

// WithBackups says where BACKUP may write. For ClickHouse; it asks for a server
// of its own.
func WithBackups(dir string) Option {
	return func(o *options) { o.backups, o.own = dir, true }
}

// WithUsers names the users.xml of a ClickHouse's users: views may be defined by
// them. It asks for a server of its own, which reads the file when it starts.
func WithUsers(file string) Option {
	return func(o *options) { o.users, o.own = file, true }
}

func apply(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// key names the shared server that has these options.
func (o options) key(kind string) string {
	if o.version != 0 {
		kind += strconv.Itoa(o.version)
	}
	for _, name := range slices.Sorted(maps.Keys(o.settings)) {
		kind += "-" + name + "=" + o.settings[name]
	}
	return kind
}

// get gives the shared server, or one of the test's own.
func get[T any](t testing.TB, kind string, o options, start func(ctx context.Context, dir string) (T, func() error, error)) T {
	t.Helper()
	if o.own {
		return own(t, kind, start)
	}
	return server(t, kind, o.key(kind), start)
}

// Postgres gives a running PostgreSQL, the one that all tests share unless
// options ask for another. On the shared one a test makes its own database.
func Postgres(t testing.TB, opts ...Option) *PostgresServer {
	t.Helper()
	o := apply(opts)
	if useContainers() {
		return get(t, "postgres", o, func(ctx context.Context, _ string) (*PostgresServer, func() error, error) {
			return containerPostgres(ctx, o)
		})
	}
	paths := Parts(t)
	if o.version != 0 {
		paths.Postgres = oldPostgres(t, o.version)
	}
	return get(t, "postgres", o, func(ctx context.Context, dir string) (*PostgresServer, func() error, error) {
		// A killed process loses nothing that the kernel has: only a power cut would.
		// As many tests run side by side as the machine has processors.
		settings := map[string]string{"fsync": "off", "max_connections": "300", "max_replication_slots": "60", "max_wal_senders": "60"}
		maps.Copy(settings, o.settings)
		p, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Parts: paths, Dir: dir, Settings: settings})
		if err != nil {
			return nil, nil, fmt.Errorf("harness: %w", err)
		}
		return &PostgresServer{p.Addr, p.User, p.Password, p.Process}, p.Kill, nil
	})
}

// oldPostgres gives the binaries of another version: the system's, or those
// that are fetched.
func oldPostgres(t testing.TB, version int) string {
	t.Helper()
	if version != OldestPostgres {
		t.Fatalf("harness: no PostgreSQL %d is known", version)
	}
	debian := filepath.Join("/usr/lib/postgresql", strconv.Itoa(version))
	if _, err := os.Stat(filepath.Join(debian, "lib", "pgoutput.so")); err == nil {
		return debian
	}
	dir, err := oldPostgresOnce()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var oldPostgresOnce = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	return parts.EnsurePostgres15(ctx, "", showFetched)
})

// life is what tests do to a server: of a process or of a container.
type life interface {
	// Kill ends it with SIGKILL and returns when it is gone.
	Kill() error
	// Stop ends it gracefully.
	Stop(ctx context.Context) error
	// Restart starts it again on the same data and port and waits until it is ready.
	Restart(ctx context.Context) error
}
