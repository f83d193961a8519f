package clickhouse

import (
	"fmt"
	"strings"
)

// statement is what the front must know of a statement before the engine
// parses it.
type statement struct {
	text   string
	kind   statementKind
	format string // of the FORMAT clause, empty without one
	insert insert // of insertData
	// backup is true of BACKUP and RESTORE, whose File() the engine itself
	// confines to the folder of backups.
	backup bool
}

type statementKind uint8

const (
	other      statementKind = iota // DDL, SET, INSERT ... SELECT: no data in, none out
	query                           // SELECT and WITH: a result that can come block by block
	show                            // SHOW, DESCRIBE, EXPLAIN, EXISTS, ...: a small result
	insertData                      // INSERT with data behind it
)

// insert is an INSERT statement whose data follow: the engine gets
//
//	head FROM INFILE '...' settings FORMAT format
//
// and the data as a file, since the library's parser would cut inline data
// at the first two newlines.
type insert struct {
	head     string // up to and with the column list
	settings string // SETTINGS clauses, before or after FORMAT
	format   string // empty: Values
	named    bool   // whether FORMAT or VALUES was there
	data     int    // offset of the data in the statement's text
}

// Error codes of ClickHouse that the front raises itself.
const (
	codeSyntax         = 62
	codeUnknownSetting = 115
	codeNotImplemented = 48
	codeAccessDenied   = 291
)

// local lists what a server confines to a folder of its own or does not have
// at all, and this engine, being a client too, would let reach every file and
// program of the machine. In front of a parenthesis they are table functions
// and table engines.
var local = map[string]bool{
	"file": true, "filecluster": true, "executable": true, "executablepool": true, "sqlite": true,
	"python": true, "filesystem": true,
}

// parseStatement reads what a request holds before its data: for an INSERT,
// the beginning of the request is enough. Errors are *Exception.
func parseStatement(s string) (statement, error) {
	st := statement{text: s}
	l := &lexer{s: s}
	t, ok := l.next()
	for ok && l.is(t, "(") {
		t, ok = l.next()
	}
	if !ok {
		return st, &Exception{Code: codeSyntax, Message: "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)"}
	}
	switch {
	case l.is(t, "INSERT"):
		return parseInsert(st, l)
	case l.isAny(t, "SELECT", "WITH", "FROM"):
		st.kind = query
	case l.isAny(t, "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "VALUES", "KILL"):
		st.kind = show
	}
	st.backup = l.isAny(t, "BACKUP", "RESTORE")
	l.pos = 0
	return scan(st, l)
}

// scan walks a whole statement without data: it finds its FORMAT clause and
// refuses what must not be.
func scan(st statement, l *lexer) (statement, error) {
	var tokens []token // of the outermost level, and every token's neighbours
	depth := 0
	var last, beforeLast token
	for t, ok := l.next(); ok; t, ok = l.next() {
		if l.is(t, ";") {
			if _, more := l.next(); more {
				return st, &Exception{Code: codeSyntax, Message: "Code: 62. DB::Exception: Multi-statements are not allowed: send one statement a request. (SYNTAX_ERROR)"}
			}
			st.text = l.s[:t.start]
			break
		}
		if err := refuseLocal(l, beforeLast, last, t); err != nil && !(st.backup && l.is(last, "File")) {
			return st, err
		}
		if l.is(t, ")") {
			depth--
		}
		if depth == 0 {
			tokens = append(tokens, t)
		}
		if l.is(t, "(") {
			depth++
		}
		beforeLast, last = last, t
	}
	if st.kind == other {
		return st, nil
	}
	// "format" is a column's name too: a clause is it only as the last but
	// for SETTINGS.
	for i := len(tokens) - 2; i >= 1; i-- {
		end := i+2 == len(tokens) || l.is(tokens[i+2], "SETTINGS")
		if end && l.is(tokens[i], "FORMAT") && tokens[i+1].kind == word && !l.isAny(tokens[i-1], "SELECT", ",", ".") {
			st.format = l.s[tokens[i+1].start:tokens[i+1].end]
			break
		}
	}
	return st, nil
}

// refuseLocal refuses the use of files and programs of the machine, seen from
// three tokens in a row.
func refuseLocal(l *lexer, before, name, t token) error {
	called := strings.ToLower(strings.Trim(l.s[name.start:name.end], "`\""))
	if l.is(t, "(") && name.kind <= quoted && local[called] && !l.isAny(before, ".", "TABLE", "INTO", "EXISTS") {
		return denied(called)
	}
	if l.is(name, "INTO") && l.is(t, "OUTFILE") || l.is(name, "FROM") && l.is(t, "INFILE") {
		return denied(strings.ToLower(l.s[t.start:t.end]))
	}
	return nil
}

func denied(what string) error {
	return &Exception{Code: codeAccessDenied, Message: fmt.Sprintf("Code: %d. DB::Exception: The embedded ClickHouse does not give access to files and programs of the machine: %s. (DATABASE_ACCESS_DENIED)", codeAccessDenied, what)}
}

// parseInsert goes on behind INSERT.
func parseInsert(st statement, l *lexer) (statement, error) {
	t, ok := l.next()
	for ok && l.isAny(t, "INTO", "TABLE") {
		t, ok = l.next()
	}
	function := ok && l.is(t, "FUNCTION")
	if function {
		t, ok = l.next()
	}
	if !ok {
		return st, nil // the engine says what is missing
	}
	// The table's name, which may be any word.
	last := t
	for t, ok = l.next(); ok && l.is(t, "."); t, ok = l.next() {
		if last, ok = l.next(); !ok {
			return st, nil
		}
	}
	depth, settings, clause := 0, -1, len(l.s)
	for ; ok; t, ok = l.next() {
		if function || !l.is(t, "(") {
			if err := refuseLocal(l, token{}, last, t); err != nil {
				return st, err
			}
		}
		if l.isAny(t, "SELECT", "WITH") && (depth == 0 || l.is(last, "(")) {
			// A parenthesis may hold the SELECT; a column may be called so
			// only in quotes.
			l.pos = 0
			return scan(st, l)
		}
		if depth == 0 && l.isAny(t, "FORMAT", "VALUES") {
			clause = t.start
			break
		}
		switch {
		case l.is(t, "("):
			depth++
		case l.is(t, ")"):
			depth--
		case depth == 0 && l.is(t, "SETTINGS"):
			settings = t.start
		}
		last = t
	}
	st.kind = insertData
	head := clause
	if settings >= 0 {
		st.insert.settings = l.s[settings:clause]
		head = settings
	}
	st.insert.head = strings.TrimRight(l.s[:head], "; \t\r\n")
	st.insert.data = len(l.s)
	if !ok {
		return st, nil
	}
	st.insert.named = true
	if l.is(t, "VALUES") {
		st.insert.data = t.end
		return st, nil
	}
	name, ok := l.next()
	if !ok || name.kind != word {
		return st, &Exception{Code: codeSyntax, Message: "Code: 62. DB::Exception: Syntax error: FORMAT without a name. (SYNTAX_ERROR)"}
	}
	st.insert.format = l.s[name.start:name.end]
	st.format = st.insert.format
	st.insert.data = dataStart(l.s, st.settingsAfter(l, name.end))
	return st, nil
}

// settingsAfter reads "SETTINGS a = 1, b = 'x'" behind a FORMAT, and gives
// where it ends.
func (st *statement) settingsAfter(l *lexer, from int) int {
	l.pos = from
	t, ok := l.next()
	if !ok || !l.is(t, "SETTINGS") {
		return from
	}
	start := t.start
	for {
		name, ok1 := l.next()
		equals, ok2 := l.next()
		value, ok3 := l.next()
		if !ok1 || !ok2 || !ok3 || name.kind != word || !l.is(equals, "=") {
			return from
		}
		if l.isAny(value, "-", "+") { // a sign
			if value, ok3 = l.next(); !ok3 {
				return from
			}
		}
		end := value.end
		// A decimal point ends a word: 0.5.
		if comma, ok := l.next(); ok && l.is(comma, ".") {
			if fraction, ok := l.next(); ok {
				end = fraction.end
			}
		} else {
			l.pos = end
		}
		if comma, ok := l.next(); !ok || !l.is(comma, ",") {
			if st.insert.settings != "" {
				st.insert.settings += ","
				start += len("SETTINGS")
			}
			st.insert.settings += l.s[start:end]
			return end
		}
	}
}

// dataStart skips what separates a statement from its data: blanks and one
// line break.
func dataStart(s string, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\f') {
		at++
	}
	if at < len(s) && s[at] == ';' {
		at++
	}
	if at < len(s) && s[at] == '\r' {
		at++
	}
	if at < len(s) && s[at] == '\n' {
		at++
	}
	return at
}

// sql is the statement that reads the data from a file.
func (i *insert) sql(file string) string {
	format := i.format
	if format == "" {
		format = "Values"
	}
	// Line breaks, since each part may end in a comment.
	return fmt.Sprintf("%s\nFROM INFILE '%s' COMPRESSION 'none'\n%s\nFORMAT %s", i.head, file, strings.TrimSpace(i.settings), format)
}
