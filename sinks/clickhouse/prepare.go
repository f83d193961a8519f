package clickhouse

import (
	"context"
	"slices"
	"time"

	"github.com/hopluu/hopluu/schemas/avro"
)

// prepareTime bounds one round of questions to the registry.
const prepareTime = 2 * time.Second

// Prepare implements sinks.Store: it makes the tables of topics that have a
// schema and no events yet, so that an empty table at the source is an empty one
// here, and not a missing one. A registry that is away is not waited for: the
// events do that.
func (s *store) Prepare(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	for _, name := range s.reading {
		r := s.routes[name]
		l := s.lanes[r.dataset]
		if l.table != nil || r.flat {
			continue
		}
		v := s.registered(asking, r)
		if v == nil || v.failed != nil {
			continue // an event that comes with it tells why
		}
		if err := s.evolve(ctx, r, l, v, false); err != nil {
			return err
		}
	}
	return nil
}

// registered is the newest schema of a topic, nil when there is none. The key's
// is registered first, so that a value's alone is that of a table without one.
func (s *store) registered(ctx context.Context, r *route) *valueSchema {
	value, ok, err := s.registry.Latest(ctx, r.topic+"-value")
	if err != nil || !ok {
		return nil
	}
	text, ok, err := s.registry.Latest(ctx, r.topic+"-key")
	if err != nil {
		return nil
	}
	var key []avro.Column
	if ok {
		record, err := avro.ParseRecord(text)
		if err != nil {
			return nil
		}
		key = slices.Clone(record.Columns())
	}
	v := &valueSchema{}
	v.parse(r, value, key)
	return v
}
