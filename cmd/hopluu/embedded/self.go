package embedded

import (
	"context"
	"os"
	"os/exec"
	"syscall"
)

// StartSelf starts a subcommand of hopluu (or of the program bin) as a
// process of its own; env is added to the environment of this process. It
// returns when the process has started: use WaitReady with ProbeHTTP to wait
// for more. ctx bounds the start, not the life of the process.
func StartSelf(ctx context.Context, name, bin string, args, env []string, logfile string) (*Process, error) {
	p := &Process{
		Name: name,
		Log:  logfile,
		launch: launch{
			command: func() (*exec.Cmd, error) {
				cmd := exec.Command(bin, args...)
				cmd.Env = append(os.Environ(), env...)
				return cmd, nil
			},
			stop: syscall.SIGTERM, orphan: syscall.SIGKILL, grace: stopBound,
		},
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// ProbeHTTP is a probe for WaitReady: it wants status 200 from url, such as
// the /readyz of a subcommand.
func ProbeHTTP(url string) func(ctx context.Context) error {
	return func(ctx context.Context) error { return probeHTTP(ctx, url) }
}
