package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// parts are ClickHouse's backups in the order in which they are taken: what ops
// says is settled is in bronze and silver by then. Gold is made of views, which the
// sink makes.
var parts = []struct {
	name      string
	databases []string
}{
	{"ops", []string{tables.Ops}},
	{"data", []string{tables.Bronze, tables.Silver}},
}

// Error codes of ClickHouse (src/Common/ErrorCodes.cpp).
const (
	codeBadArguments   = 36
	codeSyntax         = 62
	codeNoSpace        = 243
	codeNotImplemented = 48
	codeAccessDenied   = 497
	codeNoBackup       = 599
	codeEntryMissing   = 605
	codeBackupDamaged  = 601
	codeExists         = 598
)

// explain says what a user can do about an error of BACKUP or RESTORE.
func explain(err error, at string) error {
	var e *clickhouse.Exception
	if !errors.As(err, &e) {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return told(int(e.Code), err.Error(), at)
}

// told is explain of a statement that went on by itself.
func told(code int, message, at string) error {
	advice := "see the server's log"
	switch code {
	case codeBadArguments:
		if strings.Contains(message, "allowed") {
			advice = "name a folder below the server's backups.allowed_path with --to, or say in backup.clickhouse where the server shall write"
		}
	case codeSyntax, codeNotImplemented:
		advice = "this ClickHouse has no BACKUP to that place: say another one in backup.clickhouse, or save its disks yourself and give --without-clickhouse"
	case codeNoSpace:
		advice = "make room on the disk of the backups, or name another folder with --to; what was written is removed by the next backup"
	case codeAccessDenied:
		advice = "grant the user of clickhouse.dsn BACKUP on bronze, silver and ops (and for a restore CREATE, INSERT and DROP)"
	case codeNoBackup:
		advice = "ClickHouse's part is not where it was written: bring it back there"
	case codeBackupDamaged, codeEntryMissing:
		advice = "ClickHouse's part is damaged: take another backup"
	}
	message, _, _ = strings.Cut(message, "\n")
	return fmt.Errorf("clickhouse, %s: %s: %s", at, strings.TrimSpace(message), advice)
}

// at is where ClickHouse writes a part of a backup, or reads it from.
func (c *Config) at(dir, name, part string) (at, folder string) {
	if c.Destination == "" {
		folder = "clickhouse-" + part
		return "File(" + tables.Quote(filepath.Join(dir, folder)) + ")", folder
	}
	return strings.ReplaceAll(c.Destination, "{name}", name+"/"+part), ""
}

// from is where ClickHouse finds a part of a backup that was taken.
func (c *Config) from(dir string, m *Manifest, p Part) (string, error) {
	if p.Folder != "" {
		full, err := filepath.Abs(filepath.Join(dir, p.Folder))
		return "File(" + tables.Quote(full) + ")", err
	}
	if c.Destination == "" {
		return "", fmt.Errorf("backup %s: ClickHouse's part is at %s: name that place in backup.clickhouse", m.Name, p.At)
	}
	at, _ := c.at(dir, m.Name, p.Name)
	return at, nil
}

// hide takes what may be secret out of a destination: all but the first argument.
func hide(at string) string {
	if head, _, more := strings.Cut(at, ","); more {
		return head + ", …)"
	}
	return at
}

// statement runs BACKUP or RESTORE and waits for its end, telling of progress.
func (c *Config) statement(ctx context.Context, sql, at, what string) (bytes, files int64, err error) {
	var id, status string
	rows, err := c.ClickHouse.Query(ctx, sql+" ASYNC")
	if err == nil {
		for rows.Next() {
			if err = rows.Scan(&id, &status); err != nil {
				break
			}
		}
		err = errors.Join(err, rows.Err(), rows.Close())
	}
	if err != nil {
		return 0, 0, explain(err, hide(at))
	}
	for {
		var message string
		var total, done uint64
		var count, read uint64
		row := c.ClickHouse.QueryRow(ctx, "SELECT toString(status), error, total_size, num_files, files_read, bytes_read FROM system.backups WHERE id = "+tables.Quote(id))
		if err := row.Scan(&status, &message, &total, &count, &read, &done); err != nil {
			return 0, 0, fmt.Errorf("clickhouse: %s went on, but how far cannot be asked: %w", what, err)
		}
		c.progress(what, int64(done), int64(total))
		switch {
		case strings.HasSuffix(status, "_CREATED"), status == "RESTORED":
			return int64(total), int64(count), nil
		case strings.Contains(status, "FAILED"), strings.Contains(status, "CANCELLED"):
			code := 0
			// "Code: 243. DB::Exception: …": a number that is not there stays 0.
			_, _ = fmt.Sscanf(message, "Code: %d.", &code)
			return 0, 0, told(code, message, hide(at))
		}
		select {
		case <-ctx.Done():
			// The server goes on; what it writes is removed with the partial backup.
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_ = c.ClickHouse.Exec(stop, "KILL QUERY WHERE query_id IN (SELECT query_id FROM system.backups WHERE id = "+tables.Quote(id)+") ASYNC")
			return 0, 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func databases(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "DATABASE " + tables.Ident(n)
	}
	return strings.Join(quoted, ", ")
}

// saveClickHouse has ClickHouse copy its databases.
func (r *run) saveClickHouse(ctx context.Context) error {
	for _, p := range parts {
		at, folder := r.at(r.dir, r.manifest.Name, p.name)
		sql := "BACKUP " + databases(p.databases) + " TO " + at
		if r.base != nil {
			i := slices.IndexFunc(r.base.ClickHouse, func(b Part) bool { return slices.Equal(b.Databases, p.databases) })
			if i < 0 {
				return fmt.Errorf("backup %s has nothing of ClickHouse: name another one with --incremental", r.base.Name)
			}
			from, err := r.from(r.baseDir, r.base, r.base.ClickHouse[i])
			if err != nil {
				return err
			}
			sql += " SETTINGS base_backup = " + from
		}
		what := "clickhouse " + strings.Join(p.databases, ", ")
		bytes, files, err := r.statement(ctx, sql, at, what)
		if err != nil {
			return err
		}
		part := Part{Name: p.name, Databases: p.databases, At: hide(at), Bytes: bytes, Files: files}
		if folder != "" {
			found, err := sums(ctx, r.dir, folder)
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return fmt.Errorf("%w: ClickHouse wrote there, and hopluu cannot read it: run both on one machine as one user, or say in backup.clickhouse where the server shall write", err)
			}
			part.Folder = folder
			r.manifest.Files = append(r.manifest.Files, found...)
		}
		r.manifest.ClickHouse = append(r.manifest.ClickHouse, part)
	}
	return nil
}

// bronzeTables are the tables of events that there are.
func bronzeTables(ctx context.Context, conn driver.Conn) ([]string, error) {
	return names(ctx, conn, "SELECT name FROM system.tables WHERE database = 'bronze' AND engine LIKE '%MergeTree' ORDER BY name")
}

func names(ctx context.Context, conn driver.Conn, sql string) (all []string, err error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
		all = append(all, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return all, nil
}

// held gives the offset after the last that bronze has of each partition.
func held(ctx context.Context, conn driver.Conn) (map[topic.Partition]int64, error) {
	in, err := bronzeTables(ctx, conn)
	if err != nil || len(in) == 0 {
		return map[topic.Partition]int64{}, err
	}
	var queries []string
	for _, t := range in {
		queries = append(queries, "SELECT _topic, _partition, max(_offset) AS last FROM "+tables.Qualified(tables.Bronze, t)+" GROUP BY _topic, _partition")
	}
	all := map[topic.Partition]int64{}
	rows, err := conn.Query(ctx, "SELECT toString(_topic), _partition, last FROM ("+strings.Join(queries, "\nUNION ALL\n")+")")
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		var p topic.Partition
		var last int64
		if err := rows.Scan(&p.Topic, &p.ID, &last); err != nil {
			return nil, errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
		all[p] = last + 1
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return all, nil
}

// epoch gives the highest epoch of the sink.
func epoch(ctx context.Context, conn driver.Conn) (uint32, error) {
	there, err := names(ctx, conn, "SELECT name FROM system.tables WHERE database = 'ops' AND name = 'sink_epoch'")
	if err != nil || len(there) == 0 {
		return 0, err
	}
	var highest uint32
	if err := conn.QueryRow(ctx, "SELECT toUInt32(max(epoch)) FROM ops.sink_epoch").Scan(&highest); err != nil {
		return 0, fmt.Errorf("clickhouse: %w", err)
	}
	return highest, nil
}

func exec(ctx context.Context, conn driver.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("clickhouse: %w", err)
		}
	}
	return nil
}
