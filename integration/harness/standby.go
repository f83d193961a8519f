package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
)

// StandbySlot is the physical slot that a standby of PostgresPair reads, also
// its name for synchronized_standby_slots.
const StandbySlot = "standby"

// PostgresPair gives a primary and a streaming standby that only this test has,
// as processes of this machine. The standby keeps copies of failover slots. The
// options are the primary's; the standby has the same settings but for
// synchronized_standby_slots, since it has no standby when it is promoted.
func PostgresPair(t testing.TB, opts ...Option) (primary, standby *PostgresServer) {
	t.Helper()
	o := apply(append(opts, Own()))
	paths := Parts(t)
	settings := map[string]string{"fsync": "off"}
	maps.Copy(settings, o.settings)
	var first *embedded.Postgres
	primary = own(t, "primary", func(ctx context.Context, dir string) (*PostgresServer, func() error, error) {
		p, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Name: "primary", Parts: paths, Dir: dir, Settings: settings})
		if err != nil {
			return nil, nil, fmt.Errorf("harness: %w", err)
		}
		first = p
		return &PostgresServer{p.Addr, p.User, p.Password, p.Process}, p.Kill, nil
	})
	standby = own(t, "standby", func(ctx context.Context, dir string) (*PostgresServer, func() error, error) {
		settings := maps.Clone(settings)
		delete(settings, "synchronized_standby_slots")
		dir, _, err := embedded.PostgresDir(dir)
		if err == nil {
			err = backup(ctx, first, dir)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("harness: a standby: %w", err)
		}
		p, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Name: "standby", Parts: paths, Dir: dir, Password: first.Password, Settings: settings})
		if err != nil {
			return nil, nil, fmt.Errorf("harness: a standby: %w", err)
		}
		return &PostgresServer{p.Addr, p.User, p.Password, p.Process}, p.Kill, nil
	})
	return primary, standby
}

// backup copies a running server's data and makes the copy a standby. The
// archive that we fetch has no pg_basebackup; this is what it does
// (https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP).
func backup(ctx context.Context, p *embedded.Postgres, dir string) (err error) {
	conn, err := pgx.Connect(ctx, p.DSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	// The slot keeps the log that the copy will ask for.
	if _, err := conn.Exec(ctx, `SELECT pg_create_physical_replication_slot($1, true), pg_backup_start('standby', true)`, StandbySlot); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if err := copyData(filepath.Join(p.Dir, "data"), data); err != nil {
		return err
	}
	var label string
	if err := conn.QueryRow(ctx, `SELECT labelfile FROM pg_backup_stop(false)`).Scan(&label); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(`
primary_conninfo = 'host=%s port=%s user=%s password=%s dbname=postgres application_name=%s'
primary_slot_name = '%s'
hot_standby_feedback = on
wal_receiver_status_interval = 1s
`, host, port, p.User, p.Password, StandbySlot, StandbySlot)
	if version, err := os.ReadFile(filepath.Join(data, "PG_VERSION")); err != nil {
		return err
	} else if strings.TrimSpace(string(version)) >= "17" {
		conf += "sync_replication_slots = on\n"
	}
	for name, content := range map[string]string{"backup_label": label, "standby.signal": "", "postgresql.auto.conf": conf} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return giveLike(dir, filepath.Join(p.Dir, "data"))
}

// leftOut are the folders whose content a copy does without.
var leftOut = []string{"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}

func copyData(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the server removed it meanwhile
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		into := filepath.Join(to, rel)
		parent := filepath.Dir(rel)
		switch {
		case d.IsDir() && slices.Contains(leftOut, parent):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(into, 0o700)
		case slices.Contains(leftOut, parent), strings.HasPrefix(d.Name(), "postmaster."):
			return nil
		}
		return copyFile(path, into)
	})
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// giveLike gives a folder and all in it to the owner of another: as root, the
// server is another user.
func giveLike(dir, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("cannot tell who owns %s", like)
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
