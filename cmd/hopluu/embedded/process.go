package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child process that can be stopped, killed and started again on
// the same data and port. It dies with this process, however this one dies.
// All methods may be called from any goroutine.
type Process struct {
	Name string // as messages call it
	Addr string // host:port on which it listens; empty when it does not
	Log  string // the file that gets its output, appended to at each start; the one before it is Log + ".old"

	launch launch

	mu      sync.Mutex // held while starting and stopping
	current *child     // nil before the first start
}

// launch says how a process is started, known to be ready, and ended.
type launch struct {
	command func() (*exec.Cmd, error)       // a new command, without output and attributes
	cred    *syscall.Credential             // nil: the user of this process
	ready   func(ctx context.Context) error // nil: ready at once; a *hopelessError ends the waiting
	stop    syscall.Signal                  // asks for a graceful end
	orphan  syscall.Signal                  // what it gets when this process dies
	grace   time.Duration                   // how long a graceful end may take
	// again says whether an end while starting, this long after the start was
	// asked for, is worth another try; nil: never.
	again func(since time.Duration) bool
}

// stopBound is how long a graceful end may take: seconds, on a machine that is
// busy with other things a minute. A killed server recovers at its next start.
const stopBound = time.Minute

// probeBound is how long one look at a server that starts may take.
const probeBound = 5 * time.Second

// maxLog is the size in bytes above which a log is put aside at the next start.
const maxLog = 64 << 20

// child is one life of a Process.
type child struct {
	pid  int
	done chan struct{} // closed after it ended and was reaped
	err  error         // how it ended; read after done
	from int64         // size of the log when it began
}

// ExitError says that a process ended that should run.
type ExitError struct {
	Name string
	Err  error  // nil when it ended with status 0
	Last string // the line of its log that tells why, empty when there is none
	Log  string
}

func (e *ExitError) Error() string {
	how := "ended"
	if e.Err != nil {
		how = "ended with " + e.Err.Error()
	}
	if e.Last == "" {
		return fmt.Sprintf("%s %s, see %s", e.Name, how, e.Log)
	}
	return fmt.Sprintf("%s %s: %s (see %s)", e.Name, how, e.Last, e.Log)
}

func (e *ExitError) Unwrap() error { return e.Err }

// hopelessError ends the waiting for a server that answers, but not as it should.
type hopelessError struct{ error }

func (e *hopelessError) Unwrap() error { return e.error }

// PID is the process id of the current life, or of the last one.
func (p *Process) PID() int {
	if c := p.child(); c != nil {
		return c.pid
	}
	return 0
}

// Done is closed when the current life of the process has ended.
func (p *Process) Done() <-chan struct{} { return p.child().done }

// Wait waits for the end of the current life: nil for status 0, else an *ExitError.
func (p *Process) Wait() error {
	c := p.child()
	<-c.done
	if c.err == nil {
		return nil
	}
	return p.exitError(c)
}

// Running says whether the process lives.
func (p *Process) Running() bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// Kill ends the process and its process group with SIGKILL and returns when
// it is gone. Killing what has ended is no error.
func (p *Process) Kill() error {
	c := p.child()
	select {
	case <-c.done:
		return nil
	default:
	}
	if err := syscall.Kill(-c.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot kill %s (pid %d): %w", p.Name, c.pid, err)
	}
	<-c.done
	return nil
}

// Signal sends a signal to the process alone.
func (p *Process) Signal(s syscall.Signal) error {
	c := p.child()
	select {
	case <-c.done:
		return fmt.Errorf("%s is not running", p.Name)
	default:
	}
	if err := syscall.Kill(c.pid, s); err != nil {
		return fmt.Errorf("cannot signal %s (pid %d): %w", p.Name, c.pid, err)
	}
	return nil
}

// Stop asks the process to end and returns when it is gone. When it does not
// end within its time, or ctx ends first, it is killed, and the error says so.
func (p *Process) Stop(ctx context.Context) error {
	p.mu.Lock()
	c := p.current
	p.mu.Unlock()
	select {
	case <-c.done:
		return nil
	default:
	}
	if err := syscall.Kill(c.pid, p.launch.stop); err != nil && !errors.Is(err, syscall.ESRCH) {
		return errors.Join(fmt.Errorf("cannot stop %s (pid %d): %w", p.Name, c.pid, err), p.Kill())
	}
	timer := time.NewTimer(p.launch.grace)
	defer timer.Stop()
	began := time.Now()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("%s did not stop within %s and was killed", p.Name, time.Since(began).Round(100*time.Millisecond))
}

// Restart starts the process again, after a Kill, a Stop or its own end, on
// the same data and port, and waits until it is ready. A running process is
// stopped first.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return p.start(ctx)
}

// start starts a life and waits until it is ready. ctx bounds the waiting, not the life.
func (p *Process) start(ctx context.Context) error {
	began := time.Now()
	for {
		c, err := p.spawn()
		if err != nil {
			return err
		}
		err = p.await(ctx, c, p.launch.ready)
		var exit *ExitError
		if errors.As(err, &exit) && p.launch.again != nil && p.launch.again(time.Since(began)) {
			select {
			case <-ctx.Done():
				return err
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		if err != nil {
			return errors.Join(err, p.Kill())
		}
		return nil
	}
}

func (p *Process) spawn() (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd, err := p.launch.command()
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.Name, err)
	}
	if err := os.MkdirAll(filepath.Dir(p.Log), 0o755); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.Name, err)
	}
	if info, err := os.Stat(p.Log); err == nil && info.Size() > maxLog {
		if err := os.Rename(p.Log, p.Log+".old"); err != nil {
			return nil, fmt.Errorf("cannot start %s: %w", p.Name, err)
		}
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.Name, err)
	}
	c := &child{done: make(chan struct{})}
	if info, err := log.Stat(); err == nil {
		c.from = info.Size()
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.launch.orphan, Credential: p.launch.cred}

	started := make(chan error, 1)
	go func() {
		// The death signal is sent when the thread that started the child
		// ends, not the process, so this thread lives as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.pid = cmd.Process.Pid
		started <- nil
		c.err = cmd.Wait()
		close(c.done)
	}()
	err = <-started
	if closed := log.Close(); err == nil && closed != nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.Name, err)
	}
	p.current = c
	return c, nil
}

// WaitReady probes until the probe succeeds. It ends early, with an
// *ExitError, when the process ends, and with the probe's last error when ctx
// does.
func (p *Process) WaitReady(ctx context.Context, probe func(ctx context.Context) error) error {
	return p.await(ctx, p.child(), probe)
}

func (p *Process) await(ctx context.Context, c *child, probe func(ctx context.Context) error) error {
	if probe == nil {
		return nil
	}
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, probeBound)
		err := probe(attempt)
		cancel()
		// A probe that succeeds after our process ended was answered by another one.
		select {
		case <-c.done:
			return p.exitError(c)
		default:
		}
		var hopeless *hopelessError
		if err == nil || errors.As(err, &hopeless) {
			return err
		}
		select {
		case <-c.done:
			return p.exitError(c)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w; see %s): %w", p.Name, ctx.Err(), p.Log, err)
		case <-tick.C:
		}
	}
}

func (p *Process) child() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *Process) exitError(c *child) *ExitError {
	return &ExitError{Name: p.Name, Err: c.err, Last: complaint(p.Log, c.from), Log: p.Log}
}
