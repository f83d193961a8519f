package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// keptLedger is where ClickHouse's copy of the ledger stays while ops is dropped
// and restored.
const keptLedger = clickhouse.RestoringDatabase + ".erasure"

// keepLedger puts ClickHouse's copy of the ledger aside before ops is dropped: it
// may be newer than the backup's, and the only one when Kafka is lost too.
func (c *Config) keepLedger(ctx context.Context) error {
	if there, err := c.there(ctx, tables.Ops, "erasure"); err != nil || !there {
		return err
	}
	return exec(ctx, c.ClickHouse, "CREATE TABLE IF NOT EXISTS "+keptLedger+" ENGINE = MergeTree ORDER BY key AS SELECT key, value FROM ops.erasure")
}

func (c *Config) there(ctx context.Context, database, table string) (bool, error) {
	found, err := names(ctx, c.ClickHouse, "SELECT name FROM system.tables WHERE database = "+tables.Quote(database)+" AND name = "+tables.Quote(table))
	return len(found) > 0, err
}

// ledger joins all that is known of erased people: the topic, the backup, and
// ClickHouse's copies. What is later of an erasure counts, wherever it is, so that
// the ledger in force wins over the backup's (P12). What the topic lacks of it is
// written to it.
func (c *Config) ledger(ctx context.Context, dir string, m *Manifest) (*erasure.Ledger, error) {
	all := erasure.New()
	take := func(key, value []byte) error { return all.Take(bytes.Clone(key), bytes.Clone(value)) }
	if m != nil {
		if i := slices.IndexFunc(m.Topics, func(t Topic) bool { return t.Name == topic.IdentityErasure }); i >= 0 {
			if err := each(dir, m, m.Topics[i], c.Key, func(r *topic.Record) error { return take(r.Key, r.Value) }); err != nil {
				return nil, err
			}
		}
	}
	if c.ClickHouse != nil {
		for _, name := range [][2]string{{tables.Ops, "erasure"}, {clickhouse.RestoringDatabase, "erasure"}} {
			if err := c.takeCopy(ctx, name[0], name[1], take); err != nil {
				return nil, err
			}
		}
	}
	have := map[string]string{}
	counts, err := c.Kafka.PartitionCounts(ctx, topic.IdentityErasure)
	if err != nil {
		return nil, err
	}
	if counts[topic.IdentityErasure] > 0 {
		err := c.Kafka.ReadAll(ctx, topic.IdentityErasure, func(r topic.Record) error {
			have[string(r.Key)] = string(r.Value)
			return take(r.Key, r.Value)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", topic.IdentityErasure, err)
		}
	}
	messages, err := all.Messages()
	if err != nil {
		return nil, err
	}
	var missing []feed.Message
	for _, kv := range messages {
		if have[string(kv[0])] != string(kv[1]) {
			missing = append(missing, feed.Message{Key: kv[0], Value: kv[1]})
		}
	}
	if len(missing) == 0 {
		return all, nil
	}
	if _, err := c.Kafka.Ensure(ctx, c.Making.ErasureSpec()); err != nil {
		return nil, err
	}
	return all, feed.Write(ctx, c.Kafka, "hopluu-restore-"+topic.IdentityErasure, time.Now().UnixMilli(), missing...)
}

func (c *Config) takeCopy(ctx context.Context, database, table string, take func(key, value []byte) error) error {
	if there, err := c.there(ctx, database, table); err != nil || !there {
		return err
	}
	rows, err := c.ClickHouse.Query(ctx, "SELECT key, value FROM "+tables.Qualified(database, table))
	if err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
		if err := take([]byte(key), []byte(value)); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return nil
}

// Vault says of which table's rows a topic of the vault is.
type Vault struct{ Source, Table string }

// erased finds the records of a saved vault topic that are of erased people; nil
// for other topics, which have no people's numbers.
func (c *Config) erased(ctx context.Context, name string, ledger *erasure.Ledger) func(*topic.Record) (bool, error) {
	vault, ok := c.Vaults[name]
	if !ok || ledger.Empty() {
		return nil
	}
	keys := map[uint32]*avro.Record{}
	var cells []avro.Cell
	var id []byte
	return func(r *topic.Record) (bool, error) {
		if len(r.Key) < 5 || r.Key[0] != 0 {
			return false, nil // a truncation or a marker: rows have keys with a schema
		}
		schema, payload, err := avro.SplitWire(r.Key)
		if err != nil {
			return false, fmt.Errorf("topic %s: its key cannot be read, so it cannot be told whether it is of an erased person: %w", name, err)
		}
		if keys[schema] == nil {
			text, err := c.Registry.Schema(ctx, schema)
			if err != nil {
				return false, err
			}
			if keys[schema], err = avro.ParseRecord(text); err != nil {
				return false, fmt.Errorf("topic %s, schema %d of its keys: %w", name, schema, err)
			}
		}
		if cells, err = keys[schema].Decode(payload, cells); err != nil {
			return false, fmt.Errorf("topic %s: its key cannot be read, so it cannot be told whether it is of an erased person: %w", name, err)
		}
		id = avro.AppendRecordID(id[:0], vault.Source, vault.Table, keys[schema].Columns(), cells)
		return ledger.Record(id), nil
	}
}
