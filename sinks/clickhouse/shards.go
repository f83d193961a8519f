package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// shards are the servers that rows are sent to: one for each shard of a cluster,
// or the one server there is.
type shards struct {
	cluster *cluster.Cluster // nil without one
	servers []*server
}

// clusterSettings are those of every connection to a cluster: what is
// acknowledged is on a majority of the shard's replicas (P2), a statement on all
// servers fails when it fails on one, and a subquery over a sharded table is
// answered from all shards.
var clusterSettings = clickhouse.Settings{
	"insert_quorum":               "auto",
	"distributed_ddl_output_mode": "throw",
	"distributed_product_mode":    "global",
}

// openAll connects to the server, and to the shards where there is a cluster.
func openAll(c *Config) (*server, *shards, error) {
	if c.Cluster == "" {
		s, err := open(c.ClickHouse)
		if err != nil {
			return nil, nil, err
		}
		return s, &shards{servers: []*server{s}}, nil
	}
	if len(c.Shards) == 0 {
		return nil, nil, fmt.Errorf("clickhouse: cluster %s has no shards: give the address of each in clickhouse.shards, in the order of remote_servers", c.Cluster)
	}
	with := &cluster.Cluster{Name: c.Cluster, Shards: len(c.Shards)}
	s, err := openOne(c.ClickHouse, with, false)
	if err != nil {
		return nil, nil, err
	}
	all := &shards{cluster: with}
	for _, options := range c.Shards {
		one, err := openOne(options, with, true)
		if err != nil {
			return nil, nil, errors.Join(err, all.close(), s.conn.Close())
		}
		all.servers = append(all.servers, one)
	}
	return s, all, nil
}

func openOne(options *clickhouse.Options, with *cluster.Cluster, local bool) (*server, error) {
	o := *options
	o.Settings = maps.Clone(o.Settings)
	if o.Settings == nil {
		o.Settings = clickhouse.Settings{}
	}
	for name, value := range clusterSettings {
		o.Settings[name] = cmp.Or(o.Settings[name], value)
	}
	s, err := open(&o)
	if err == nil {
		s.cluster, s.local = with, local
	}
	return s, err
}

// of is the server that has the rows of a partition.
func (s *shards) of(p topic.Partition) *server {
	if s.cluster == nil {
		return s.servers[0]
	}
	return s.servers[s.cluster.Shard(p.Topic, p.ID)]
}

// close ends the connections to the shards of a cluster.
func (s *shards) close() error {
	if s.cluster == nil {
		return nil // the store closes its server
	}
	var err error
	for _, one := range s.servers {
		err = errors.Join(err, one.conn.Close())
	}
	return err
}

// sync waits until the replica that is asked has what any replica of its shard
// has acknowledged: of a table in bronze or silver, or in ops.
func (s *server) sync(ctx context.Context, database, table string) error {
	if s.cluster == nil {
		return nil
	}
	return s.run(ctx, "SYSTEM SYNC REPLICA "+s.own(tables.Qualified(database, table))+" LIGHTWEIGHT")
}

// held asks every shard how far bronze has the topics of a data set. A partition
// whose rows lie on another shard than its own is refused: with other shards than
// it was written with, its rows would be in two places and no version would
// replace another.
func (s *shards) held(ctx context.Context, t *tables.Table, topics []string, into map[topic.Partition]int64) error {
	for n, one := range s.servers {
		if err := one.sync(ctx, tables.Bronze, t.Dataset()); err != nil {
			return err
		}
		var misplaced *topic.Partition
		err := one.query(ctx, t.Resume(topics), func(rows driver.Rows) error {
			var p topic.Partition
			var last int64
			if err := rows.Scan(&p.Topic, &p.ID, &last); err != nil {
				return err
			}
			if s.cluster != nil && s.cluster.Shard(p.Topic, p.ID) != n {
				misplaced = &p
			}
			into[p] = last + 1
			return nil
		})
		if err != nil {
			return err
		}
		if misplaced != nil {
			return &sinks.Permanent{Err: fmt.Errorf("cluster %s: shard %d (%s) has rows of %s, which belong to shard %d of %d: put clickhouse.shards back as they were, or begin with empty tables and new snapshots",
				s.cluster.Name, n+1, one.addr, misplaced, s.cluster.Shard(misplaced.Topic, misplaced.ID)+1, s.cluster.Shards)}
		}
	}
	return nil
}
