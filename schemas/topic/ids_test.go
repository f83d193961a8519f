package topic

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a broker answers, nothing is read that it did not send.
func FuzzParseIDs(f *testing.F) {
	answer := []byte{
		0, 0, 0, 1, 0, // correlation, tags
		0, 0, 0, 0, // throttle time
		2, 0, 0, 0, 1, 2, 'h', 0, 0, 0x23, 0x84, 0, 0, // a broker
		2, 'c', 0, 0, 0, 1, // cluster, controller
		2, 0, 0, 2, 't', // a topic
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0,
		2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0,
		0x80, 0, 0, 0, 0, 0, // rights, tags
	}
	a, err := parseIDs(answer)
	require.NoError(f, err)
	require.Equal(f, []identified{{name: "t", id: ID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}}, a.topics)
	require.Equal(f, "01020304-0506-0708-090a-0b0c0d0e0f10", a.topics[0].id.String())
	for n := range len(answer) - 1 { // its own tags are nothing to us
		_, err := parseIDs(answer[:n])
		require.Error(f, err, n)
	}
	f.Add(answer)
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseIDs(body)
		if err == nil {
			require.LessOrEqual(t, len(a.topics)*26, len(body))
		}
	})
}
