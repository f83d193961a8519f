package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// profilerEnv names the socket on which a program that was built with the
// profiler serves it.
const profilerEnv = "BENCH_PROFILER"

// profiler is compiled into hopluu's main package by an overlay, so that the
// product has no trace of it.
//
//go:embed profiler.go.txt
var profiler []byte

func profilerOverlay(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/hopluu/hopluu/cmd/hopluu").Output()
	if err != nil {
		return "", fmt.Errorf("find the source of cmd/hopluu: %w", err)
	}
	source := filepath.Join(dir, "profiler.go")
	if err := os.WriteFile(source, profiler, 0o644); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(strings.TrimSpace(string(out)), "zz_profiler.go"): source}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o644)
}

// profiled begins a CPU profile of the connector when profiles are asked for;
// the function that it gives ends it and adds one of the memory.
func (r *rig) profiled(ctx context.Context, name string) (finish func() error, err error) {
	if r.options.profile == "" {
		return func() error { return nil }, nil
	}
	folder, err := filepath.Abs(r.options.profile)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if err := r.askProfiler(ctx, "/cpu/start?file="+url.QueryEscape(filepath.Join(folder, name+".cpu")), io.Discard); err != nil {
		return nil, err
	}
	return func() error {
		if err := r.askProfiler(ctx, "/cpu/stop", io.Discard); err != nil {
			return err
		}
		out, err := os.Create(filepath.Join(folder, name+".allocs"))
		if err != nil {
			return err
		}
		if err := r.askProfiler(ctx, "/debug/pprof/allocs", out); err != nil {
			return err
		}
		return out.Close()
	}, nil
}

func (r *rig) askProfiler(ctx context.Context, what string, into io.Writer) error {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", r.profilerSocket("connector"))
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://connector"+what, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read to its end below
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profiler %s: %s", what, response.Status)
	}
	_, err = io.Copy(into, response.Body)
	return err
}

func (r *rig) profilerSocket(stage string) string { return filepath.Join(r.dir, stage+".profiler") }
