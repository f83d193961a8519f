package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// maxBody bounds a request: the largest schemas are some hundred kilobytes.
const maxBody = 8 << 20

// route answers a request with a value to write as JSON.
type route func(r *http.Request) (any, error)

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range map[string]route{
		"GET /{$}": func(*http.Request) (any, error) { return struct{}{}, nil },

		"GET /subjects":                                           s.listSubjects,
		"GET /subjects/{subject}/versions":                        s.listVersions,
		"GET /subjects/{subject}/versions/{version}":              s.getVersion,
		"GET /subjects/{subject}/versions/{version}/referencedby": s.referencedBy,
		"POST /subjects/{subject}":                                s.lookUp,
		"POST /subjects/{subject}/versions":                       s.register,
		"DELETE /subjects/{subject}":                              s.deleteSubject,
		"DELETE /subjects/{subject}/versions/{version}":           s.deleteVersion,
		"GET /schemas":                                            s.listSchemas,
		"GET /schemas/types":                                      func(*http.Request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas/ids/{id}":                                   s.schemaByID,
		"GET /schemas/ids/{id}/subjects":                          s.subjectsByID,
		"GET /schemas/ids/{id}/versions":                          s.versionsByID,
		"GET /config":                                             s.getConfig,
		"GET /config/{subject}":                                   s.getConfig,
		"PUT /config":                                             s.putConfig,
		"PUT /config/{subject}":                                   s.putConfig,
		"DELETE /config":                                          s.deleteConfig,
		"DELETE /config/{subject}":                                s.deleteConfig,
		"GET /mode":                                               s.getMode,
		"GET /mode/{subject}":                                     s.getMode,
		"PUT /mode":                                               s.putMode,
		"PUT /mode/{subject}":                                     s.putMode,
		"DELETE /mode":                                            s.deleteMode,
		"DELETE /mode/{subject}":                                  s.deleteMode,
		"GET /contexts":                                           func(*http.Request) (any, error) { return []string{"."}, nil },
		"POST /compatibility/subjects/{subject}/versions":         s.check,
		"POST /compatibility/subjects/{subject}/versions/{version}": s.check,
		"/": func(*http.Request) (any, error) { return nil, &apiError{404, "HTTP 404 Not Found"} },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := h(r)
			answer(w, s.slog, v, err)
		})
	}
	// These two answer with the schema as it is.
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}/schema", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.version(r)
		s.answerSchema(w, v, err)
	})
	mux.HandleFunc("GET /schemas/ids/{id}/schema", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.versionByID(r)
		s.answerSchema(w, v, err)
	})
	return mux
}

func (s *Server) answerSchema(w http.ResponseWriter, v version, err error) {
	answer(w, s.slog, json.RawMessage(v.Schema), err)
}

// read gives the request's JSON body.
func readBody(r *http.Request, into any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return badRequest(err)
	case len(b) > maxBody:
		return &apiError{42209, "The schema is too large"}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return badRequest(err)
	}
	return nil
}

func flag(r *http.Request, name string) bool {
	b, err := strconv.ParseBool(r.URL.Query().Get(name))
	return err == nil && b
}

// latest stands for a subject's last version.
const latest = -1

func versionNumber(r *http.Request) (int, error) {
	text := r.PathValue("version")
	if text == "latest" {
		return latest, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 && n != latest {
		return 0, invalidVersion(text)
	}
	return int(n), nil
}

func idNumber(r *http.Request) (int, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return 0, badRequest(errors.New("the id is not a number"))
	}
	return int(n), nil
}
