package embedded

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// endOrphans kills the backends that are left of a server that was killed: the
// processes that work in its data folder while the server of its postmaster.pid
// is gone. It does nothing where there is no /proc, or one to see.
func endOrphans(data string) {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	server, err := strconv.Atoi(string(line))
	if err != nil || server <= 1 || !errors.Is(syscall.Kill(server, 0), syscall.ESRCH) {
		return
	}
	if data, err = filepath.EvalSymlinks(data); err != nil {
		return
	}
	folders, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return
	}
	for _, folder := range folders {
		if at, err := os.Readlink(folder); err != nil || at != data {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(folder))); err == nil && pid != os.Getpid() {
			// It may have gone by itself meanwhile; the next try tells.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
