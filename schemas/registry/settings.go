package registry

import (
	"net/http"
	"strings"
)

// levelAnswer is a level as clients set it; they are told it as configValue.
type levelAnswer struct {
	Level Level `json:"compatibility"`
}

func (s *Server) getConfig(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subject := r.PathValue("subject")
	if _, own := s.state.configs[subject]; subject != "" && !own && !flag(r, "defaultToGlobal") {
		return nil, noSubjectLevel(subject)
	}
	return configValue{s.state.level(subject)}, nil
}

func (s *Server) putConfig(r *http.Request) (any, error) {
	var req levelAnswer
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	req.Level = Level(strings.ToUpper(string(req.Level)))
	if !req.Level.valid() {
		return nil, invalidLevel(req.Level)
	}
	err := s.write(r.Context(), func(*state) ([]Entry, error) {
		e, err := subjectEntry(keyConfig, r.PathValue("subject"), configValue(req))
		return []Entry{e}, err
	})
	return req, err
}

func (s *Server) deleteConfig(r *http.Request) (any, error) {
	subject := r.PathValue("subject")
	var old configValue
	err := s.write(r.Context(), func(st *state) ([]Entry, error) {
		if _, own := st.configs[subject]; subject != "" && !own {
			return nil, noSubjectLevel(subject)
		}
		old.Level = st.level(subject)
		e, err := subjectEntry(keyConfig, subject, nil)
		return []Entry{e}, err
	})
	return old, err
}

func (s *Server) getMode(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subject := r.PathValue("subject")
	if _, own := s.state.modes[subject]; subject != "" && !own && !flag(r, "defaultToGlobal") {
		return nil, noSubjectMode(subject)
	}
	return modeValue{s.state.mode(subject)}, nil
}

func (s *Server) putMode(r *http.Request) (any, error) {
	var req modeValue
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	req.Mode = Mode(strings.ToUpper(string(req.Mode)))
	if req.Mode != ReadWrite && req.Mode != ReadOnly && req.Mode != Import {
		return nil, invalidMode(req.Mode)
	}
	err := s.write(r.Context(), func(st *state) ([]Entry, error) {
		if req.Mode == Import && !flag(r, "force") && len(st.subjects) > 0 {
			return nil, notPermitted("Cannot import since found existing subjects; force=true imports beside them")
		}
		e, err := subjectEntry(keyMode, r.PathValue("subject"), req)
		return []Entry{e}, err
	})
	return req, err
}

func (s *Server) deleteMode(r *http.Request) (any, error) {
	subject := r.PathValue("subject")
	var old modeValue
	err := s.write(r.Context(), func(st *state) ([]Entry, error) {
		if _, own := st.modes[subject]; subject != "" && !own {
			return nil, noSubjectMode(subject)
		}
		old.Mode = st.mode(subject)
		e, err := subjectEntry(keyMode, subject, nil)
		return []Entry{e}, err
	})
	return old, err
}
