package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Mode says whether schemas may be registered.
type Mode string

// The modes that the embedded server has.
const (
	ReadWrite Mode = "READWRITE"
	ReadOnly  Mode = "READONLY"
	// Import takes schemas under ids and versions of the client's choice, and
	// no others: what a registry that was lost is restored in.
	Import Mode = "IMPORT"
)

// state is what the log says: it is made from the log's entries in their order
// and from nothing else.
type state struct {
	subjects map[string]map[int]*version
	ids      map[int]*version // one of those with the id
	byNormal map[string]int   // normal form to id
	configs  map[string]Level // "" is the default of all
	modes    map[string]Mode
	maxID    int
}

func newState() *state {
	return &state{
		subjects: make(map[string]map[int]*version),
		ids:      make(map[int]*version),
		byNormal: make(map[string]int),
		configs:  make(map[string]Level),
		modes:    make(map[string]Mode),
	}
}

// apply takes one entry in. Kinds that are not known are left alone, as
// Confluent's registry does; an entry that cannot be read is an error.
func (s *state) apply(e Entry) error {
	var key struct {
		KeyType string  `json:"keytype"`
		Subject *string `json:"subject"`
		Version int     `json:"version"`
	}
	if err := json.Unmarshal(e.Key, &key); err != nil {
		return fmt.Errorf("key %q: %w", e.Key, err)
	}
	subject := ""
	if key.Subject != nil {
		subject = *key.Subject
	}
	switch key.KeyType {
	case keySchema:
		if e.Value == nil {
			s.forget(subject, key.Version)
			return nil
		}
		v := new(version)
		if err := json.Unmarshal(e.Value, v); err != nil {
			return fmt.Errorf("schema of %s version %d: %w", subject, key.Version, err)
		}
		s.keep(v)
	case keyDeleteSubject:
		if e.Value == nil {
			return nil
		}
		var d deleteSubjectValue
		if err := json.Unmarshal(e.Value, &d); err != nil {
			return fmt.Errorf("deletion of %s: %w", subject, err)
		}
		for n, v := range s.subjects[d.Subject] {
			if n <= d.Version {
				v.Deleted = true
			}
		}
	case keyConfig:
		if e.Value == nil {
			delete(s.configs, subject)
			return nil
		}
		var c configValue
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return fmt.Errorf("configuration of %q: %w", subject, err)
		}
		s.configs[subject] = c.Level
	case keyMode:
		if e.Value == nil {
			delete(s.modes, subject)
			return nil
		}
		var m modeValue
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return fmt.Errorf("mode of %q: %w", subject, err)
		}
		s.modes[subject] = m.Mode
	case keyNoop:
		var n noopValue
		if e.Value == nil {
			return nil
		}
		if err := json.Unmarshal(e.Value, &n); err != nil {
			return fmt.Errorf("NOOP: %w", err)
		}
		s.maxID = max(s.maxID, n.MaxID)
	}
	return nil
}

func (s *state) keep(v *version) {
	versions := s.subjects[v.Subject]
	if versions == nil {
		versions = make(map[int]*version)
		s.subjects[v.Subject] = versions
	}
	versions[v.Version] = v
	s.ids[v.ID] = v
	s.maxID = max(s.maxID, v.ID)
	if n, err := normal(v.Schema); err == nil { // a Protobuf schema of another server has none
		s.byNormal[n] = v.ID
	}
}

func (s *state) forget(subject string, n int) {
	v := s.subjects[subject][n]
	if v == nil {
		return
	}
	delete(s.subjects[subject], n)
	if len(s.subjects[subject]) == 0 {
		delete(s.subjects, subject)
	}
	delete(s.ids, v.ID)
	for _, versions := range s.subjects {
		for _, other := range versions {
			if other.ID == v.ID {
				s.ids[v.ID] = other
				return
			}
		}
	}
	if form, err := normal(v.Schema); err == nil {
		delete(s.byNormal, form)
	}
}

// versions gives a subject's versions in order, deleted ones only when asked
// for.
func (s *state) versions(subject string, deleted bool) []*version {
	var out []*version
	for _, n := range slices.Sorted(maps.Keys(s.subjects[subject])) {
		if v := s.subjects[subject][n]; deleted || !v.Deleted {
			out = append(out, v)
		}
	}
	return out
}

// level is the level that holds for a subject.
func (s *state) level(subject string) Level {
	if l, ok := s.configs[subject]; ok {
		return l
	}
	if l, ok := s.configs[""]; ok {
		return l
	}
	return Backward
}

// mode is the mode that holds for a subject.
func (s *state) mode(subject string) Mode {
	if m, ok := s.modes[subject]; ok {
		return m
	}
	if m, ok := s.modes[""]; ok {
		return m
	}
	return ReadWrite
}
