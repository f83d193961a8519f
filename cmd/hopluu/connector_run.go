package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

func (a *app) connectorRun() *cobra.Command {
	var listen httpFlag
	command := &cobra.Command{
		Use:   "run [SOURCE...]",
		Short: "Capture the named sources, or all, until stopped",
		Long: `Capture the named sources, or all of the configuration, in one process, until
SIGTERM or Ctrl-C. Progress is kept in Kafka: a connector that is killed goes on
where it was, with no event lost and none doubled. Starting a second connector for
a source ends the first. Files that departments drop are looked for and taken in,
with a report of the rows that were refused.

Tables are read by snapshot.connections readers at a time; a terminal shows how far
they are, the log says it every ten seconds elsewhere. A table that comes to the
sector file, or is marked by 'hopluu connector resnapshot', is read while the
stream of the others goes on. SIGHUP has the configuration and the sector files
read again: after 'hopluu connector enable' for a new table, kill -HUP is all.

At start everything is checked as 'hopluu connector check' does; a fault that a person
must mend ends it with 2. A server that is away, at the start or later, is waited
for: the log and /readyz say so, and the other sources are captured meanwhile. A
source that a person must mend later is no longer captured while the others are.`,
		Example: `  hopluu connector run
  hopluu connector run health tax --http :9464
  curl -s localhost:9464/readyz`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.untilStopped(cmd.Context(), work{
				name: commandName(cmd),
				lay:  func(c *config.Config) { listen.lay(cmd, c) },
				check: func(ctx context.Context, c config.Config) (err error) {
					sources, err := reachable(c, args)
					for _, s := range sources {
						if fault := sourceFaults(ctx, c, s); refusedSource(fault) {
							err = errors.Join(err, fault)
						}
					}
					if err != nil {
						return err
					}
					kafka, err := dialKafka(ctx, c)
					if err != nil {
						return err
					}
					defer func() { err = errors.Join(err, kafka.Close()) }()
					findings, err := keyFaults(ctx, c, kafka, sources)
					if err == nil {
						err = refusal("connector check", findings)
					}
					return err
				},
				run: func(ctx context.Context, c config.Config, log *slog.Logger) error {
					err := runConnectors(ctx, c, args, log)
					if stopped(ctx, err) == nil {
						log.Info("stopped; the next start goes on from here")
					}
					return err
				},
			})
		},
	}
	listen.on(command)
	return command
}

func runConnectors(ctx context.Context, c config.Config, names []string, log *slog.Logger) error {
	sources, err := reachable(c, names)
	if err != nil {
		return err
	}
	tokens, err := newTokenizer(c)
	if err != nil {
		return err
	}
	oldTokens, err := oldTokenizers(c)
	if err != nil {
		return err
	}
	records, err := recordTokenizer(c)
	if err != nil {
		return err
	}
	ring, err := vaultRing(c)
	if err != nil {
		return err
	}
	if !ring.Seals() {
		log.Warn("vault.key_file is not set: identifiers are plain in the vault topics, which Kafka's ACLs alone keep")
	}
	return staged(ctx, c.HTTP.Listen, log, func(ctx context.Context, st *stage) (err error) {
		kafka, err := reachKafka(ctx, c, st.until)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, kafka.Close()) }()
		schemas, err := reachRegistry(ctx, c, st.until)
		if err != nil {
			return err
		}
		var keys []postgres.Finding
		err = st.kafkaAnswers(ctx, func(ctx context.Context) (err error) {
			keys, err = keyFaults(ctx, c, kafka, sources)
			return err
		})
		if err == nil {
			err = refusal("connector check", keys)
		}
		if err != nil {
			return err
		}
		if err := st.fits(ctx, kafka, c.Topics, sourceTopics(c, sources), "connector check"); err != nil {
			return err
		}
		watcher, err := st.pauses(ctx, kafka, topicSettings(c).PauseSpec())
		if err != nil {
			return err
		}
		told, err := lineagesOf(c, log, st.metrics)
		if err != nil {
			return err
		}
		defer told.close()
		terminal := term.IsTerminal(int(os.Stderr.Fd()))
		var all []capturing
		var drawn []*connectors.Connector
		for _, s := range sources {
			away := sourceFaults(ctx, c, s)
			if refusedSource(away) {
				return away
			}
			var one capturing
			var rest func(context.Context, pause.Pause)
			if s.files() {
				settings := fileConfig(c, s)
				settings.OldTokens, settings.Records, settings.Vault = clones(oldTokens), records.Clone(), ring
				settings.Kafka, settings.Registry, settings.Tokens, settings.Log, settings.Metrics = kafka, schemas, tokens.Clone(), log, st.metrics
				connector := file.New(settings)
				one, rest = capturing{s.Name, connector.Ready, connector.Run}, connector.Rest
			} else {
				connector := connectors.New(connectors.Config{
					Source: s.Name, DSN: s.DSN, Slot: s.Slot, Publication: s.Publication, Sector: s.Described,
					Kafka: kafka, Registry: schemas, Tokens: tokens.Clone(), OldTokens: clones(oldTokens), Records: records.Clone(), Vault: ring, Topics: topicSettings(c),
					MaxRowBytes: c.MaxRowBytes, SpoolDir: c.SpoolDir, Budget: c.Budget(),
					Transactions: s.Transactions, Messages: s.Messages, Origin: s.Origin, Heartbeat: s.Heartbeat,
					PrimaryDSN: s.PrimaryDSN, Failover: s.Failover, Log: log, QuietProgress: terminal,
					Snapshot: connectors.Load{Connections: c.Snapshot.Connections, RowsPerSecond: c.Snapshot.RowsPerSecond}, Metrics: st.metrics,
				})
				one, rest = capturing{s.Name, connector.Ready, connector.Run}, connector.Rest
				drawn = append(drawn, connector)
			}
			if away != nil {
				one.run = st.whenThere(c, s, one.run)
			}
			one = holding(watcher, one, rest)
			one.run = told.during(one.run, func(ctx context.Context) ([]flow, error) { return told.sourceFlow(ctx, c, schemas, s) })
			all = append(all, one)
		}
		if terminal {
			defer drawSnapshots(os.Stderr, drawn)()
		}
		return st.work(ctx, service{kafka: kafka, ready: readyAll(all), run: runAll(all, log)})
	})
}

// whenThere waits for a source that was away when the others began, looks at it as
// at them, and captures it.
func (s *stage) whenThere(c config.Config, source source, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := s.until(ctx, "source "+source.Name, refusedSource, func(ctx context.Context) error { return sourceFaults(ctx, c, source) })
		switch {
		case ctx.Err() != nil:
			return nil // as connectors end
		case err != nil:
			return err
		}
		return run(ctx)
	}
}

// clones are tokenizers for another goroutine.
func clones(all []*token.Tokenizer) (out []*token.Tokenizer) {
	for _, t := range all {
		out = append(out, t.Clone())
	}
	return out
}

// awayError is of a source that could not be looked at, but may be there later.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }
func (e *awayError) Unwrap() error { return e.err }

// refusedSource tells whether waiting does not mend what stands against a source.
func refusedSource(err error) bool {
	var away *awayError
	return err != nil && !errors.As(err, &away)
}

// sourceFaults refuses a source with which capture could not begin; an *awayError
// is of one that is not there.
func sourceFaults(ctx context.Context, c config.Config, s source) error {
	report := lookAt(ctx, c, s, false)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// Whether a slot that is lost ends capture, the connector knows: its tables
	// may be marked to be read anew, or wal.policy may say so.
	findings := slices.DeleteFunc(report.Findings, func(f postgres.Finding) bool { return f.Check == postgres.SlotLost })
	if err := refusal("connector check "+s.Name, findings); err != nil {
		err = fmt.Errorf("source %s: %w", s.Name, err)
		if bad := faults(findings); slices.ContainsFunc(bad, func(f postgres.Finding) bool { return f.Check == postgres.Unreachable }) {
			return &awayError{err}
		}
		return err
	}
	return nil
}

// refusal makes one line of the faults among the findings; command lists them.
func refusal(command string, findings []postgres.Finding) error {
	bad := faults(findings)
	if len(bad) == 0 {
		return nil
	}
	text := bad[0].What
	if bad[0].Mend != "" {
		text += "; mend: " + strings.TrimSuffix(bad[0].Mend, ";")
	}
	if n := len(bad) - 1; n > 0 {
		text += fmt.Sprintf("; and %d more, see 'hopluu %s'", n, command)
	}
	return errors.New(text)
}

// capturing is a connector of either kind.
type capturing struct {
	source string
	ready  func() error
	run    func(context.Context) error
}

// holding gives a connector that rests while its source is paused.
func holding(w *pause.Watcher, c capturing, rest func(context.Context, pause.Pause)) capturing {
	run := c.run
	c.run = func(ctx context.Context) error { return w.Hold(ctx, pause.Connector(c.source), run, rest) }
	return c
}

func readyAll(all []capturing) func() error {
	return func() error {
		var errs []error
		for _, connector := range all {
			errs = append(errs, connector.ready())
		}
		return errors.Join(errs...)
	}
}

// runAll captures all sources. One that a person must mend does not stop the
// others: its error is told at once and again at the end.
func runAll(all []capturing, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		var group errgroup.Group
		for _, connector := range all {
			group.Go(func() error {
				err := connector.run(ctx)
				if err != nil {
					log.Error("a source is no longer captured", "source", connector.source, "error", err)
				}
				return err
			})
		}
		return group.Wait()
	}
}
