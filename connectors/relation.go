package connectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
)

// relation makes encoders for a table as it is from here on.
func (f *follower) relation(ctx context.Context, frame []byte, m *pgoutput.Relation) error {
	name := m.Namespace + "." + m.Name
	if slices.Contains(f.names(), name) {
		if err := f.look(ctx, name); err != nil {
			return err
		}
	}
	was := f.tables[m.OID]
	if was != nil && was.reason == "" && m.ReplicaIdentity == 'd' && reflect.DeepEqual(was.message, m) {
		return nil // described again, as after VACUUM: nothing is new
	}
	relation, err := f.describe(ctx, m, was)
	var t *table
	if err == nil {
		t, err = f.compile(ctx, relation)
	}
	if err == nil {
		err = identityHoldsKey(t, m)
	}
	var bad *QuarantineError
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	if t == nil {
		t = f.bare(relation)
	}
	t.message, t.frame, t.order = m, bytes.Clone(frame), f.order(t.name())
	if err != nil && t.reason == "" {
		// The first change of it decides. For a partition, whose changes come
		// under its root, there is none.
		t.reason, t.provisional = err.Error(), true
	}
	f.tables[m.OID] = t
	return nil
}

// describe joins what the stream says of a relation (its columns at this point
// of the log) with what only the catalogue knows (the order of its key, its
// types), which may be ahead. was is the description before, nil for the first.
func (f *follower) describe(ctx context.Context, m *pgoutput.Relation, was *table) (postgres.Relation, error) {
	relation := postgres.Relation{OID: m.OID, Schema: m.Namespace, Table: m.Name, Identity: string(m.ReplicaIdentity)}
	var identity []string
	for _, c := range m.Columns {
		relation.Columns = append(relation.Columns, pgvalue.Column{Name: c.Name, OID: c.OID, Typmod: c.Typmod})
		if c.Key {
			identity = append(identity, c.Name)
		}
	}
	now, err := f.catalog.Relation(ctx, m.Namespace, m.Name)
	switch {
	case err == nil:
		relation.Primary = now.Primary
		declared(relation.Columns, now.Columns)
	case errors.Is(err, postgres.ErrNoTable) && was != nil:
		relation.Primary = was.relation.Primary
		declared(relation.Columns, was.relation.Columns)
	case errors.Is(err, postgres.ErrNoTable) && m.ReplicaIdentity != 'd':
		return relation, &QuarantineError{Table: relation.Name(), Err: errors.New("it is gone from the database, and what its key was cannot be known")}
	case !errors.Is(err, postgres.ErrNoTable):
		return relation, err
	}
	// With the default identity the stream says which columns the primary key
	// had at this point.
	if m.ReplicaIdentity == 'd' && !sameSet(relation.Primary, identity) {
		relation.Primary = identity
	}
	err = f.catalog.Resolve(ctx, relation.Columns)
	if errors.Is(err, postgres.ErrNoType) {
		err = &QuarantineError{Table: relation.Name(), Err: err}
	}
	return relation, err
}

// declared gives columns of the stream what only the catalogue says of them.
func declared(columns, known []pgvalue.Column) {
	for i := range columns {
		for _, k := range known {
			if k.Name == columns[i].Name && k.OID == columns[i].OID {
				columns[i].Dims = k.Dims
			}
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// identityHoldsKey refuses a table whose old images lack columns of its key:
// its deletes and its changes of key could not be told.
func identityHoldsKey(t *table, m *pgoutput.Relation) error {
	if m.ReplicaIdentity == 'f' || !slices.ContainsFunc(m.Columns, func(c pgoutput.RelationColumn) bool { return c.Key }) {
		return nil // whole rows, or none: then the source itself refuses updates and deletes
	}
	for _, i := range t.key {
		if c := m.Columns[i]; !c.Key {
			return &QuarantineError{Table: t.name(), Err: fmt.Errorf("its replica identity does not hold the key column %s: run ALTER TABLE %s REPLICA IDENTITY USING INDEX a unique index on the key, or REPLICA IDENTITY FULL", c.Name, t.name())}
		}
	}
	return nil
}
