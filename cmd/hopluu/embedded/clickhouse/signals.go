package clickhouse

import (
	"sync"
	"syscall"
	"unsafe"
)

// deadly are the signals for which the library installs handlers of its own
// when it connects. Go needs its own there: a nil pointer in Go is a SIGSEGV
// that becomes a panic, and a handler that does not know goroutine stacks
// must not run on one. The library's own switch does not serve: it sets them
// to their default, not back to what they were.
var deadly = []syscall.Signal{
	syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGBUS,
	syscall.SIGSYS, syscall.SIGFPE, syscall.SIGTSTP, syscall.SIGTRAP,
	syscall.SIGURG, syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM,
}

var signalsMu sync.Mutex

// sigaction is as large as the kernel's struct for rt_sigaction on amd64.
type sigaction [4]uint64

// keepSignals runs fn and then puts back the signal handlers that were there before.
func keepSignals(fn func()) {
	signalsMu.Lock()
	defer signalsMu.Unlock()
	before := make([]sigaction, len(deadly))
	for i, s := range deadly {
		rtSigaction(s, nil, &before[i])
	}
	fn()
	for i, s := range deadly {
		rtSigaction(s, &before[i], nil)
	}
}

// rtSigaction cannot fail for these signals and addresses, so what the kernel
// answers is of no use.
func rtSigaction(s syscall.Signal, set, old *sigaction) {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
}
