package clickhouse

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// Exception is an error of the engine, or one that a server's HTTP handler
// would raise.
type Exception struct {
	Code    int    // ClickHouse's error code
	Message string // "Code: 62. DB::Exception: ...", as a server sends it
}

func (e *Exception) Error() string { return e.Message }

// parseException reads the code from the engine's message.
func parseException(text string) *Exception {
	text = strings.TrimRight(text, "\n")
	e := &Exception{Code: 1002, Message: text} // UNKNOWN_EXCEPTION
	if _, rest, ok := strings.Cut(text, "Code: "); ok {
		digits, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(digits); err == nil {
			e.Code = n
		}
	}
	return e
}

// exceptionOf gives any error as an exception.
func exceptionOf(err error) *Exception {
	var e *Exception
	if errors.As(err, &e) {
		return e
	}
	return &Exception{Code: 1001, Message: "Code: 1001. DB::Exception: " + err.Error() + " (STD_EXCEPTION)"}
}

// status is the HTTP status that a ClickHouse server answers for the code.
func (e *Exception) status() int {
	switch e.Code {
	case 6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676:
		return http.StatusBadRequest // what does not parse, or has a wrong type
	case 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511:
		return http.StatusNotFound // an unknown function, column, type, table, database, setting, format
	case 159:
		return http.StatusRequestTimeout
	case 209, 439:
		return http.StatusServiceUnavailable
	case 229:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case codeAccessDenied, 497:
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}
