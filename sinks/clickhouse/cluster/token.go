package cluster

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word, a quoted name, a literal, a sign, or the space and the comments
// between them. Joined again the tokens give the statement.
type token struct {
	text  string
	space bool
	word  string // of a word or a quoted name: the name itself
	quote bool   // the name was quoted, so it is no keyword
	depth int    // 1 opens a parenthesis, -1 closes one
}

// split cuts a statement as ClickHouse's lexer does (src/Parsers/Lexer.cpp), as
// far as telling names from literals and comments goes.
func split(sql string) []token {
	var out []token
	for len(sql) > 0 {
		t := next(sql)
		out = append(out, t)
		sql = sql[len(t.text):]
	}
	return out
}

func next(sql string) token {
	switch c := sql[0]; {
	case c == '\'':
		return token{text: sql[:closing(sql)]}
	case c == '`' || c == '"':
		n := closing(sql)
		name := sql[1:max(1, n-1)]
		return token{text: sql[:n], word: strings.NewReplacer(`\\`, `\`, "\\"+string(c), string(c)).Replace(name), quote: true}
	case strings.HasPrefix(sql, "--"):
		if n := strings.IndexByte(sql, '\n'); n >= 0 {
			return token{text: sql[:n+1], space: true}
		}
		return token{text: sql, space: true}
	case strings.HasPrefix(sql, "/*"):
		if n := strings.Index(sql, "*/"); n >= 0 {
			return token{text: sql[:n+2], space: true}
		}
		return token{text: sql, space: true}
	}
	if n := prefix(sql, unicode.IsSpace); n > 0 {
		return token{text: sql[:n], space: true}
	}
	if n := prefix(sql, inWord); n > 0 {
		return token{text: sql[:n], word: sql[:n]}
	}
	_, n := utf8.DecodeRuneInString(sql)
	return token{text: sql[:n], depth: map[string]int{"(": 1, ")": -1}[sql[:n]]}
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func prefix(s string, is func(rune) bool) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return !is(r) }); n >= 0 {
		return n
	}
	return len(s)
}

// closing is the length of the quoted text at the beginning of s. A quote within
// is doubled, or has a backslash before it.
func closing(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			if i+1 < len(s) && s[i+1] == s[0] {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s)
}
