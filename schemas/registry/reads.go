package registry

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// versionAnswer is a version as it is told to clients.
type versionAnswer struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Type    string `json:"schemaType,omitempty"`
	Schema  string `json:"schema"`
}

func tell(v *version) versionAnswer {
	return versionAnswer{Subject: v.Subject, Version: v.Version, ID: v.ID, Type: v.Type, Schema: v.Schema}
}

func (s *Server) listSubjects(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, subject := range slices.Sorted(maps.Keys(s.state.subjects)) {
		if strings.HasPrefix(subject, r.URL.Query().Get("subjectPrefix")) && len(s.state.versions(subject, flag(r, "deleted"))) > 0 {
			out = append(out, subject)
		}
	}
	return out, nil
}

func (s *Server) listVersions(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subject := r.PathValue("subject")
	versions := s.state.versions(subject, flag(r, "deleted"))
	if len(versions) == 0 {
		return nil, subjectNotFound(subject)
	}
	return numbers(versions), nil
}

func numbers(versions []*version) []int {
	out := make([]int, len(versions))
	for i, v := range versions {
		out[i] = v.Version
	}
	return out
}

// find gives one version of a subject.
func (st *state) find(subject string, n int, deleted bool) (*version, error) {
	versions := st.versions(subject, deleted)
	if len(versions) == 0 {
		return nil, subjectNotFound(subject)
	}
	if n == latest {
		return versions[len(versions)-1], nil
	}
	for _, v := range versions {
		if v.Version == n {
			return v, nil
		}
	}
	return nil, versionNotFound(n)
}

// version gives a copy of the version that the request names.
func (s *Server) version(r *http.Request) (version, error) {
	n, err := versionNumber(r)
	if err != nil {
		return version{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.state.find(r.PathValue("subject"), n, flag(r, "deleted"))
	if err != nil {
		return version{}, err
	}
	return *v, nil
}

func (s *Server) getVersion(r *http.Request) (any, error) {
	v, err := s.version(r)
	return tell(&v), err
}

// referencedBy is always empty: schemas with references are not taken.
func (s *Server) referencedBy(r *http.Request) (any, error) {
	_, err := s.version(r)
	return []int{}, err
}

func (s *Server) listSchemas(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []versionAnswer{}
	for _, subject := range slices.Sorted(maps.Keys(s.state.subjects)) {
		if !strings.HasPrefix(subject, r.URL.Query().Get("subjectPrefix")) {
			continue
		}
		versions := s.state.versions(subject, flag(r, "deleted"))
		if flag(r, "latestOnly") && len(versions) > 0 {
			versions = versions[len(versions)-1:]
		}
		for _, v := range versions {
			out = append(out, tell(v))
		}
	}
	return out, nil
}

// versionByID gives a copy of a version that has the id. Deleted ones count:
// events that bear the id are still there.
func (s *Server) versionByID(r *http.Request) (version, error) {
	id, err := idNumber(r)
	if err != nil {
		return version{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.state.ids[id]
	if !ok {
		return version{}, schemaNotFound
	}
	return *v, nil
}

func (s *Server) schemaByID(r *http.Request) (any, error) {
	v, err := s.versionByID(r)
	out := struct {
		Type   string `json:"schemaType,omitempty"`
		Schema string `json:"schema"`
		MaxID  *int   `json:"maxId,omitempty"`
	}{Type: v.Type, Schema: v.Schema}
	if flag(r, "fetchMaxId") {
		s.mu.Lock()
		defer s.mu.Unlock()
		n := s.state.maxID
		out.MaxID = &n
	}
	return out, err
}

// uses gives the versions that have the id.
func (s *Server) uses(r *http.Request) ([]*version, error) {
	id, err := idNumber(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.state.ids[id]; !ok {
		return nil, schemaNotFound
	}
	var out []*version
	for _, subject := range slices.Sorted(maps.Keys(s.state.subjects)) {
		for _, v := range s.state.versions(subject, flag(r, "deleted")) {
			if v.ID == id {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

func (s *Server) subjectsByID(r *http.Request) (any, error) {
	versions, err := s.uses(r)
	out := []string{}
	for _, v := range versions {
		out = append(out, v.Subject)
	}
	return slices.Compact(out), err
}

func (s *Server) versionsByID(r *http.Request) (any, error) {
	type use struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	versions, err := s.uses(r)
	out := []use{}
	for _, v := range versions {
		out = append(out, use{v.Subject, v.Version})
	}
	return out, err
}
