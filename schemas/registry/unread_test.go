package registry

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// P3: a write that came through and could not be read back in time leaves no id
// that another schema gets: records would be read with the wrong one.
func TestAWriteThatIsNotReadBackGivesNoIDTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s, err := serve(t.Context(), &handle{memory: m}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		register := func(subject, schema string) (int, int) {
			answer := httptest.NewRecorder()
			s.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/subjects/"+subject+"/versions", strings.NewReader(`{"schema": "`+schema+`"}`)))
			var out idAnswer
			if answer.Code == http.StatusOK {
				require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &out))
			}
			return answer.Code, out.ID
		}
		// The topic cannot be read for a while, but written.
		held := make(chan struct{})
		m.mu.Lock()
		m.held = held
		m.mu.Unlock()
		for subject, schema := range map[string]string{"a": "int", "b": "string"} {
			code, _ := register(subject, schema)
			require.GreaterOrEqual(t, code, http.StatusInternalServerError)
		}
		close(held)
		_, a := register("a", "int")
		_, b := register("b", "string")
		require.Positive(t, a)
		require.Positive(t, b)
		require.NotEqual(t, a, b)
	})
}
