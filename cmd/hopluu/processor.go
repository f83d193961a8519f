package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/erase"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func (a *app) processorCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "processor",
		Short:   "Match every record to its citizen",
		Example: "  hopluu processor run --http :9465",
	}, a.processorRun())
}

func (a *app) processorRun() *cobra.Command {
	var listen httpFlag
	command := &cobra.Command{
		Use:   "run",
		Short: "Read the vault topics, match records to citizens, write identity.link, until stopped",
		Long: `Read the vault topics (vault.<source>.<schema>.<table>, the only ones with
identifiers in plain), match records to citizens by the city's model, or that of
identity.model, and write identity.link, and every merge and split of persons to
identity.event, until SIGTERM or Ctrl-C. With another model than the links are of it
waits for 'hopluu identity model accept'.

What it writes depends on the records alone, not on their order or timing: it can be
killed and started again at any time. Several share the comparing of records, as one
consumer group (up to four, give them one configuration); one of them solves, and
another takes over when it is gone. SIGHUP has it read the configuration, the model and
the sector files again.

Pairs that it cannot decide on wait for a person in identity.review; reviewers
(identity.reviewers) look at them and decide over HTTP under /identity/, at the same
address: see 'hopluu identity review --help'.

It needs kafka.brokers and registry.url, and in Kafka the right to read the vault.`,
		Example: `  hopluu processor run --http :9465
  curl -s localhost:9465/readyz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Getenv("GOGC") == "" {
				// The records of a whole city are in memory, and nearly all of them
				// stay: half as much again for what does not (P8).
				debug.SetGCPercent(50)
			}
			return a.untilStopped(cmd.Context(), work{name: commandName(cmd), lay: func(c *config.Config) { listen.lay(cmd, c) }, check: matchable, run: runProcessor})
		},
	}
	listen.on(command)
	return command
}

// matcherGroup names the matchers' consumer group, and what they write by.
const matcherGroup = "hopluu-matcher"

func runProcessor(ctx context.Context, c config.Config, log *slog.Logger) error {
	set, err := loadSectors(c)
	if err != nil {
		return err
	}
	sources, err := loadSources(c)
	if err != nil {
		return err
	}
	ring, err := vaultRing(c)
	if err != nil {
		return err
	}
	model, frequencies, err := liveModel(c.Identity)
	if err != nil {
		return err
	}
	var refs []matcher.SourceRef
	for _, s := range sources {
		refs = append(refs, matcher.SourceRef{Name: s.Name, Sector: s.Sector})
	}
	return staged(ctx, c.HTTP.Listen, log, func(ctx context.Context, s *stage) (err error) {
		kafka, err := reachKafka(ctx, c, s.until)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, kafka.Close()) }()
		schemas, err := reachRegistry(ctx, c, s.until)
		if err != nil {
			return err
		}
		specs := topicSettings(c).IdentitySpecs()
		if err := s.fits(ctx, kafka, c.Topics, specs, "topics check"); err != nil {
			return err
		}
		if err := s.kafkaAnswers(ctx, func(ctx context.Context) error { _, err := kafka.Ensure(ctx, specs...); return err }); err != nil {
			return err
		}
		if err := s.asks(ctx, kafka, topicSettings(c).ModelSpec()); err != nil {
			return err
		}
		watcher, err := s.pauses(ctx, kafka, topicSettings(c).PauseSpec())
		if err != nil {
			return err
		}
		work := &holdable{watcher: watcher, target: pause.Processor, metrics: s.metrics, begin: func(metrics prometheus.Registerer) (round, error) {
			m, err := matcher.New(matcher.Config{
				Kafka: kafka, Registry: schemas, Sectors: set, Sources: refs,
				TransactionalID: matcherGroup, Log: log, Metrics: metrics,
				Reviewers: reviewers(c.Identity), TwoPersons: c.Identity.TwoPerson, SinkGroup: c.Sink.Group, Vault: ring,
				Model: model, Frequencies: frequencies,
			})
			if err != nil {
				return round{}, err
			}
			// It builds its state anew from the topics each time.
			run := func(ctx context.Context) error { return s.anew(ctx, "the matcher", passing, m.Run) }
			return round{ready: m.Ready, run: run, api: m.Handler()}, nil
		}}
		// It goes on while the matcher is paused: who is to be erased does not wait.
		eraser, err := newEraser(c, kafka, schemas, ring, sources, log)
		if err != nil {
			return err
		}
		told, err := lineagesOf(c, log, s.metrics)
		if err != nil {
			return err
		}
		defer told.close()
		matching := told.during(work.run, func(context.Context) ([]flow, error) { return told.matcherFlow(c, sources), nil })
		return s.work(ctx, service{kafka: kafka, ready: work.ready, run: both(matching, eraser.Run), api: work})
	})
}

// matchable refuses, beside what describedSources does, a model that the matcher
// cannot decide by.
func matchable(ctx context.Context, c config.Config) error {
	if err := describedSources(ctx, c); err != nil {
		return err
	}
	_, _, err := liveModel(c.Identity)
	return err
}

// passing tells whether what ended a stage's work may be over when it begins anew.
func passing(err error) bool { return topic.Passing(err) || registry.Passing(err) }

// reviewers are those of the configuration, whose check has read their tokens.
func reviewers(c config.Identity) []matcher.Reviewer {
	var all []matcher.Reviewer
	for _, r := range c.Reviewers {
		out := matcher.Reviewer{Name: r.Name, Decides: r.Decides, Personal: r.Personal}
		copy(out.Token[:], r.Token())
		all = append(all, out)
	}
	return all
}

// newEraser makes what does, beside the matcher, what erasing a person asks for.
func newEraser(c config.Config, kafka *topic.Client, schemas *registry.Client, ring *seal.Ring, sources []source, log *slog.Logger) (*erase.Eraser, error) {
	settings := erase.Config{Kafka: kafka, Registry: schemas, Vault: ring, Log: log}
	if c.Tokens.Key != "" || c.Tokens.KeyFile != "" {
		tokens, err := newTokenizer(c)
		if err != nil {
			return nil, err
		}
		settings.Tokens = tokens
		if settings.OldTokens, err = oldTokenizers(c); err != nil {
			return nil, err
		}
	}
	var err error
	if settings.Records, err = recordTokenizer(c); err != nil {
		return nil, err
	}
	for _, s := range sources {
		settings.Sources = append(settings.Sources, erase.Source{Name: s.Name, Sector: s.Described, Files: s.files()})
	}
	return erase.New(settings), nil
}

// both does two works until the first fails.
func both(one, other func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return one(ctx) })
		group.Go(func() error { return other(ctx) })
		return group.Wait()
	}
}
