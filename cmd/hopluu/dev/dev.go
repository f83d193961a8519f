package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/deploy/local/systems"
	"github.com/jedib0t/go-pretty/v6/progress"
)

// Config is what `hopluu dev` is asked for.
type Config struct {
	Dir      string
	Ports    Ports
	Persons  int
	Rate     float64 // changes a second of the live generator
	Seed     uint64
	Exit     bool // end by itself once the fixed load is through and reconciled
	Terminal bool // Out is a terminal
	Out      io.Writer
}

// ErrDiffers says that the fixed load did not end in agreement.
var ErrDiffers = errors.New("source, topic and ClickHouse do not agree")

// stopBound is how long a clean end may take.
const stopBound = 60 * time.Second

// Run sets everything up and shows it until the context ends (which is a clean
// end), or until the fixed load is reconciled. reconcile compares all sources
// and prints its lines; it is given because it stands above the stages.
func Run(ctx context.Context, c Config, reconcile func(ctx context.Context, configPath string) (bool, error)) (err error) {
	began := time.Now()
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	c.Dir = dir
	unlock, err := lock(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	logFile, err := os.OpenFile(filepath.Join(c.Dir, "dev.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	log := slog.New(slog.NewTextHandler(logFile, nil))

	b := newBars(c.Out, c.Terminal)
	closeBars := sync.OnceFunc(b.close)
	defer closeBars()
	paths, err := parts.Ensure(ctx, "", b.part)
	if err != nil {
		return interrupted(ctx, err)
	}
	bin, err := os.Executable()
	if err != nil {
		return err
	}
	names, err := systems.Names()
	if err != nil {
		return err
	}
	stack, err := Servers(ctx, StackConfig{
		Dir: c.Dir, Parts: paths, Sectors: names, Ports: c.Ports, Bin: bin, Log: log,
		Step: func(what string) { b.step("starting %s", what) },
	})
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() {
		fmt.Fprintln(c.Out, "stopping …")
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopBound)
		defer cancel()
		err = errors.Join(err, stack.Stop(bound))
	}()

	dsn := map[string]string{}
	for _, name := range names {
		dsn[name] = stack.AdminDSN(name)
	}
	gen, err := generator.New(generator.Config{Seed: c.Seed, Persons: c.Persons, DSN: dsn, Rate: c.Rate, Log: log})
	if err != nil {
		return err
	}
	// The first rows are there before the connectors are: they come by snapshot.
	b.step("source systems: a city of %d generated people", c.Persons)
	if _, err := gen.Seed(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := stack.Stages(ctx); err != nil {
		return interrupted(ctx, err)
	}
	b.step("live after %s", time.Since(began).Round(100*time.Millisecond))
	if c.Exit {
		return interrupted(ctx, exitRun(ctx, c, stack, gen, b, began, reconcile))
	}
	closeBars()
	return live(ctx, c, stack, gen, began, log)
}

// interrupted makes Ctrl-C a clean end.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// exitRun is the fixed load, then the comparison.
func exitRun(ctx context.Context, c Config, stack *Stack, gen *generator.Generator, b *bars, began time.Time, reconcile func(context.Context, string) (bool, error)) error {
	counts, err := gen.Load(ctx, func(sector, step string, done, total int) {
		b.set("fixed load", sector+": "+step, int64(done), int64(total), progress.UnitsDefault)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%6.1fs  the load is through (%s row changes); comparing source, topic and ClickHouse\n", time.Since(began).Seconds(), number(counts.Rows()))
	ok, err := reconcile(ctx, stack.ConfigPath)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%6.1fs  compared\n", time.Since(began).Seconds())
	if !ok {
		return ErrDiffers
	}
	return nil
}

// live keeps the source systems busy and shows what happens.
func live(ctx context.Context, c Config, stack *Stack, gen *generator.Generator, began time.Time, log *slog.Logger) error {
	o, err := newObserver(ctx, stack)
	if err != nil {
		return interrupted(ctx, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var notes []string
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, time.Now().Format("15:04:05 ")+fmt.Sprintf(format, args...))
		notes = notes[max(0, len(notes)-5):]
	}
	var group sync.WaitGroup
	group.Go(func() {
		stack.Watch(ctx, func(name string, err error) {
			log.Warn("a process ended and is started again", "process", name, "error", err)
			tell("%s ended and is started again: %v", name, err)
		})
	})
	group.Go(func() {
		// The generator writes to servers that may be killed at any moment: it
		// begins again, as an application would.
		for ctx.Err() == nil {
			if err := gen.Run(ctx); err != nil && ctx.Err() == nil {
				tell("generator: %s", firstLine(err.Error()))
				select {
				case <-ctx.Done():
				case <-time.After(2 * time.Second):
				}
			}
		}
	})
	err = screen(ctx, c.Out, c.Terminal, o, began, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), notes...)
	})
	cancel()
	group.Wait()
	return errors.Join(err, o.close())
}

// lock keeps two demonstrations out of one folder.
func lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another hopluu dev runs in %s: stop it, or choose another folder with --data", dir), f.Close())
	}
	return f.Close, nil
}
