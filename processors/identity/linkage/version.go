package linkage

import (
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Stamp gives a trained model a version of its own, city-3+1f0c9a2b, made of its
// description, weights and report, and of the frequencies beside it, nil where it
// has none: no two models that decide differently have one version, and the same
// training gives the same.
func (m *Model) Stamp(frequencies []byte) error {
	m.Version, _, _ = strings.Cut(m.Version, "+")
	text, err := m.Marshal()
	if err != nil {
		return err
	}
	m.Version += fmt.Sprintf("+%08x", uint32(xxhash.Sum64(append(text, frequencies...))))
	return nil
}

// ParseLive reads a model that is to decide records one by one, with its
// frequencies, and refuses one that cannot: without weights, a section live or a
// column that the sectors' files match by, or whose version is not what Stamp makes
// of it.
func ParseLive(text, frequencies []byte) (*Model, *Frequencies, error) {
	m, err := ParseModel(text)
	if err != nil {
		return nil, nil, err
	}
	known, err := ParseFrequencies(frequencies)
	if err != nil {
		return nil, nil, err
	}
	if m.Live == nil {
		return nil, nil, fmt.Errorf("model %s: %w; add one as 'hopluu identity model city' has it, and train again", m.Version, errNotLive)
	}
	for _, name := range fieldNames {
		if m.column(name) < 0 {
			return nil, nil, fmt.Errorf("model %s: column %s is missing, which vault topics have: describe it as 'hopluu identity model city' does, and train again", m.Version, name)
		}
	}
	if _, err := NewEngine(m, known); err != nil {
		return nil, nil, err
	}
	stamped := *m
	if err := stamped.Stamp(frequencies); err != nil {
		return nil, nil, err
	}
	if stamped.Version != m.Version {
		return nil, nil, fmt.Errorf("model %s was changed after its training, or its frequencies were: write version: %s, which makes it a model of its own", m.Version, stamped.Version)
	}
	return m, known, nil
}
