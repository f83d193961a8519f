package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"syscall"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/hopluu/hopluu/integration/bench/usage"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// batchRows is the sink's own, unless it is configured otherwise.
const batchRows = 100_000

var errEnough = errors.New("enough")

// insertion is one INSERT with its columns in the form that the client takes.
type insertion struct {
	sql     string
	columns []ch.ColumnNameAndType
	values  []any
}

// insertAlone inserts what the sink would, with the columns in memory before the
// clock starts: silver, then bronze, a batch after the other.
func insertAlone(ctx context.Context) error {
	t, batches, err := inMemory(*rows)
	if err != nil {
		return err
	}
	conn, err := ch.Open(&ch.Options{Protocol: ch.HTTP, Addr: []string{*alone}})
	if err != nil {
		return err
	}
	for _, sql := range append(tables.Databases(), t.Create()...) {
		if err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return err
	}
	began := time.Now()
	for _, in := range batches {
		settings := ch.Settings{"async_insert": 0, "insert_deduplicate": 0}
		b, err := conn.PrepareBatch(ch.Context(ctx, ch.WithSettings(settings), ch.WithColumnNamesAndTypes(in.columns)), in.sql)
		if err != nil {
			return err
		}
		for i, v := range in.values {
			if err := b.Column(i).Append(v); err != nil {
				return err
			}
		}
		if err := b.Send(); err != nil {
			return err
		}
	}
	got := result{Rows: *rows, Seconds: time.Since(began).Seconds()}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return err
	}
	got.CPU = cpuSeconds(after) - cpuSeconds(before)
	if got.PeakMB, err = usage.PeakMB(os.Getpid()); err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

func cpuSeconds(u syscall.Rusage) float64 {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// inMemory makes the columns of all events.
func inMemory(n int) (*tables.Table, []insertion, error) {
	set, err := sectors.Load()
	if err != nil {
		return nil, nil, err
	}
	sector, _ := set.Sector(source)
	described, _ := sector.Table(table)
	enc, err := compile()
	if err != nil {
		return nil, nil, err
	}
	envelope, err := avro.ParseEnvelope(enc.ValueSchema())
	if err != nil {
		return nil, nil, err
	}
	t, err := tables.New(tables.Description{Sector: source, Name: table, Table: described}, envelope.Columns())
	if err != nil {
		return nil, nil, err
	}
	mapping, err := t.Map(envelope.Columns())
	if err != nil {
		return nil, nil, err
	}
	var all []insertion
	var d avro.Decoded
	var value []byte
	for first := 0; first < n; first += batchRows {
		buffer := t.NewBuffer(source, topicName, 0)
		for i := first; i < min(n, first+batchRows); i++ {
			if value, err = enc.AppendValue(value[:0], 1, eventOf(i)); err != nil {
				return nil, nil, err
			}
			_, payload, err := avro.SplitWire(value)
			if err != nil {
				return nil, nil, err
			}
			if err := envelope.Decode(payload, &d); err != nil {
				return nil, nil, err
			}
			meta := tables.Meta{Record: []byte(source + "." + table + ":" + string(d.After[0].B)), Op: d.Op, Position: d.Position, TxID: d.TxID, CommitMicros: d.CommitMicros, Offset: int64(i)}
			if err := buffer.Append(mapping, d.After, &meta); err != nil {
				return nil, nil, err
			}
		}
		for _, in := range []*tables.Insert{t.InsertSilver(), t.InsertBronze()} {
			next := insertion{sql: in.SQL, values: make([]any, len(in.Columns))}
			for i, c := range in.Columns {
				next.columns = append(next.columns, ch.ColumnNameAndType{Name: c.Name, Type: c.Plain})
				// What a column is given in lies in the scratch, which must be its own.
				err := in.Each(buffer, new(tables.Scratch), false, func(k int, values any) error {
					if k == i {
						next.values[i] = values
						return errEnough
					}
					return nil
				})
				if err != errEnough {
					return nil, nil, err
				}
			}
			all = append(all, next)
		}
	}
	return t, all, nil
}
