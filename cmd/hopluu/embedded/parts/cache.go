package parts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	marker     = ".complete"
	unfinished = ".unfinished-"
)

// DefaultDir is where the parts are kept: $HOPLUU_CACHE, or a folder of the
// user's cache, or, as root, a folder that other users may enter too, because
// PostgreSQL refuses to run as root.
func DefaultDir() (string, error) {
	if dir := os.Getenv("HOPLUU_CACHE"); dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/hopluu", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: set HOPLUU_CACHE to a folder with 1 GB free: %w", err)
	}
	return filepath.Join(dir, "hopluu"), nil
}

func makeCache(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the cache folder: set HOPLUU_CACHE to a folder that you may write: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	// The umask may have kept others out.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("cannot open the cache folder to other users: %w", err)
	}
	return nil
}

// missing are those of the parts that do not stand complete in dir.
func missing(dir string, parts []part) []part {
	var out []part
	for _, p := range parts {
		content, err := os.ReadFile(filepath.Join(dir, p.dir, marker))
		if err != nil || string(content) != p.dir {
			out = append(out, p)
		}
	}
	return out
}

func writeMarker(dir string, p part) error {
	f, err := os.OpenFile(filepath.Join(dir, marker), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(p.dir)
	// One Syncfs brings the part's files to the disk before the marker that
	// vouches for them is renamed into place.
	return errors.Join(err, unix.Syncfs(int(f.Fd())), f.Close())
}

// removeUnfinished removes what a killed process left behind.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read the cache folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("cannot clear the cache folder: %w", err)
			}
		}
	}
	return nil
}

// lock takes the cache for this process; waiting is called once when another
// process has it.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the cache folder: set HOPLUU_CACHE to a folder that you may write: %w", err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for first := true; ; first = false {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Closing gives the lock back; nothing was written, so nothing is lost.
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("cannot lock the cache folder: %w", err), f.Close())
		}
		if first {
			waiting()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting for another process that fetches parts: %w", ctx.Err()), f.Close())
		}
	}
}

func checkSpace(dir string, need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot tell the free space of %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		return fmt.Errorf("%s has %d MB free and the parts need %d MB: free some, or set HOPLUU_CACHE to a folder on another disk", dir, free>>20, need>>20)
	}
	return nil
}

// explain adds what to do about an error of the file system.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("the disk of %s is full: free some, or set HOPLUU_CACHE to a folder on another disk: %w", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("set HOPLUU_CACHE to a folder that you may write: %w", err)
	}
	return err
}
