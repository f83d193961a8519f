package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// schemaKey is a writer schema as it is met in one topic: two sources may share
// an id and stand in different tables.
type schemaKey struct {
	topic string
	id    uint32
}

// valueSchema is the way of the values of one writer schema into their table.
type valueSchema struct {
	envelope *avro.Envelope // or
	record   *avro.Record   // for a flat topic
	columns  []avro.Column
	mapping  *tables.Mapping
	mapped   *tables.Table // the shape that mapping leads to
	// failed: every value of it goes to the dead letters, with this reason.
	failed error
}

type keySchema struct {
	record *avro.Record
	failed error
}

// schemaText asks the registry, and waits while it is away. The second result
// says that the registry does not know the id.
func (b *batch) schemaText(ctx context.Context, id uint32) (text string, unknown, err error) {
	if unknown, ok := b.unknown[id]; ok {
		return "", unknown, nil
	}
	s := b.store
	err = s.health.Retry(ctx, "the schema registry", func(ctx context.Context) (err error) {
		text, err = s.registry.Schema(ctx, id)
		if notFound(err) {
			unknown, err = fmt.Errorf("the registry does not know schema %d: register it under this id again, then retry the dead letter: %w", id, err), nil
			return nil
		}
		if err != nil {
			return &sinks.Unavailable{What: "the schema registry", Err: err}
		}
		unknown = nil
		return nil
	})
	if unknown != nil {
		b.unknown[id] = unknown
	}
	return text, unknown, err
}

// notFound tells whether the registry answered, and has no such schema
// (Confluent's 40403, or a plain 404 of another make).
func notFound(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && (answer.ErrorCode == sr.ErrSchemaNotFound.Code || answer.StatusCode == http.StatusNotFound)
}

// keySchema gives the reader of a key schema.
func (b *batch) keySchema(ctx context.Context, id uint32) (*keySchema, error) {
	s := b.store
	if k, ok := s.keys[id]; ok {
		return k, nil
	}
	text, unknown, err := b.schemaText(ctx, id)
	if err != nil {
		return nil, err
	}
	if unknown != nil {
		return &keySchema{failed: unknown}, nil
	}
	k := &keySchema{}
	k.record, k.failed = avro.ParseRecord(text)
	s.keys[id] = k
	return k, nil
}

// valueSchema gives the way of a value schema into the lane's table. A schema
// that is met for the first time may bring new columns: the tables are altered
// before its first row, and a batch that holds rows of the old shape goes
// first (sinks.ErrFull).
func (b *batch) valueSchema(ctx context.Context, r *route, id uint32, key []avro.Column) (*valueSchema, error) {
	s, l := b.store, b.lane
	k := schemaKey{r.topic, id}
	v, ok := s.values[k]
	if !ok {
		text, unknown, err := b.schemaText(ctx, id)
		if err != nil {
			return nil, err
		}
		if unknown != nil {
			return &valueSchema{failed: unknown}, nil
		}
		v = &valueSchema{}
		v.parse(r, text, key)
		if v.failed == nil {
			if err := s.evolve(ctx, r, l, v, b.rows > 0); err != nil {
				return nil, err
			}
		}
		s.values[k] = v
	}
	if v.failed == nil && v.mapped != l.table {
		if v.mapping, v.failed = l.table.Map(v.columns); v.failed == nil {
			v.mapped = l.table
		}
	}
	return v, nil
}

func (v *valueSchema) parse(r *route, text string, key []avro.Column) {
	if r.flat {
		if v.record, v.failed = avro.ParseRecord(text); v.failed == nil {
			v.columns = v.record.Columns()
		}
	} else if v.envelope, v.failed = avro.ParseEnvelope(text); v.failed == nil {
		v.columns = v.envelope.Columns()
	}
	if v.failed == nil && len(key) > 0 {
		v.columns = withKey(v.columns, key)
	}
}

// withKey marks the columns of the message's key. Schemas of ours say it
// themselves; those of another Debezium connector do not.
func withKey(columns, key []avro.Column) []avro.Column {
	names := make(map[string]bool, len(key))
	for i := range key {
		names[key[i].Name] = true
	}
	out := append([]avro.Column(nil), columns...)
	for i := range out {
		out[i].Key = names[out[i].Name]
	}
	return out
}

// evolve makes the lane's tables fit a schema. What its tables cannot hold is
// the schema's failure, and its rows' reason to go to the dead letters: the
// other tables go on (P3).
func (s *store) evolve(ctx context.Context, r *route, l *lane, v *valueSchema, batchHasRows bool) error {
	next, changes := l.grown(r, v)
	if v.failed != nil || l.table != nil && len(changes) == 0 {
		return nil
	}
	if s.dry {
		v.failed = errors.New("the tables do not hold its schema yet")
		return nil
	}
	if batchHasRows {
		return sinks.ErrFull
	}
	err := s.health.Retry(ctx, "data set "+l.dataset, func(ctx context.Context) error {
		// Another sink may have altered the tables: by what this one remembers
		// of them, it could make a column narrow again.
		if err := s.refresh(ctx, l.dataset); err != nil {
			return err
		}
		if next, changes = l.grown(r, v); v.failed != nil || l.table != nil && len(changes) == 0 {
			return nil
		}
		return s.reshape(ctx, l, next, changes)
	})
	if err == nil {
		err = s.follow(ctx, l)
	}
	if err != nil || v.failed != nil {
		return err
	}
	for _, c := range changes {
		switch {
		case c.Of != "":
			s.log.Warn("a column changed to a type that its values have no room in: it goes on in a new column, and the views show both under the old name; take a new snapshot of the table to have all of it in the new one",
				"dataset", l.dataset, "column", c.Of, "goes_on_in", c.Column.Name, "type", c.Column.SQLType(), "topic", r.topic)
		case c.Added:
			s.log.Info("column added", "dataset", l.dataset, "column", c.Column.Name, "type", c.Column.SQLType(), "topic", r.topic)
		default:
			s.log.Info("column widened", "dataset", l.dataset, "column", c.Column.Name, "type", c.Column.SQLType(), "topic", r.topic)
		}
	}
	if len(changes) == 0 {
		s.log.Info("tables made", "dataset", l.dataset, "keyed", l.table.Keyed())
	}
	return nil
}

// grown gives the shape that also holds a schema's rows, or the reason why
// there is none, in v.
func (l *lane) grown(r *route, v *valueSchema) (next *tables.Table, changes []tables.Change) {
	if l.table == nil {
		next, v.failed = tables.New(r.desc, v.columns)
		return next, nil
	}
	next, changes, v.failed = l.table.Evolve(r.desc, v.columns)
	return next, changes
}
