package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"golang.org/x/term"
)

// errReload ends a stage's work so that it goes on with another configuration.
var errReload = errors.New("the configuration is read again")

// work is what a long-running subcommand does.
type work struct {
	// name is the command's, for the record of actions.
	name string
	// lay puts the flags over the configuration.
	lay func(*config.Config)
	// check refuses a configuration that run could not begin with.
	check func(context.Context, config.Config) error
	run   func(context.Context, config.Config, *slog.Logger) error
}

// untilStopped works until the context ends. SIGHUP has the configuration and the
// sector files read again: when nothing stands against them the work ends as it
// does at a stop and begins anew with them, in the same process; else what runs
// goes on. A terminal that closes sends SIGHUP too, and means an end.
func (a *app) untilStopped(ctx context.Context, w work) error {
	c, log, err := a.load()
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}
	var records sync.WaitGroup
	defer records.Wait()
	for {
		w.lay(&c)
		round, end := context.WithCancelCause(ctx)
		next := make(chan config.Config, 1)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for {
				select {
				case <-round.Done():
					return
				case <-hangup:
				}
				read, err := config.Load(a.configPath)
				if err == nil {
					err = w.check(round, read)
				}
				now := c
				records.Go(func() { a.recordReload(ctx, now, w.name, err) })
				if err == nil {
					log.Info("the configuration is read again; going on with it")
					next <- read
					end(errReload)
					return
				}
				log.Error("the configuration cannot be taken; what runs goes on", "error", oneLine(err))
			}
		}()
		err := w.run(round, c, log)
		end(nil)
		<-watched
		if ctx.Err() != nil || !errors.Is(context.Cause(round), errReload) {
			return stopped(ctx, err)
		}
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errReload) {
			return err
		}
		c = <-next
		log = logger(c.Log)
	}
}

// describedSources refuses sector files and sources that cannot be read.
func describedSources(_ context.Context, c config.Config) error {
	if _, err := loadSectors(c); err != nil {
		return err
	}
	_, err := loadSources(c)
	return err
}
