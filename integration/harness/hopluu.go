package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
)

// binEnv names a program that is built already.
const binEnv = "HOPLUU_TEST_BIN"

// Program is the built hopluu.
type Program struct {
	Bin string
}

var programOnce = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv(binEnv); bin != "" {
		return filepath.Abs(bin)
	}
	root, err := shared.dir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "hopluu")
	build := exec.Command("go", "build", "-o", bin, "github.com/hopluu/hopluu/cmd/hopluu")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building hopluu: %w\n%s", err, out)
	}
	return bin, nil
})

// Hopluu builds cmd/hopluu once a test process ($HOPLUU_TEST_BIN saves that).
func Hopluu(t testing.TB) *Program {
	t.Helper()
	bin, err := programOnce()
	if err != nil {
		t.Fatal(err)
	}
	return &Program{bin}
}

// Start starts a subcommand; it ends with the test. Its log is printed when
// the test fails. Use WaitReady of the process, and its Kill, Stop and Restart.
func (p *Program) Start(t testing.TB, name string, args []string, env ...string) *embedded.Process {
	t.Helper()
	process, err := embedded.StartSelf(t.Context(), name, p.Bin, args, env, filepath.Join(TempDir(t), name, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	})
	return process
}

// Run runs a subcommand to its end and gives what it wrote and its exit code.
func (p *Program) Run(ctx context.Context, args []string, env ...string) (stdout, stderr string, code int, err error) {
	cmd := exec.CommandContext(ctx, p.Bin, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return out.String(), errs.String(), exit.ExitCode(), nil
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode(), err
}

// FreePort gives a port on which nobody listens, for a subcommand's own HTTP.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := embedded.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
