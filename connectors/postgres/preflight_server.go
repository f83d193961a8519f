package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// server looks at what the whole server is set to.
func (p *preflight) server(ctx context.Context) error {
	var slots, slotsUsed, senders, sendersUsed int
	var walLevel, idle string
	var dataDirectory *string
	p.Disk = &Disk{}
	err := p.conn.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_setting('wal_level'),
		       nullif(pg_size_bytes(current_setting('max_slot_wal_keep_size')), -1), pg_size_bytes(current_setting('max_wal_size')), pg_database_size(current_database()),
		       (SELECT setting FROM pg_settings WHERE name = 'data_directory'),
		       coalesce(nullif(current_setting('idle_replication_slot_timeout', true), '0'), ''),
		       current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> $1)::int,
		       current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_replication WHERE pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1 AND active))::int`, p.Slot).
		Scan(&p.Version, &p.version, &walLevel, &p.Disk.KeepWAL, &p.Disk.MaxWAL, &p.Disk.Database, &dataDirectory, &idle, &slots, &slotsUsed, &senders, &sendersUsed)
	if err != nil {
		return err
	}
	if p.version < 140000 {
		p.add(Finding{Level: Fault, Check: "version", Advice: "upgrade the server"}, "PostgreSQL %s is too old: 14 or newer is needed", p.Version)
	}
	if walLevel != "logical" {
		p.add(Finding{Level: Fault, Check: "wal_level", Mend: "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server"}, "wal_level is %s", walLevel)
	}
	if p.Disk.KeepWAL == nil {
		p.add(Finding{Level: Warning, Check: "max_slot_wal_keep_size", Mend: "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();", Advice: "choose what the disk of pg_wal can spare"},
			"max_slot_wal_keep_size is unlimited: a connector that is down for long lets WAL fill the disk")
	}
	if idle != "" {
		p.add(Finding{Level: Warning, Check: "idle_replication_slot_timeout", Mend: "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();"},
			"idle_replication_slot_timeout is %s: a connector that is down for longer loses its slot, and all tables are read anew", idle)
	}
	// One slot for the stream, one for a moment while tables are read anew.
	if free := slots - slotsUsed; free < 2 {
		p.add(Finding{Level: Fault, Check: "max_replication_slots", Mend: fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d; -- then restart the server", slots+4)}, "%d replication slots are free, 2 are needed", free)
	}
	if free := senders - sendersUsed; free < 2 {
		p.add(Finding{Level: Fault, Check: "max_wal_senders", Mend: fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; -- then restart the server", senders+4)}, "%d WAL senders are free, 2 are needed", free)
	}
	directory := "of the server's data directory (SHOW data_directory as an administrator)"
	if dataDirectory != nil {
		directory = *dataDirectory
	}
	p.Unseen = append(p.Unseen, Unseen{"how much of the disk is free: no function of the server tells", "on the server, df -h " + directory + " and its pg_wal"})
	return nil
}

// RoleAbsent is the Check of a role that enable has still to make.
const RoleAbsent = "role_absent"

// become goes on with the rights of the role that will capture, once what an
// administrator sees was seen.
func (p *preflight) become(ctx context.Context) error {
	if p.Role == "" {
		return nil
	}
	var there, wal bool
	err := p.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')`, p.Role).Scan(&there, &wal)
	if err != nil {
		return err
	}
	if wal {
		if err := p.sizeOfWAL(ctx); err != nil {
			return err
		}
	}
	p.role, p.absent = p.Role, !there
	if p.absent {
		p.add(Finding{Level: Fault, Check: RoleAbsent, Mend: p.enable()}, "role %s is not there yet", p.Role)
		return nil
	}
	if _, err := p.conn.Exec(ctx, "SET ROLE "+pgx.Identifier{p.Role}.Sanitize()); err != nil {
		return fmt.Errorf("look with the rights of role %s, which a superuser may: %w", p.Role, err)
	}
	return nil
}

func (p *preflight) sizeOfWAL(ctx context.Context) error {
	return p.conn.QueryRow(ctx, `SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()`).Scan(&p.Disk.WAL)
}

// rights looks at the role that captures, and what it may see.
func (p *preflight) rights(ctx context.Context) error {
	if p.absent {
		return nil
	}
	var replication, stats, wal bool
	err := p.conn.QueryRow(ctx, `
		SELECT rolname::text, rolsuper, rolreplication OR rolsuper, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')
		FROM pg_roles WHERE rolname = current_user`).Scan(&p.role, &p.super, &replication, &stats, &wal)
	if err != nil {
		return err
	}
	role := pgx.Identifier{p.role}.Sanitize()
	if !replication {
		p.add(Finding{Level: Fault, Check: "role", Mend: "ALTER ROLE " + role + " REPLICATION;"}, "role %s may not replicate", p.role)
	}
	if p.super {
		p.add(Finding{Level: Warning, Check: "role", Advice: "name a role of its own in the source's dsn, then: " + p.enable()}, "role %s is a superuser: capture needs to read the described tables and to replicate, and nothing else", p.role)
	}
	if !stats && p.Role == "" {
		p.Unseen = append(p.Unseen, Unseen{"transactions of other roles that are open for long", "GRANT pg_read_all_stats TO " + role + ";"})
	}
	switch {
	case p.Disk.WAL != nil: // an administrator saw it
	case wal:
		return p.sizeOfWAL(ctx)
	default:
		p.Unseen = append(p.Unseen, Unseen{"how much pg_wal takes", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO " + role + ";"})
	}
	return nil
}

// SlotLost is the Check of a slot that the server gave up. It stands until a
// connector runs that reads all tables anew.
const SlotLost = "slot_lost"

// ownSlot looks at the slot that a connector left.
func (p *preflight) ownSlot(ctx context.Context) error {
	var lost, other bool
	var database, plugin string
	err := p.conn.QueryRow(ctx, `
		SELECT coalesce(bool_or(wal_status = 'lost'), false), coalesce(bool_or(plugin IS DISTINCT FROM 'pgoutput' OR database IS DISTINCT FROM current_database()), false),
		       coalesce(max(database), 'no database'), coalesce(max(plugin), 'physical')
		FROM pg_replication_slots WHERE slot_name = $1`, p.Slot).Scan(&lost, &other, &database, &plugin)
	switch {
	case err != nil:
		return err
	case other:
		p.add(Finding{Level: Fault, Check: "slot", Advice: "give this source another slot name: slots are shared by all databases of a server"}, "replication slot %s belongs to %s (%s)", p.Slot, database, plugin)
	case lost:
		p.add(Finding{Level: Fault, Check: SlotLost, Mend: "hopluu connector resnapshot " + p.Target.Source, Advice: "then start the connector, if it stands: hopluu connector run " + p.Target.Source}, "the server gave replication slot %s up: changes are lost, and all tables must be read anew", p.Slot)
	}
	return nil
}

// From here on another slot is worth a word: the WAL that it keeps, and the age
// in transactions of the catalogue rows that VACUUM must leave because of it.
const (
	muchWAL = 1 << 30
	oldXmin = 10_000_000
)

// otherSlots looks for slots that nobody reads: they fill the same disk as ours
// would, and keep the catalogue from being cleaned.
func (p *preflight) otherSlots(ctx context.Context) error {
	rows, err := p.conn.Query(ctx, `
		SELECT slot_name::text, coalesce(wal_status, ''), coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint,
		       greatest(age(xmin), age(catalog_xmin), 0)::bigint
		FROM pg_replication_slots WHERE slot_name <> $1 AND NOT active AND NOT temporary ORDER BY 1`, p.Slot)
	if err != nil {
		return err
	}
	var name, status string
	var retained, age int64
	_, err = pgx.ForEachRow(rows, []any{&name, &status, &retained, &age}, func() error {
		if retained < muchWAL && age < oldXmin && status != "unreserved" && status != "lost" {
			return nil
		}
		p.add(Finding{Level: Warning, Check: "other_slot", Mend: "SELECT pg_drop_replication_slot(" + literal(name) + ");", Advice: "only if nobody needs it any more"},
			"replication slot %s is read by nobody: it keeps %d MB of WAL (%s), and catalogue rows for %d transactions", name, retained>>20, status, age)
		return nil
	})
	return err
}

// transactions looks for those that are open for long: making a slot waits for
// them, and what they may still see no VACUUM removes.
func (p *preflight) transactions(ctx context.Context) error {
	// Other roles' times are null unless the role may see them (Unseen).
	rows, err := p.conn.Query(ctx, `
		SELECT pid, coalesce(usename::text, ''), coalesce(datname::text, ''), extract(epoch FROM now() - xact_start)::bigint
		FROM pg_stat_activity
		WHERE xact_start <= now() - $1::bigint * interval '1 microsecond' AND pid <> pg_backend_pid() AND backend_type = 'client backend'
		  AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL) ORDER BY xact_start`, p.Patience.Microseconds())
	if err != nil {
		return err
	}
	var pid int32
	var user, database, gid string
	var seconds int64
	_, err = pgx.ForEachRow(rows, []any{&pid, &user, &database, &seconds}, func() error {
		p.add(Finding{Level: Warning, Check: "transaction", Mend: fmt.Sprintf("SELECT pg_terminate_backend(%d);", pid), Advice: "or wait for its end"},
			"a transaction of %s in %s (process %d) is open for %s: making the slot waits for its end, and dead rows stay until then", user, database, pid, time.Duration(seconds)*time.Second)
		return nil
	})
	if err != nil {
		return err
	}
	rows, err = p.conn.Query(ctx, `
		SELECT gid, owner::text, database::text, extract(epoch FROM now() - prepared)::bigint FROM pg_prepared_xacts
		WHERE prepared <= now() - $1::bigint * interval '1 microsecond' ORDER BY prepared`, p.Patience.Microseconds())
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&gid, &user, &database, &seconds}, func() error {
		p.add(Finding{Level: Warning, Check: "prepared_transaction", Mend: "ROLLBACK PREPARED " + literal(gid) + "; -- in database " + database, Advice: "or COMMIT PREPARED: whoever prepared it knows"},
			"transaction %q of %s is prepared for %s: making the slot waits for its end, and dead rows stay until then", gid, user, time.Duration(seconds)*time.Second)
		return nil
	})
	return err
}

// deadRows from which on a catalogue is bloated, if they are more than the live
// ones too.
const deadRows = 50_000

// bloat looks at the catalogues that decoding reads for every transaction that
// changes a table.
func (p *preflight) bloat(ctx context.Context) error {
	rows, err := p.conn.Query(ctx, `
		SELECT relname::text, n_dead_tup, n_live_tup FROM pg_stat_sys_tables
		WHERE schemaname = 'pg_catalog' AND n_dead_tup >= $1 AND n_dead_tup > n_live_tup ORDER BY 1`, deadRows)
	if err != nil {
		return err
	}
	var name string
	var dead, live int64
	_, err = pgx.ForEachRow(rows, []any{&name, &dead, &live}, func() error {
		p.add(Finding{Level: Warning, Check: "catalog_bloat", Mend: "VACUUM pg_catalog." + pgx.Identifier{name}.Sanitize() + ";", Advice: "an old transaction or slot keeps it from working: see those first"},
			"catalogue %s has %d dead rows beside %d live ones: every session, decoding too, reads through them", name, dead, live)
		return nil
	})
	return err
}

// locks looks for those on the tables, and on their partitions, that stand in the
// way of what enable and the snapshot take now. Autovacuum, which has no user, makes way by itself.
func (p *preflight) locks(ctx context.Context, oids []uint32) error {
	rows, err := p.conn.Query(ctx, `
		WITH RECURSIVE tree(root, oid) AS (
			SELECT o, o FROM unnest($1::oid[]) o
			UNION ALL SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class k ON k.oid = i.inhrelid AND k.relispartition)
		SELECT l.pid, a.usename::text, l.mode, n.nspname || '.' || c.relname, c.oid, t.root
		FROM tree t JOIN pg_locks l ON l.relation = t.oid JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.granted
		  AND a.usename IS NOT NULL AND l.pid <> pg_backend_pid()
		  AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') ORDER BY 1, 4`, oids)
	if err != nil {
		return err
	}
	var pid int32
	var user, mode, table string
	var oid, root uint32
	_, err = pgx.ForEachRow(rows, []any{&pid, &user, &mode, &table, &oid, &root}, func() error {
		f := Finding{Level: Note, Check: "lock", Mend: fmt.Sprintf("SELECT pg_terminate_backend(%d);", pid), Advice: "or wait for its end"}
		means := "'enable' would wait " + setupLockTimeout + " for it and give up; a capture that runs is not touched"
		if mode == "AccessExclusiveLock" {
			p.locked[oid], p.locked[root] = true, true
			f.Level, means = Warning, "neither 'enable' nor a snapshot can go on before its end"
		}
		p.add(f, "process %d of %s holds %s on %s: %s", pid, user, mode, table, means)
		return nil
	})
	return err
}
