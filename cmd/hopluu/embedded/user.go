package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// nobody runs PostgreSQL when we are root, as PostgreSQL refuses to be root.
const nobody = 65534

// relocated holds the data folders that cannot stand where they were asked for.
const relocated = "/var/lib/hopluu"

// serverUser is who runs PostgreSQL: nil for the user of this process.
func serverUser() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{}}
}

// PostgresDir says where a PostgreSQL that was asked to live in dir does
// live: in dir, unless we are root and the user that PostgreSQL runs as
// cannot reach dir; then in a folder of its own under /var/lib/hopluu, always
// the same for the same dir. Who removes dir removes that one too.
func PostgresDir(dir string) (actual string, moved bool, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", false, err
	}
	cred := serverUser()
	if cred == nil {
		return dir, false, nil
	}
	if closed, err := closedFolder(filepath.Dir(dir), cred); err != nil || closed == "" {
		return dir, false, err
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(relocated, hex.EncodeToString(sum[:6])), true, nil
}

// closedFolder names the first folder on the way to path, path included, that
// the user cannot enter; folders that do not exist yet count as open, since
// we make them.
func closedFolder(path string, cred *syscall.Credential) (string, error) {
	if parent := filepath.Dir(path); parent != path {
		if closed, err := closedFolder(parent, cred); err != nil || closed != "" {
			return closed, err
		}
	}
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("cannot tell who owns %s", path)
	}
	bit := fs.FileMode(0o001)
	switch {
	case owner.Uid == cred.Uid:
		bit = 0o100
	case owner.Gid == cred.Gid:
		bit = 0o010
	}
	if info.Mode().Perm()&bit == 0 {
		return path, nil
	}
	return "", nil
}

// makeServerDir makes a folder, and its parents so that the server's user can
// pass, and gives it to that user.
func makeServerDir(dir string, cred *syscall.Credential) error {
	if err := makePassable(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	if cred == nil {
		return nil
	}
	return os.Chown(dir, int(cred.Uid), int(cred.Gid))
}

// makePassable makes the folders that are missing, open to all whatever the umask.
func makePassable(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makePassable(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if os.IsExist(err) {
			return nil
		}
		return err
	}
	return os.Chmod(dir, 0o755)
}
