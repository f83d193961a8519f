package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

// The floors of a snapshot: reading without writing, writing without reading.
const (
	copyFloor     = "COPY binary"
	producerFloor = "kafka producer tool"
)

// snapshotSources are one source of ours a run, so that each reads a table that
// it never read.
func (r *rig) snapshotSources() []config.Source {
	var all []config.Source
	for i := range r.options.runs {
		all = append(all, r.source(snapshotDatabase, fmt.Sprintf("snapshot%d", i+1)))
	}
	return all
}

func (r *rig) snapshots(ctx context.Context, rep *report, run int) (err error) {
	conn, err := pgx.Connect(ctx, r.postgres.DSN(snapshotDatabase))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if run == 1 {
		say("filling the table of the snapshot")
		for _, sql := range []string{
			createTable, createPublication,
			fmt.Sprintf("INSERT INTO public.visit SELECT %s FROM generate_series(1, %d) i", rowSQL, r.options.rows),
			"VACUUM (FREEZE, ANALYZE) public.visit", // hint bits and all, so that no reader writes
		} {
			if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
				return err
			}
		}
	}
	makers := []struct {
		name string
		run  func() (result, error)
	}{
		{copyFloor, func() (result, error) { return r.copyOut(ctx, conn) }},
		{producerFloor, func() (result, error) { return r.producerTool(ctx) }},
		{hopluu, func() (result, error) { return r.snapshotHopluu(ctx, conn, run) }},
	}
	if run%2 == 0 {
		slices.Reverse(makers)
	}
	for _, m := range makers {
		if m.name == hopluu && !slices.Contains(r.options.contenders, hopluu) {
			continue
		}
		say("run %d, %s, %s", run, snapshot, m.name)
		if err := r.calm(ctx); err != nil {
			return err
		}
		res, err := m.run()
		if err != nil {
			return fmt.Errorf("run %d, %s, %s: %w", run, snapshot, m.name, err)
		}
		res.Load, res.Contender, res.Run = snapshot, m.name, run
		rep.add(res)
	}
	return nil
}

// copyOut reads the table in PostgreSQL's own binary form and throws it away.
func (r *rig) copyOut(ctx context.Context, conn *pgx.Conn) (res result, err error) {
	from, err := r.moment(0)
	if err != nil {
		return res, err
	}
	began := time.Now()
	tag, err := conn.PgConn().CopyTo(ctx, io.Discard, "COPY (SELECT * FROM public.visit) TO STDOUT (FORMAT binary)")
	if err != nil {
		return res, err
	}
	res.Seconds = time.Since(began).Seconds()
	to, err := r.moment(res.Seconds)
	if err != nil {
		return res, err
	}
	res.Rows = int(tag.RowsAffected())
	res.count(0, from.until(to))
	return res, nil
}

// producerRecordBytes is about the size of a row of the table, without any
// envelope.
const producerRecordBytes = 220

// toolRate is what the producer tool says last:
//
//	1000000 records sent, 460000.0 records/sec (96.51 MB/sec), ...
var toolRate = regexp.MustCompile(`(?m)^(\d+) records sent, ([\d.]+) records/sec.*99\.9th\.?$`)

// producerTool is Kafka's own measure of what the broker takes, with the
// settings that Debezium's producer has too.
func (r *rig) producerTool(ctx context.Context) (res result, err error) {
	const name = "producer-tool"
	if _, err := r.topics.Ensure(ctx, topic.Spec{Name: name, Partitions: partitions, Replication: 1}); err != nil {
		return res, err
	}
	from, err := r.moment(0)
	if err != nil {
		return res, err
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, r.parts.Java, "-Xmx1g", "-cp", filepath.Join(r.parts.Kafka, "*"), "org.apache.kafka.tools.ProducerPerformance",
		"--topic", name, "--num-records", strconv.Itoa(r.options.rows), "--record-size", strconv.Itoa(producerRecordBytes), "--throughput", "-1",
		"--producer-props", "bootstrap.servers="+r.kafka.Addr, "acks=all", "linger.ms=5", "batch.size=524288", "buffer.memory=67108864", "compression.type=lz4")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return res, fmt.Errorf("%w: %s", err, out)
	}
	to, err := r.moment(time.Since(began).Seconds())
	if err != nil {
		return res, err
	}
	match := toolRate.FindSubmatch(out)
	if match == nil {
		return res, fmt.Errorf("the producer tool tells no rate: %s", out)
	}
	if res.Rows, err = strconv.Atoi(string(match[1])); err != nil {
		return res, err
	}
	rate, err := strconv.ParseFloat(string(match[2]), 64)
	if err != nil {
		return res, err
	}
	// Its own clock, which leaves the start of the virtual machine out.
	res.Seconds = float64(res.Rows) / rate
	s := cmd.ProcessState
	res.count((s.UserTime() + s.SystemTime()).Seconds(), from.until(to))
	return res, nil
}

func (r *rig) snapshotHopluu(ctx context.Context, conn *pgx.Conn, run int) (res result, err error) {
	source := r.snapshotSources()[run-1]
	name := topic.Public(source.Name, "public", "visit")
	p, err := r.self(ctx, "connector", "run", source.Name)
	if err != nil {
		return res, err
	}
	proc := ofEmbedded(p)
	defer func() {
		err = errors.Join(err, p.Stop(ctx))
		if err == nil {
			_, err = conn.Exec(ctx, "SELECT pg_drop_replication_slot($1)", pgx.QueryExecModeExec, source.Slot)
		}
	}()
	finish, err := r.profiled(ctx, fmt.Sprintf("%s-%d", snapshot, run))
	if err != nil {
		return res, err
	}
	if err := r.waitCopy(ctx, proc); err != nil {
		return res, err
	}
	began := time.Now()
	// The topic was made before the first row was read.
	view, err := r.view(ctx, name)
	if err != nil {
		return res, err
	}
	for part := range view.from {
		view.from[part] = 0
	}
	view.before = 0
	if res, err = r.follow(ctx, hopluu, proc, view, written{changes: r.options.rows}, began); err != nil {
		return res, err
	}
	return res, finish()
}

// waitCopy waits until our connector reads the table.
func (r *rig) waitCopy(ctx context.Context, p *process) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var active bool
		err := r.watcher.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND query LIKE 'COPY (SELECT %')`, snapshotDatabase).Scan(&active)
		if err != nil || active {
			return err
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended before it read anything: %w", p.stop(ctx))
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
