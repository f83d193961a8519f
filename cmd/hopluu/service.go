package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
)

// newMetrics makes a registry with what every process tells of itself.
func newMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// httpFlag is --http, over http.listen.
type httpFlag struct{ listen string }

func (f *httpFlag) on(command *cobra.Command) {
	command.Flags().StringVar(&f.listen, "http", "", "address for /metrics, /healthz and /readyz, over http.listen; an empty one for none")
}

func (f *httpFlag) lay(command *cobra.Command, c *config.Config) {
	if command.Flags().Changed("http") {
		c.HTTP.Listen = f.listen
	}
}

// troubleAfter is how long Kafka may keep us waiting before it is told: longer
// than a change of leader or a restart of a broker takes.
const troubleAfter = 8 * time.Second

// watchKafka logs when Kafka begins to keep us waiting, and when it is over:
// the stages themselves hear of it only when their patience ends.
func watchKafka(ctx context.Context, kafka *topic.Client, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	waiting := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch err := kafka.Trouble(troubleAfter); {
		case err != nil && !waiting:
			waiting = true
			log.Error("Kafka keeps us waiting; nothing is confirmed that it does not have", "error", oneLine(err))
		case err == nil && waiting:
			waiting = false
			log.Info("Kafka is back")
		}
	}
}

// service is a long-running subcommand's work, once it has what it needs.
type service struct {
	kafka *topic.Client
	ready func() error
	run   func(context.Context) error
	// api, where there is one, is served under /identity/.
	api http.Handler
}

// stage is a long-running subcommand beside its HTTP side.
type stage struct {
	*waiting
	log     *slog.Logger
	metrics *prometheus.Registry
	now     atomic.Pointer[service] // nil until the work begins
}

// staged runs a long-running subcommand beside its HTTP side: /metrics, /healthz
// (the process lives), /startz (the work has begun) and /readyz (it goes on), which
// are there from the beginning, while begin waits for what it needs. It ends when
// begin does, which ends with stage.work.
func staged(ctx context.Context, listen string, log *slog.Logger, begin func(context.Context, *stage) error) error {
	s := &stage{waiting: newWaiting(log), log: log, metrics: newMetrics()}
	if listen == "" {
		return begin(ctx, s)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("http.listen: %w: choose another address with --http or HOPLUU_HTTP_LISTEN", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /startz", func(w http.ResponseWriter, _ *http.Request) {
		if s.now.Load() == nil {
			answer(w, http.StatusServiceUnavailable, oneLine(s.ready()))
			return
		}
		answer(w, http.StatusOK, "started")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, oneLine(err))
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("/identity/", func(w http.ResponseWriter, r *http.Request) {
		switch now := s.now.Load(); {
		case now == nil:
			answer(w, http.StatusServiceUnavailable, oneLine(s.ready()))
		case now.api == nil:
			http.NotFound(w, r)
		default:
			now.api.ServeHTTP(w, r)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving metrics and health", "address", listener.Addr().String())
	err = begin(ctx, s)
	closeErr := server.Close()
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		closeErr = errors.Join(closeErr, serveErr)
	}
	return errors.Join(err, closeErr)
}

// ready is nil when the work goes on and waits for nothing.
func (s *stage) ready() error {
	now := s.now.Load()
	if now == nil {
		return cmp.Or(s.waiting.ready(), errors.New("starting"))
	}
	return errors.Join(s.waiting.ready(), now.ready(), now.kafka.Trouble(troubleAfter))
}

// work does the work, until it or the context ends.
func (s *stage) work(ctx context.Context, now service) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go watchKafka(watched, now.kafka, s.log)
	s.now.Store(&now)
	defer s.now.Store(nil)
	return now.run(ctx)
}

// kafkaAnswers does what asks Kafka at the start, and waits while it is away.
func (s *stage) kafkaAnswers(ctx context.Context, ask func(context.Context) error) error {
	return s.until(ctx, "Kafka", func(err error) bool { return !topic.Passing(err) }, ask)
}

// asks makes a topic in which operators say something, where it is missing, as the
// stages' others are. Who may not make it goes on: while it is missing nothing was
// said.
func (s *stage) asks(ctx context.Context, kafka *topic.Client, spec topic.Spec) error {
	return s.kafkaAnswers(ctx, func(ctx context.Context) error {
		_, err := kafka.Ensure(ctx, spec)
		if err == nil || topic.Passing(err) || ctx.Err() != nil {
			return err
		}
		s.log.Warn("a topic in which operators say something is not as it should be; until 'hopluu topics create' makes it nothing is heard", "topic", spec.Name, "error", err)
		return nil
	})
}

// pauses watches what operators hold still, and shows it in the metrics.
func (s *stage) pauses(ctx context.Context, kafka *topic.Client, spec topic.Spec) (watcher *pause.Watcher, err error) {
	if err := s.asks(ctx, kafka, spec); err != nil {
		return nil, err
	}
	err = s.kafkaAnswers(ctx, func(ctx context.Context) (err error) {
		watcher, err = pause.Watch(ctx, kafka, s.log)
		return err
	})
	if err != nil {
		return nil, err
	}
	return watcher, s.metrics.Register(watcher)
}

// fits refuses a cluster or topics that cannot keep events as the configuration
// asks; command lists what is wrong.
func (s *stage) fits(ctx context.Context, kafka *topic.Client, c config.Topics, specs []topic.Spec, command string) error {
	var cluster []postgres.Finding
	var topics []topicFinding
	err := s.kafkaAnswers(ctx, func(ctx context.Context) (err error) {
		cluster, topics, err = checkCluster(ctx, kafka, c, specs)
		return err
	})
	if err != nil {
		return err
	}
	return refusal(command, append(cluster, summary(topics)...))
}

func answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	// The client went away: there is no one left to tell.
	_, _ = fmt.Fprintln(w, text)
}
