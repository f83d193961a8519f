package local

import (
	"encoding/xml"
	"testing"

	"github.com/stretchr/testify/require"
)

// The versions stand twice, in a pom and in Go: they must be the same, since
// the Go constant names the folder that keeps what the pom fetched.
func TestVersionsAgree(t *testing.T) {
	type project struct {
		Version      string `xml:"version"`
		Dependencies []struct {
			Group   string `xml:"groupId"`
			Version string `xml:"version"`
		} `xml:"dependencies>dependency"`
	}
	for _, c := range []struct {
		group string
		pom   []byte
		want  string
	}{
		{"org.apache.kafka", KafkaPOM, KafkaVersion},
		{"io.zonky.test.postgres", PostgresPOM, PostgresVersion},
		{"io.zonky.test.postgres", Postgres15POM, Postgres15Version},
	} {
		var p project
		require.NoError(t, xml.Unmarshal(c.pom, &p))
		require.Equal(t, c.want, p.Version)
		found := 0
		for _, d := range p.Dependencies {
			if d.Group == c.group {
				require.Equal(t, c.want, d.Version)
				found++
			}
		}
		require.Positive(t, found, c.group)
	}
}
