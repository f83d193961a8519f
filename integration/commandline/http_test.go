package commandline

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var client = &http.Client{Timeout: time.Minute}

// get gives the status and text of a path of the stage; status 0 when it does
// not answer.
func (s *stage) get(path string) (status int, text string) {
	response, err := client.Get(s.http + path)
	if err != nil {
		return 0, err.Error()
	}
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = response.Body.Close()
	}
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// metric gives the lines of /metrics that begin with a name.
func (s *stage) metric(name string) []string {
	status, text := s.get("/metrics")
	require.Equal(s.w.t, 200, status, text)
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
