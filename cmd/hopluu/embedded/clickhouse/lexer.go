package clickhouse

import "strings"

// tokenKind tells the tokens of ClickHouse's SQL apart, as far as we need to.
type tokenKind uint8

const (
	word   tokenKind = iota // an unquoted identifier, keyword or number
	quoted                  // a quoted identifier
	text                    // a string literal
	punct                   // one byte of anything else
)

type token struct {
	kind       tokenKind
	start, end int // byte offsets in the statement
}

// lexer splits a statement into tokens, leaving out spaces and comments. It
// never fails: an unterminated literal or comment ends with the statement,
// which the engine's own parser then refuses.
type lexer struct {
	s   string
	pos int
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c == 0 }

// next gives the next token, false at the end.
func (l *lexer) next() (token, bool) {
	l.skipBlank()
	if l.pos >= len(l.s) {
		return token{}, false
	}
	start := l.pos
	switch c := l.s[start]; {
	case c == '\'':
		l.skipQuoted('\'')
		return token{text, start, l.pos}, true
	case c == '"' || c == '`':
		l.skipQuoted(c)
		return token{quoted, start, l.pos}, true
	case c == '$':
		if l.skipHeredoc() {
			return token{text, start, l.pos}, true
		}
	case isWord(c):
		for l.pos < len(l.s) && isWord(l.s[l.pos]) {
			l.pos++
		}
		return token{word, start, l.pos}, true
	}
	l.pos = start + 1
	return token{punct, start, l.pos}, true
}

func (l *lexer) skipBlank() {
	for l.pos < len(l.s) {
		rest := l.s[l.pos:]
		switch {
		case isSpace(rest[0]):
			l.pos++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#!"), strings.HasPrefix(rest, "# "):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest) - 1
			}
			l.pos += end + 1
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				end = len(rest) - 2
			}
			l.pos += end + 2
		default:
			return
		}
	}
}

// skipQuoted moves past a literal in which the quote is escaped by a
// backslash or by doubling.
func (l *lexer) skipQuoted(quote byte) {
	for l.pos++; l.pos < len(l.s); l.pos++ {
		switch l.s[l.pos] {
		case '\\':
			l.pos++
		case quote:
			if l.pos+1 < len(l.s) && l.s[l.pos+1] == quote {
				l.pos++
				continue
			}
			l.pos++
			return
		}
	}
	l.pos = min(l.pos, len(l.s))
}

// skipHeredoc moves past $tag$...$tag$.
func (l *lexer) skipHeredoc() bool {
	rest := l.s[l.pos:]
	end := 1
	for end < len(rest) && isWord(rest[end]) {
		end++
	}
	if end >= len(rest) || rest[end] != '$' {
		return false
	}
	tag := rest[:end+1]
	close := strings.Index(rest[len(tag):], tag)
	if close < 0 {
		return false
	}
	l.pos += len(tag) + close + len(tag)
	return true
}

// is says whether a token is the given keyword (upper case) or byte.
func (l *lexer) is(t token, what string) bool {
	return (t.kind == word || t.kind == punct) && strings.EqualFold(l.s[t.start:t.end], what)
}

func (l *lexer) isAny(t token, what ...string) bool {
	for _, w := range what {
		if l.is(t, w) {
			return true
		}
	}
	return false
}
