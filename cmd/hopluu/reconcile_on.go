package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/spf13/cobra"
)

// watching is how `reconcile --continuous` was asked to work.
type watching struct {
	listen  *httpFlag
	rounds  int
	catchUp time.Duration
	asJSON  bool
}

// reconcileOn compares in the background, until it is stopped or its rounds are
// done, of which it prints the last.
func (a *app) reconcileOn(cmd *cobra.Command, names []string, how watching) error {
	if how.rounds < 0 {
		return errors.New("--rounds is negative: give a number of rounds, or leave it out for no end")
	}
	var found []reconcile.Result
	err := a.untilStopped(cmd.Context(), work{
		lay: func(c *config.Config) {
			if how.rounds > 0 && !cmd.Flags().Changed("http") {
				c.HTTP.Listen = "" // nobody asks what ends by itself
			}
			how.listen.lay(cmd, c)
		},
		check: func(_ context.Context, c config.Config) error {
			_, _, err := inDatabases(c, names)
			return err
		},
		run: func(ctx context.Context, c config.Config, log *slog.Logger) error {
			if err := tellFiles(cmd.ErrOrStderr(), c, names); err != nil {
				return err
			}
			return staged(ctx, c.HTTP.Listen, log, func(ctx context.Context, s *stage) (err error) {
				settings := reconcile.Config{CatchUp: how.catchUp}
				sources, done, err := reconciled(ctx, c, names, &settings, s.until)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, done()) }()
				watch := reconcile.NewWatch(reconcile.WatchConfig{
					Config: settings, Sources: sources, Budget: reconcile.Budget{Share: c.Reconcile.Share, RowsPerSecond: c.Reconcile.RowsPerSecond},
					Every: c.Reconcile.Every, Rounds: how.rounds,
					Repair: c.Reconcile.Repair, RepairKeys: c.Reconcile.RepairKeys,
					Repaired: func(ctx context.Context, p *reconcile.Plan, began time.Time, err error) {
						a.recordRepair(ctx, c, p, began, err)
					},
					Log: log, Metrics: s.metrics,
				})
				return s.work(ctx, service{kafka: settings.Kafka, ready: watch.Ready, run: func(ctx context.Context) error {
					var err error
					found, err = watch.Run(ctx)
					return err
				}})
			})
		},
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return printReconciliation(cmd.OutOrStdout(), found, how.asJSON)
}
