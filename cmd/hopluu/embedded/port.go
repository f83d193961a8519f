package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const host = "127.0.0.1"

// Free ports are taken from below the range from which the kernel takes the
// local ports of outgoing connections: while a killed server is down, nobody
// else gets its port by chance.
const (
	lowestPort  = 15000
	highestPort = 31999
)

// choosePort gives the port on which the server of dir listens: the one that
// was chosen before for the same wish, else the wanted one, else, when that
// is taken or 0, a free one. The choice is kept in dir under the given name,
// so that the server has the same port the next time.
func choosePort(dir, name string, wanted int) (int, error) {
	type choice struct {
		Wanted int `json:"wanted"`
		Chosen int `json:"chosen"`
	}
	file := filepath.Join(dir, name+".json")
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err == nil {
		var before choice
		// What does not parse was cut off by a full disk: choose again.
		if json.Unmarshal(content, &before) == nil && before.Wanted == wanted && before.Chosen != 0 && free(before.Chosen) {
			return before.Chosen, nil
		}
	}
	port := wanted
	if wanted == 0 || !free(wanted) {
		if port, err = FreePort(); err != nil {
			return 0, err
		}
	}
	content, err = json.Marshal(choice{wanted, port})
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return 0, err
	}
	return port, nil
}

// given are the ports that FreePort gave out in this process, each with what
// tells other processes so.
var given sync.Map

// FreePort gives a TCP port of 127.0.0.1 on which nobody listens, never the
// same one twice, and none that it gave to another process that still lives:
// who got one may not listen on it yet, or be down for a moment.
func FreePort() (int, error) {
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if reserve(port) && free(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d: end programs that listen there", lowestPort, highestPort)
}

// reserve takes a port by a name that the kernel gives once and takes back when
// this process ends (an abstract socket, unix(7)).
func reserve(port int) bool {
	l, err := net.Listen("unix", fmt.Sprintf("@hopluu-port-%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return false
	}
	// Where there are no such sockets this process alone knows.
	_, taken := given.LoadOrStore(port, l)
	return !taken
}

func free(port int) bool {
	l, err := net.Listen("tcp4", address(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// portBound is how long a dying server may hold its port.
const portBound = 20 * time.Second

// freeSoon waits for a port that a dying server may still hold.
func freeSoon(port int) error {
	for deadline := time.Now().Add(portBound); !free(port); {
		if time.Now().After(deadline) {
			return fmt.Errorf("port %d is taken by another program: end it, or configure another port", port)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
