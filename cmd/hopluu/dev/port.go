package dev

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
)

// keepPort gives the port that the file remembers, else the wanted one, else,
// when that is taken, a free one, and remembers it: addresses stay the same
// from one start to the next.
func keepPort(path string, wanted int) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	candidates := []int{wanted}
	if kept, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
		candidates = []int{kept, wanted}
	}
	for _, port := range candidates {
		if port > 0 && free(port) {
			return port, os.WriteFile(path, []byte(strconv.Itoa(port)), 0o644)
		}
	}
	port, err := embedded.FreePort()
	if err != nil {
		return 0, fmt.Errorf("no free port: %w", err)
	}
	return port, os.WriteFile(path, []byte(strconv.Itoa(port)), 0o644)
}

func free(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
