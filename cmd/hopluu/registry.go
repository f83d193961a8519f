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
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

func (a *app) registryCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "registry",
		Short:   "Serve the embedded schema registry",
		Example: "  hopluu registry run --listen :8081",
	}, a.registryRun())
}

func (a *app) registryRun() *cobra.Command {
	var listen string
	var health httpFlag
	command := &cobra.Command{
		Use:   "run",
		Short: "Serve a schema registry that speaks Confluent's REST API",
		Long: `Serve a schema registry that speaks Confluent's REST API, for Avro, until SIGTERM
or Ctrl-C. Its schemas are kept in the topic _schemas in Confluent's own format.
Those who have a schema registry name it in registry.url and need this not.

It needs kafka.brokers. Several may run; the one that started last takes writes.`,
		Example: `  hopluu registry run --listen :8081
  curl -s localhost:8081/subjects`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, log, err := a.load()
			if err != nil {
				return err
			}
			health.lay(cmd, &c)
			if listen != "" {
				c.Registry.Listen = listen
			}
			return stopped(cmd.Context(), runRegistry(cmd.Context(), c, log))
		},
	}
	command.Flags().StringVar(&listen, "listen", "", "address of the REST API, over registry.listen")
	health.on(command)
	return command
}

func runRegistry(ctx context.Context, c config.Config, log *slog.Logger) error {
	// Before the topic is taken over from a registry that may run.
	listener, err := net.Listen("tcp", c.Registry.Listen)
	if err != nil {
		return fmt.Errorf("registry.listen: %w: choose another address with --listen or HOPLUU_REGISTRY_LISTEN", err)
	}
	// Serving closes it; an end before that does so here.
	defer func() { _ = listener.Close() }()
	return staged(ctx, c.HTTP.Listen, log, func(ctx context.Context, s *stage) (err error) {
		kafka, err := reachKafka(ctx, c, s.until)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, kafka.Close()) }()
		err = s.fits(ctx, kafka, c.Topics, []topic.Spec{{
			Name: "_schemas", Partitions: 1, Replication: c.Topics.Replication, Config: map[string]string{"cleanup.policy": "compact"},
		}}, "topics check")
		if err != nil {
			return err
		}
		var server *registry.Server
		err = s.kafkaAnswers(ctx, func(ctx context.Context) (err error) {
			server, err = registry.NewServer(ctx, kafka, registry.ServerConfig{Replication: c.Topics.Replication, Log: log})
			return err
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		return s.work(ctx, service{kafka: kafka, ready: server.Ready, run: func(ctx context.Context) error {
			log.Info("serving the schema registry", "address", listener.Addr().String())
			return serveREST(ctx, listener, server)
		}})
	})
}

func serveREST(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), startBound)
	defer cancel()
	err := server.Shutdown(bound)
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
