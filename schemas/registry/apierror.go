package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// apiError is an answer that is not a success: its code is Confluent's, the
// first three digits of which are HTTP's.
type apiError struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func (e *apiError) status() int {
	if e.Code >= 10000 {
		return e.Code / 100
	}
	return e.Code
}

func subjectNotFound(subject string) *apiError {
	return &apiError{40401, fmt.Sprintf("Subject '%s' not found.", subject)}
}

func versionNotFound(n int) *apiError {
	return &apiError{40402, fmt.Sprintf("Version %d not found.", n)}
}

var schemaNotFound = &apiError{40403, "Schema not found"}

func subjectSoftDeleted(subject string) *apiError {
	return &apiError{40404, fmt.Sprintf("Subject '%s' was soft deleted. Set permanent=true to delete permanently", subject)}
}

func subjectNotSoftDeleted(subject string) *apiError {
	return &apiError{40405, fmt.Sprintf("Subject '%s' was not deleted first before being permanently deleted", subject)}
}

func versionSoftDeleted(subject string, n int) *apiError {
	return &apiError{40406, fmt.Sprintf("Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", subject, n)}
}

func versionNotSoftDeleted(subject string, n int) *apiError {
	return &apiError{40407, fmt.Sprintf("Subject '%s' Version %d was not deleted first before being permanently deleted", subject, n)}
}

func noSubjectLevel(subject string) *apiError {
	return &apiError{40408, fmt.Sprintf("Subject '%s' does not have subject-level compatibility configured", subject)}
}

func noSubjectMode(subject string) *apiError {
	return &apiError{40409, fmt.Sprintf("Subject '%s' does not have subject-level mode configured", subject)}
}

func incompatibleSchema(subject string, reasons []string) *apiError {
	return &apiError{409, fmt.Sprintf("Schema being registered is incompatible with an earlier schema for subject %q, details: [%s]", subject, strings.Join(reasons, "; "))}
}

func invalidSchema(err error) *apiError {
	return &apiError{42201, "Invalid schema: " + err.Error()}
}

func invalidVersion(s string) *apiError {
	return &apiError{42202, fmt.Sprintf("The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", s)}
}

func invalidLevel(l Level) *apiError {
	return &apiError{42203, fmt.Sprintf("Invalid compatibility level %q. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive", string(l))}
}

func invalidMode(m Mode) *apiError {
	return &apiError{42204, fmt.Sprintf("Invalid mode %q. Valid values are READWRITE, READONLY and IMPORT", string(m))}
}

func notPermitted(why string) *apiError { return &apiError{42205, why} }

func badRequest(err error) *apiError {
	return &apiError{42200, "The request cannot be read: " + err.Error()}
}

func storeError(err error) *apiError {
	return &apiError{50001, "Error in the backend datastore: " + err.Error()}
}

// unavailable is the answer to a write that this server cannot make now: the
// client may ask another, or later.
func unavailable(err error) *apiError {
	return &apiError{503, "The schema registry cannot write: " + err.Error()}
}

const contentType = "application/vnd.schemaregistry.v1+json"

func answer(w http.ResponseWriter, log *slog.Logger, v any, err error) {
	status := http.StatusOK
	if err != nil {
		var api *apiError
		if !errors.As(err, &api) {
			api = storeError(err)
		}
		status, v = api.status(), api
	}
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error_code":50001,"message":"The answer cannot be written"}`)
		log.Error("schema registry cannot write an answer", "error", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		log.Debug("schema registry: the client went away", "error", err)
	}
}
