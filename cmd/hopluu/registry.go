package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/spf13/cobra"
)

func (a *app) registryCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "registry",
		Short: "Serve the embedded schema registry",
	}
	var listen, metricsListen string
	run := &cobra.Command{
		Use:   "run",
		Short: "Serve a schema registry that speaks Confluent's REST API, its schemas kept in the topic _schemas",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, log, err := a.load()
			if err != nil {
				return err
			}
			if listen != "" {
				c.Registry.Listen = listen
			}
			if metricsListen != "" {
				c.HTTP.Listen = metricsListen
			}
			kafka, err := dialKafka(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, kafka.Close()) }()
			server, err := registry.NewServer(cmd.Context(), kafka, registry.ServerConfig{Replication: c.Topics.Replication, Log: log})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, server.Close()) }()
			return serve(cmd.Context(), c.HTTP.Listen, log, newMetrics(), server.Ready, func(ctx context.Context) error {
				return serveREST(ctx, c.Registry.Listen, server)
			})
		},
	}
	run.Flags().StringVar(&listen, "listen", "", "address of the REST API (registry.listen)")
	run.Flags().StringVar(&metricsListen, "http", "", "address for /metrics, /healthz and /readyz (http.listen)")
	command.AddCommand(run)
	return command
}

func serveREST(ctx context.Context, listen string, handler http.Handler) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("registry.listen: %w: choose another address with --listen or HOPLUU_REGISTRY_LISTEN", err)
	}
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
	err = server.Shutdown(bound)
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
