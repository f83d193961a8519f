package audit

import (
	"net/url"
	"regexp"
	"strings"
)

// Hidden stands for a value that is kept out of the record.
const Hidden = "***"

// secret are the words in a flag's name that say its value is a secret. A
// connection string is one as a whole: it may have its password in many forms.
var secret = []string{"admin", "dsn", "password", "token", "key-file", "secret", "credential"}

// Flag gives a flag as the record has it, "--name=value".
func Flag(name, value string) string {
	for _, word := range secret {
		if strings.Contains(name, word) {
			return "--" + name + "=" + Hidden
		}
	}
	return "--" + name + "=" + Text(value)
}

var (
	// password is how connection strings and URLs' queries have one.
	password = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token)\s*[=:]\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)`)
	// userinfo is that of a URL.
	userinfo = regexp.MustCompile(`([a-z][a-z0-9+.-]*://)([^\s/@]*):([^\s@]*)@`)
	// personal are numbers that may be a person's (P11): a CCCD begins with 0 and
	// has twelve digits, a phone number with 0 or 84 and has ten or eleven, an
	// insurance card has two letters and thirteen digits. An offset, an LSN and a
	// time look otherwise.
	personal = regexp.MustCompile(`(?i)\b(?:0\d{8,11}|\+?84\d{9}|[a-z]{2}\d{13})\b`)
)

// Text gives any text without the passwords and the numbers of people in it.
func Text(s string) string {
	if u, err := url.Parse(s); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			u.User = url.User(u.User.Username())
			s = u.String()
		}
	}
	s = userinfo.ReplaceAllString(s, "${1}${2}@")
	s = password.ReplaceAllString(s, "${1}"+Hidden)
	return personal.ReplaceAllString(s, Hidden)
}

// number is any that is long enough to be a person's.
var number = regexp.MustCompile(`\d{8,}`)

// Numberless gives a text without any long number, for commands about people,
// where one is more likely a person's than an offset.
func Numberless(s string) string { return number.ReplaceAllString(Text(s), Hidden) }
