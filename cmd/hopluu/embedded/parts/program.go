package parts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// packages says which Debian package brings a program.
var packages = map[string]string{
	"java": "openjdk-17-jre-headless",
	"mvn":  "maven",
	"npm":  "npm",
}

// program finds a program of the machine, or says how to install it.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: apt-get install -y %s (all that is needed: apt-get install -y openjdk-17-jre-headless maven npm): %w", name, packages[name], err)
	}
	return path, nil
}

// run runs a package manager to its end and gives its standard output; the
// error has the line in which it complains. Each line of standard output goes
// to see as well, unless see is nil.
func run(ctx context.Context, see func(line string), dir, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if see != nil {
		cmd.Stdout = io.MultiWriter(&stdout, &lineWriter{see: see})
	}
	// mvn and npm start processes of their own: all of them end with us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if err == nil {
		return stdout.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	complaint := lastComplaint(append(stdout.Bytes(), stderr.Bytes()...))
	if complaint == "" {
		return nil, fmt.Errorf("%s failed: %w", filepath.Base(path), errors.Join(err, errNoOutput))
	}
	return nil, fmt.Errorf("%s failed: %w: %s", filepath.Base(path), err, complaint)
}

// lineWriter hands on what is written to it line by line.
type lineWriter struct {
	see  func(line string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.see(string(line))
		w.rest = rest
	}
}
