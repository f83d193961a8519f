package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/hamba/avro/v2"
)

// schemaRequest is a schema as clients send it.
type schemaRequest struct {
	Schema     string            `json:"schema"`
	Type       string            `json:"schemaType"`
	References []json.RawMessage `json:"references"`
	ID         int               `json:"id"`
	Version    int               `json:"version"`
}

// candidate is a schema that was sent, read and checked.
type candidate struct {
	text   string // without white space
	normal string
	avro   avro.Schema
	id     int // that the client asks for; 0: none
	number int // the version that it asks for beside an id; 0: the next
}

func readSchema(r *http.Request) (candidate, error) {
	var req schemaRequest
	if err := readBody(r, &req); err != nil {
		return candidate{}, err
	}
	switch {
	case req.Type != "" && req.Type != "AVRO":
		return candidate{}, invalidSchema(fmt.Errorf("schemas of type %s are not kept here, only AVRO", req.Type))
	case len(req.References) > 0:
		return candidate{}, invalidSchema(errors.New("references to other schemas are not kept here: put the whole schema in one"))
	case req.Schema == "":
		return candidate{}, invalidSchema(errors.New("it is empty"))
	}
	parsed, err := parse(req.Schema)
	if err != nil {
		return candidate{}, invalidSchema(err)
	}
	// A bare name, such as string, is a schema for the parser but not JSON.
	if !json.Valid([]byte(req.Schema)) {
		req.Schema = `"` + req.Schema + `"`
	}
	c := candidate{avro: parsed, id: max(req.ID, 0), number: max(req.Version, 0)}
	if c.normal, err = normal(req.Schema); err != nil {
		return candidate{}, invalidSchema(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(req.Schema)); err != nil {
		return candidate{}, invalidSchema(err)
	}
	c.text = compact.String()
	return c, nil
}

// same gives the version of a subject that has the schema.
func (st *state) same(subject string, c candidate, deleted bool) *version {
	id, ok := st.byNormal[c.normal]
	if !ok {
		return nil
	}
	versions := st.versions(subject, deleted)
	for _, v := range slices.Backward(versions) {
		if v.ID == id {
			return v
		}
	}
	return nil
}

func (s *Server) lookUp(r *http.Request) (any, error) {
	c, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	subject, deleted := r.PathValue("subject"), flag(r, "deleted")
	if len(s.state.versions(subject, deleted)) == 0 {
		return nil, subjectNotFound(subject)
	}
	v := s.state.same(subject, c, deleted)
	if v == nil {
		return nil, schemaNotFound
	}
	return tell(v), nil
}

type idAnswer struct {
	ID int `json:"id"`
}

func (s *Server) register(r *http.Request) (any, error) {
	c, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	subject := r.PathValue("subject")
	// A schema that is there needs no write: it is told also by a server
	// that writes no more.
	s.mu.Lock()
	v := s.state.same(subject, c, false)
	s.mu.Unlock()
	if v != nil && (c.id == 0 || c.id == v.ID) {
		return idAnswer{v.ID}, nil
	}
	var id int
	err = s.write(r.Context(), func(st *state) ([]Entry, error) {
		if v := st.same(subject, c, false); v != nil && c.id == 0 {
			id = v.ID
			return nil, nil
		}
		if c.id != 0 || st.mode(subject) == Import {
			id = c.id
			return st.imported(subject, c)
		}
		if err := st.writable(subject); err != nil {
			return nil, err
		}
		reasons, err := st.compare(subject, c, st.level(subject))
		if err != nil {
			return nil, err
		}
		if len(reasons) > 0 {
			return nil, incompatibleSchema(subject, reasons)
		}
		var known bool
		if id, known = st.byNormal[c.normal]; !known {
			id = st.maxID + 1
		}
		n := 1
		if all := st.versions(subject, true); len(all) > 0 {
			n = all[len(all)-1].Version + 1
		}
		e, err := schemaEntry(version{Subject: subject, Version: n, ID: id, Schema: c.text})
		return []Entry{e}, err
	})
	if err != nil {
		return nil, err
	}
	return idAnswer{id}, nil
}

// imported is the entry of a schema that comes with its id and version. What is
// there under either stays what it is.
func (st *state) imported(subject string, c candidate) ([]Entry, error) {
	switch {
	case st.mode(subject) != Import:
		return nil, notPermitted(fmt.Sprintf("Subject '%s' is not in import mode: schemas are registered under an id of one's own choice in that one only", subject))
	case c.id == 0:
		return nil, notPermitted(fmt.Sprintf("Subject '%s' is in import mode, in which a schema comes with its id", subject))
	}
	if other, ok := st.ids[c.id]; ok {
		if form, err := normal(other.Schema); err != nil || form != c.normal {
			return nil, notPermitted(fmt.Sprintf("Id %d is that of another schema, of %s version %d", c.id, other.Subject, other.Version))
		}
	}
	all := st.versions(subject, true)
	switch {
	case c.number == 0 && len(all) > 0:
		c.number = all[len(all)-1].Version + 1
	case c.number == 0:
		c.number = 1
	}
	if there := st.subjects[subject][c.number]; there != nil && there.ID != c.id {
		return nil, notPermitted(fmt.Sprintf("Version %d of subject '%s' is there with id %d", c.number, subject, there.ID))
	}
	e, err := schemaEntry(version{Subject: subject, Version: c.number, ID: c.id, Schema: c.text})
	return []Entry{e}, err
}

func (st *state) writable(subject string) error {
	if st.mode(subject) == ReadOnly {
		return notPermitted(fmt.Sprintf("Subject '%s' is in read-only mode", subject))
	}
	return nil
}

// compare gives why the schema does not get along with a subject's versions at
// the level.
func (st *state) compare(subject string, c candidate, level Level) ([]string, error) {
	versions := st.versions(subject, false)
	if !level.transitive() && len(versions) > 1 {
		versions = versions[len(versions)-1:]
	}
	var all []string
	for _, v := range versions {
		reasons, err := incompatible(level, c.avro, v)
		if err != nil {
			return nil, err
		}
		all = append(all, reasons...)
	}
	return all, nil
}

func (s *Server) check(r *http.Request) (any, error) {
	c, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	subject := r.PathValue("subject")
	n := 0
	if r.PathValue("version") != "" {
		if n, err = versionNumber(r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	level := s.state.level(subject)
	var reasons []string
	if n == 0 {
		reasons, err = s.state.compare(subject, c, level)
	} else {
		var v *version
		if v, err = s.state.find(subject, n, false); err == nil {
			reasons, err = incompatible(level, c.avro, v)
		}
	}
	if err != nil {
		return nil, err
	}
	out := struct {
		Compatible bool     `json:"is_compatible"`
		Messages   []string `json:"messages,omitempty"`
	}{Compatible: len(reasons) == 0}
	if flag(r, "verbose") {
		out.Messages = reasons
	}
	return out, nil
}

func (s *Server) deleteSubject(r *http.Request) (any, error) {
	subject := r.PathValue("subject")
	var gone []int
	err := s.write(r.Context(), func(st *state) ([]Entry, error) {
		all, live := st.versions(subject, true), st.versions(subject, false)
		if err := st.writable(subject); err != nil {
			return nil, err
		}
		switch {
		case len(all) == 0:
			return nil, subjectNotFound(subject)
		case flag(r, "permanent"):
			if len(live) > 0 {
				return nil, subjectNotSoftDeleted(subject)
			}
			gone = numbers(all)
			return st.erase(all)
		case len(live) == 0:
			return nil, subjectSoftDeleted(subject)
		}
		gone = numbers(live)
		e, err := subjectEntry(keyDeleteSubject, subject, deleteSubjectValue{Subject: subject, Version: all[len(all)-1].Version})
		return []Entry{e}, err
	})
	return gone, err
}

func (s *Server) deleteVersion(r *http.Request) (any, error) {
	subject := r.PathValue("subject")
	n, err := versionNumber(r)
	if err != nil {
		return nil, err
	}
	err = s.write(r.Context(), func(st *state) ([]Entry, error) {
		if err := st.writable(subject); err != nil {
			return nil, err
		}
		permanent := flag(r, "permanent")
		v, err := st.find(subject, n, n != latest)
		if err != nil {
			return nil, err
		}
		n = v.Version
		switch {
		case permanent && !v.Deleted:
			return nil, versionNotSoftDeleted(subject, n)
		case permanent:
			return st.erase([]*version{v})
		case v.Deleted:
			return nil, versionSoftDeleted(subject, n)
		}
		deleted := *v
		deleted.Deleted = true
		e, err := schemaEntry(deleted)
		return []Entry{e}, err
	})
	return n, err
}

// erase takes versions out for good, and notes the largest id first, so that
// it is never given again.
func (st *state) erase(versions []*version) ([]Entry, error) {
	e, err := entry(noopKey{KeyType: keyNoop}, noopValue{MaxID: st.maxID})
	if err != nil {
		return nil, err
	}
	entries := []Entry{e}
	for _, v := range versions {
		e, err := schemaTombstone(v.Subject, v.Version)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}
