package clickhouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/access"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Roles are who reads what in ClickHouse, of all servers of a cluster.
type Roles struct {
	server  *server
	sectors *sectors.Set
}

// OpenRoles connects to ClickHouse; cluster is empty without one. Close ends it.
func OpenRoles(options *clickhouse.Options, clusterName string, shards int, set *sectors.Set) (*Roles, error) {
	var s *server
	var err error
	if clusterName == "" {
		s, err = open(options)
	} else {
		s, err = openOne(options, &cluster.Cluster{Name: clusterName, Shards: shards}, false)
	}
	if err != nil {
		return nil, err
	}
	return &Roles{s, set}, nil
}

// Close ends the connection.
func (r *Roles) Close() error { return r.server.conn.Close() }

// Columns are those that ClickHouse has now.
func (r *Roles) Columns(ctx context.Context) (all []access.Column, err error) {
	names := ""
	for _, d := range []string{tables.Bronze, tables.Silver, tables.Gold, tables.Ops, tables.Bronze + cluster.Suffix, tables.Silver + cluster.Suffix} {
		if names != "" {
			names += ", "
		}
		names += quote(d)
	}
	err = r.server.query(ctx, "SELECT database, table, name, is_in_sorting_key FROM system.columns WHERE database IN ("+names+") ORDER BY database, table, position", func(rows driver.Rows) error {
		var c access.Column
		var key uint8
		if err := rows.Scan(&c.Database, &c.Table, &c.Name, &key); err != nil {
			return err
		}
		c.Key = key == 1
		all = append(all, c)
		return nil
	})
	return all, err
}

// Wanted are the rights that the roles have over what ClickHouse has now.
func (r *Roles) Wanted(ctx context.Context) ([]access.Grant, error) {
	columns, err := r.Columns(ctx)
	if err != nil {
		return nil, err
	}
	return access.Wanted(r.sectors, columns), nil
}

// Plan gives the statements that bring the server to what is wanted now, and
// whether any role of ours is there already. A user who may not see roles sees
// none: all statements are given then.
func (r *Roles) Plan(ctx context.Context) (changes []access.Change, there bool, err error) {
	wanted, err := r.Wanted(ctx)
	if err != nil {
		return nil, false, err
	}
	var names []string
	err = r.server.query(ctx, "SELECT name FROM system.roles WHERE startsWith(name, "+quote(access.Prefix)+")", func(rows driver.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if code(err) == codeAccessDenied {
		return access.Plan(r.sectors, wanted, nil, nil), false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for _, role := range access.Roles(r.sectors) {
		there = there || slices.Contains(names, role.Name)
	}
	var held []access.Held
	err = r.server.query(ctx, `SELECT assumeNotNull(role_name), toString(access_type), ifNull(database, ''), ifNull(table, ''), ifNull(column, ''), is_partial_revoke, grant_option
FROM system.grants WHERE startsWith(ifNull(role_name, ''), `+quote(access.Prefix)+`)`, func(rows driver.Rows) error {
		var h access.Held
		var revoked, option uint8
		if err := rows.Scan(&h.Role, &h.Kind, &h.Database, &h.Table, &h.Column, &revoked, &option); err != nil {
			return err
		}
		h.Revoked = revoked == 1
		held = append(held, h)
		if option == 1 && !h.Revoked {
			h.Kind = "GRANT OPTION FOR " + h.Kind
			held = append(held, h)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return access.Plan(r.sectors, wanted, names, held), there, nil
}

// Apply carries a plan out, one statement after the other: a second try goes on
// where the first one ended.
func (r *Roles) Apply(ctx context.Context, changes []access.Change, done func(access.Change)) error {
	for _, c := range changes {
		if err := r.server.exec(ctx, c.Statement); err != nil {
			return rolesError(c, err)
		}
		done(c)
	}
	return nil
}

// Error codes of ClickHouse (src/Common/ErrorCodes.cpp).
const (
	codeReadonlyAccess = 495
	codeNoAccessStore  = 514
)

func rolesError(c access.Change, err error) error {
	switch code(err) {
	case codeReadonlyAccess, codeNoAccessStore:
		return fmt.Errorf("this ClickHouse keeps no roles (one machine's engine does not; a server does with a writable user_directories): %w", err)
	case codeAccessDenied:
		return fmt.Errorf("%s: the user of clickhouse.dsn needs CREATE ROLE, ROLE ADMIN, and SELECT on bronze, silver, gold and ops WITH GRANT OPTION, or give the plan to one who has them; the engine of one machine keeps no roles: %w", c.Role, err)
	}
	return fmt.Errorf("%s: %w", c.Statement, err)
}

// keepRoles brings the roles' rights to the tables as they are, whenever it is
// woken, once an operator has made the roles (P11): a column that is new stays
// closed, one that the sector file calls personal now is taken away.
func (s *store) keepRoles(ctx context.Context) {
	r := &Roles{s.server, s.sectors}
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.gold.changed:
		}
		changes, there, err := r.Plan(ctx)
		if err == nil && there && len(changes) > 0 {
			if err = r.Apply(ctx, changes, func(access.Change) {}); err == nil {
				s.log.Info("the roles' rights follow the tables", "statements", len(changes))
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			told = false
		case !told:
			told = true
			s.log.Warn("the roles' rights do not follow the tables; see 'hopluu access plan'", "error", err)
		}
	}
}
