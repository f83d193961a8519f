package clickhouse

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// reserved are the URL parameters that speak to the HTTP handler; every other
// one is a setting of the query.
var reserved = map[string]bool{
	"query": true, "database": true, "default_format": true, "client_protocol_version": true,
	"compress": true, "decompress": true, "user": true, "password": true, "quota_key": true,
	"query_id": true, "stacktrace": true, "role": true, "buffer_size": true, "wait_end_of_query": true,
	"session_timeout": true, "session_check": true, "close_session": true,
}

// queryParams gives the values for {name:Type} from the param_ parameters.
func queryParams(values url.Values) []param {
	var out []param
	for name := range values {
		if rest, ok := strings.CutPrefix(name, "param_"); ok {
			out = append(out, param{rest, values.Get(name)})
		}
	}
	return out
}

// settingStatements gives the statements that prepare a session for a
// request: its database and its settings. The session is made for the
// request and closed behind it, so that nothing of it reaches another query.
// Errors are *Exception.
func settingStatements(values url.Values, database string) ([]string, error) {
	var names []string
	for name := range values {
		if reserved[name] || strings.HasPrefix(name, "param_") {
			continue
		}
		if name == "session_id" {
			return nil, &Exception{Code: codeNotImplemented, Message: "Code: 48. DB::Exception: The embedded ClickHouse has no sessions over HTTP: leave session_id out. (NOT_IMPLEMENTED)"}
		}
		if !isName(name) {
			return nil, &Exception{Code: codeUnknownSetting, Message: fmt.Sprintf("Code: 115. DB::Exception: Unknown setting '%s'. (UNKNOWN_SETTING)", name)}
		}
		names = append(names, name)
	}
	var out []string
	if database != "" {
		out = append(out, "USE "+quoteName(database))
	}
	slices.Sort(names)
	var b strings.Builder
	for i, name := range names {
		if i == 0 {
			b.WriteString("SET ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(name + " = " + quoteText(values.Get(name)))
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out, nil
}

func isName(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) || s[i] >= 0x80 {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9')
}

var (
	textEscaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	nameEscaper = strings.NewReplacer(`\`, `\\`, "`", "\\`")
)

func quoteText(s string) string { return "'" + textEscaper.Replace(s) + "'" }
func quoteName(s string) string { return "`" + nameEscaper.Replace(s) + "`" }
