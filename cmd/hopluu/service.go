package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
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

// watchPauses watches what operators hold still, and shows it in the metrics.
func watchPauses(ctx context.Context, kafka *topic.Client, log *slog.Logger, metrics *prometheus.Registry) (*pause.Watcher, error) {
	watcher, err := pause.Watch(ctx, kafka, log)
	if err != nil {
		return nil, err
	}
	return watcher, metrics.Register(watcher)
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

// service is a long-running subcommand's work beside its HTTP side.
type service struct {
	kafka *topic.Client
	ready func() error
	run   func(context.Context) error
	// api, where there is one, is served under /identity/.
	api http.Handler
}

// serve runs a long-running subcommand beside its HTTP side: /metrics,
// /healthz (the process lives) and /readyz (the work goes on). It ends when the
// work ends.
func serve(ctx context.Context, listen string, log *slog.Logger, metrics *prometheus.Registry, s service) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go watchKafka(watched, s.kafka, log)
	if listen == "" {
		return s.run(ctx)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("http.listen: %w: choose another address with --http or HOPLUU_HTTP_LISTEN", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := errors.Join(s.ready(), s.kafka.Trouble(troubleAfter)); err != nil {
			answer(w, http.StatusServiceUnavailable, oneLine(err))
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	if s.api != nil {
		mux.Handle("/identity/", s.api)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving metrics and health", "address", listener.Addr().String())
	err = s.run(ctx)
	closeErr := server.Close()
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		closeErr = errors.Join(closeErr, serveErr)
	}
	return errors.Join(err, closeErr)
}

func answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	// The client went away: there is no one left to tell.
	_, _ = fmt.Fprintln(w, text)
}
