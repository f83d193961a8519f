package linkage

import (
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Stamp gives a trained model a version of its own, city-3+1f0c9a2b, made of its
// description, weights and report: no two models that decide differently have
// one version, and the same training gives the same.
func (m *Model) Stamp() error {
	m.Version, _, _ = strings.Cut(m.Version, "+")
	text, err := m.Marshal()
	if err != nil {
		return err
	}
	m.Version += fmt.Sprintf("+%08x", uint32(xxhash.Sum64(text)))
	return nil
}
