package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

// Who is measured.
const (
	floor    = "pg_recvlogical"
	hopluu   = "hopluu"
	debezium = "debezium"
	goPqCDC  = "go-pq-cdc"
)

// contender drains a slot of its own.
type contender struct {
	name string
	slot string
	// topic that it writes, "" for none.
	topic string
	// start lets it loose on its slot. It runs until it is stopped, or, without
	// a topic, until it has come to the end of the log.
	start func(ctx context.Context, end event.LSN) (*process, error)
	// committed gives the commit time of an event, in microseconds since 1970;
	// nil when its events do not carry it.
	committed func(value []byte) (int64, error)
	// passesBig: the big transaction is not put to it, its slot is moved past.
	passesBig bool
	// noTombstones: nothing follows its deletes.
	noTombstones bool
}

// process is a contender at work.
type process struct {
	pid  int
	done <-chan struct{} // closed when it ended
	stop func(ctx context.Context) error
	// used, when not nil, gives the CPU seconds of one that has ended: /proc has
	// forgotten it.
	used func() float64
}

// contenders makes slots and topics. A contender that cannot be had is left
// out, and the report says so.
func (r *rig) contenders(ctx context.Context, rep *report) ([]*contender, error) {
	makers := map[string]func(context.Context) (*contender, error){floor: r.newFloor, hopluu: r.newHopluu, debezium: r.newDebezium, goPqCDC: r.newGoPqCDC}
	var all []*contender
	for _, name := range r.options.contenders {
		say("setting up %s", name)
		c, err := makers[name](ctx)
		var missing *missingError
		if errors.As(err, &missing) {
			rep.Notes = append(rep.Notes, fmt.Sprintf("%s was not measured: %v", name, err))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// missingError says that something is not on this machine.
type missingError struct{ reason string }

func (e *missingError) Error() string { return e.reason }

func (r *rig) createSlot(ctx context.Context, name string) error {
	_, err := r.admin.Exec(ctx, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", pgx.QueryExecModeExec, name)
	return err
}

// newFloor is PostgreSQL's own client: it reads the same stream and throws it
// away.
func (r *rig) newFloor(ctx context.Context) (*contender, error) {
	bin, err := exec.LookPath("pg_recvlogical")
	if err != nil {
		found, globErr := filepath.Glob("/usr/lib/postgresql/*/bin/pg_recvlogical")
		if globErr != nil || len(found) == 0 {
			return nil, &missingError{"pg_recvlogical is neither in PATH nor in /usr/lib/postgresql/*/bin; install Debian's postgresql-client"}
		}
		bin = found[len(found)-1]
	}
	c := &contender{name: floor, slot: "bench_floor"}
	if err := r.createSlot(ctx, c.slot); err != nil {
		return nil, err
	}
	c.start = func(ctx context.Context, end event.LSN) (*process, error) {
		cmd := exec.CommandContext(ctx, bin, "-d", r.postgres.DSN(database), "-S", c.slot, "--start",
			"-o", "proto_version=1", "-o", "publication_names="+publication, "-f", "/dev/null", "--endpos="+end.String(), "-n")
		var complaint strings.Builder
		cmd.Stderr = &complaint
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		done := make(chan struct{})
		var failed error
		go func() {
			failed = cmd.Wait()
			close(done)
		}()
		return &process{
			pid: cmd.Process.Pid, done: done,
			stop: func(context.Context) error {
				<-done
				if failed != nil {
					return fmt.Errorf("%w: %s", failed, firstLine(complaint.String()))
				}
				return nil
			},
			used: func() float64 { return (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() },
		}, nil
	}
	return c, nil
}

// ofEmbedded wraps a process of ours.
func ofEmbedded(p *embedded.Process) *process {
	return &process{pid: p.PID(), done: p.Done(), stop: p.Stop}
}

// newHopluu starts our connector once on the empty table, which makes its slot,
// topic and checkpoint.
func (r *rig) newHopluu(ctx context.Context) (*contender, error) {
	source := r.source(database, streamSource)
	c := &contender{name: hopluu, slot: source.Slot, topic: topic.Public(streamSource, "public", "visit")}
	c.start = func(ctx context.Context, _ event.LSN) (*process, error) {
		p, err := r.self(ctx, "connector", "run", streamSource)
		if err != nil {
			return nil, err
		}
		return ofEmbedded(p), nil
	}
	c.committed = r.avroCommitTime(ctx)
	return c, r.startOnce(ctx, c)
}

// startOnce starts a contender on the empty table until it streams.
func (r *rig) startOnce(ctx context.Context, c *contender) error {
	p, err := c.start(ctx, 0)
	if err != nil {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := r.waitActive(bound, c, p); err != nil {
		return errors.Join(err, p.stop(ctx))
	}
	return p.stop(ctx)
}

// waitActive waits until a contender reads from its slot: what is measured
// begins there.
func (r *rig) waitActive(ctx context.Context, c *contender, p *process) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var active bool
		// A slot that is not there yet is made by whoever will read it; while it
		// is made it is active too, but nothing streams.
		err := r.watcher.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
			WHERE s.slot_name = $1 AND r.state IN ('catchup', 'streaming'))`, c.slot).Scan(&active)
		if active {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it read anything: %w", c.name, p.stop(ctx))
		case <-ctx.Done():
			return fmt.Errorf("%s does not read its slot: %w", c.name, ctx.Err())
		case <-tick.C:
		}
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}
