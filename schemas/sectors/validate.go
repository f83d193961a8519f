package sectors

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"golang.org/x/text/unicode/norm"
)

// name is a plain PostgreSQL identifier, which is also a safe name in Avro,
// Kafka and ClickHouse.
var name = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// checker gathers every fault of a file, so that a user mends it in one go.
type checker struct {
	file string
	tree *ast.File
	errs []error
}

func validate(file string, s *Sector, tree *ast.File) error {
	c := &checker{file: file, tree: tree}
	c.sector(s)
	return errors.Join(c.errs...)
}

// fail notes a fault at a YAML path; the line is the path's.
func (c *checker) fail(yamlPath, at, format string, args ...any) {
	c.errs = append(c.errs, &FileError{File: c.file, Line: c.line(yamlPath), At: at, Msg: fmt.Sprintf(format, args...)})
}

// line is where a YAML path stands in the file; of a path that is not there,
// its nearest parent's.
func (c *checker) line(yamlPath string) int {
	for yamlPath != "" {
		if p, err := yaml.PathString(yamlPath); err == nil {
			if n, err := p.FilterFile(c.tree); err == nil && n != nil {
				return firstLine(n)
			}
		}
		i := strings.LastIndexAny(yamlPath, ".[")
		if i < 0 {
			break
		}
		yamlPath = yamlPath[:i]
	}
	return 0
}

// firstLine is the line on which a node begins: of a mapping, where its first
// key stands.
func firstLine(n ast.Node) int {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return m.Values[0].Key.GetToken().Position.Line
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken().Position.Line
	case *ast.SequenceNode:
		return m.Start.Position.Line
	}
	return n.GetToken().Position.Line
}

func (c *checker) sector(s *Sector) {
	if want := strings.TrimSuffix(path.Base(c.file), path.Ext(c.file)); s.Sector != want {
		c.fail("$.sector", "", "sector is %q but the file is named %q; make them the same", s.Sector, want)
	}
	if !name.MatchString(s.Sector) {
		c.fail("$.sector", "", "sector %q must be lower-case letters, digits and _", s.Sector)
	}
	if s.System < 1 || s.System > 29 {
		c.fail("$.system", "", "system is %d; give the row of the strategy's table, 1 to 29", s.System)
	}
	c.text("$.name", "", "name", s.Name)
	c.text("$.owner", "", "owner", s.Owner)
	c.undescribed("$.undescribed", "", s.Undescribed)
	if len(s.Tables) == 0 {
		c.fail("$.tables", "", "no tables; describe at least one")
	}
	seen := map[string]bool{}
	for i := range s.Tables {
		t := &s.Tables[i]
		at := fmt.Sprintf("$.tables[%d]", i)
		if seen[t.Name] {
			c.fail(at, "table "+t.Name, "described twice; keep one")
		}
		seen[t.Name] = true
		c.table(at, s, t)
	}
}

func (c *checker) table(yamlPath string, s *Sector, t *Table) {
	at := "table " + t.Name
	if !name.MatchString(t.Name) {
		c.fail(yamlPath+".name", at, "name %q must be lower-case letters, digits and _", t.Name)
	}
	if t.Schema != "" && !name.MatchString(t.Schema) {
		c.fail(yamlPath+".schema", at, "schema %q must be lower-case letters, digits and _", t.Schema)
	}
	if t.System != 0 && (t.System < 1 || t.System > 29) {
		c.fail(yamlPath+".system", at, "system is %d; give the row of the strategy's table, 1 to 29", t.System)
	}
	if t.Owner != (Text{}) {
		c.text(yamlPath+".owner", at, "owner", t.Owner)
	}
	c.text(yamlPath+".meaning", at, "meaning", t.Meaning)
	if len(t.Columns) == 0 {
		c.fail(yamlPath+".columns", at, "no columns; describe them")
	}
	columns, matches := map[string]bool{}, map[string]string{}
	for i := range t.Columns {
		col := &t.Columns[i]
		colPath, colAt := fmt.Sprintf("%s.columns[%d]", yamlPath, i), at+", column "+col.Name
		if columns[col.Name] {
			c.fail(colPath, colAt, "described twice; keep one")
		}
		columns[col.Name] = true
		if col.Match != "" {
			if other, ok := matches[col.Match]; ok {
				c.fail(colPath, colAt, "matches %s, and so does column %s; a record has one of each", col.Match, other)
			}
			matches[col.Match] = col.Name
		}
		c.column(colPath, colAt, col)
	}
	for i := range t.Columns {
		if other := t.Columns[i].UnfitName(); columns[other] {
			c.fail(fmt.Sprintf("%s.columns[%d].unfit", yamlPath, i), at, "column %s has unfit, whose values go to %s, and there is a column of that name", t.Columns[i].Name, other)
		}
	}
	for i, k := range t.Key {
		if col, ok := t.Column(k); ok && col.Unfit != "" {
			c.fail(fmt.Sprintf("%s.key[%d]", yamlPath, i), at, "key column %s has unfit, but a row is known by its key; remove unfit, or name another key", k)
		}
		if !columns[k] {
			c.fail(fmt.Sprintf("%s.key[%d]", yamlPath, i), at, "key column %s is not described; add it to columns or correct the key", k)
		}
		if slices.Index(t.Key, k) < i {
			c.fail(fmt.Sprintf("%s.key[%d]", yamlPath, i), at, "key column %s stands twice; keep one", k)
		}
	}
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Refers == "" {
			continue
		}
		refersPath, refersAt := fmt.Sprintf("%s.columns[%d].refers", yamlPath, i), at+", column "+col.Name
		if _, ok := s.Table(col.Refers); !ok {
			c.fail(refersPath, refersAt, "refers to table %s, which this file does not describe; name a table of it", col.Refers)
		}
		if col.TokenDomain() == "" {
			c.fail(refersPath, refersAt, "refers is for a column that becomes a token; others join as they are, so remove it")
		}
	}
	c.privacy(yamlPath, at, t)
	c.golden(yamlPath, at, s, t)
	c.person(yamlPath+".person", at, s, t, matches)
}

func (c *checker) undescribed(yamlPath, at, value string) {
	if !slices.Contains([]string{"", Capture, Skip, Drop}, value) {
		c.fail(yamlPath, at, "undescribed is %q; write drop, skip or capture", value)
	}
}

// privacy checks what the table's owner keeps back.
func (c *checker) privacy(yamlPath, at string, t *Table) {
	c.undescribed(yamlPath+".undescribed", at, t.Undescribed)
	if why := whereFault(t.Where); why != "" {
		c.fail(yamlPath+".where", at, "where %s; write one condition of SQL on columns of the key, such as facility_id <> 99", why)
	}
	for i, k := range t.Key {
		if col, ok := t.Column(k); ok && (col.Privacy == Drop || col.Privacy == Mask) {
			c.fail(fmt.Sprintf("%s.key[%d]", yamlPath, i), at, "key column %s has privacy %s, but a row is known by its key; write token, or another key", k, col.Privacy)
		}
	}
	if p := t.Person; p != nil && p.Via != "" {
		if col, ok := t.Column(p.Via); ok && col.Privacy != "" {
			c.fail(yamlPath+".person", at, "person goes via column %s, which has privacy %s; remove one of the two", p.Via, col.Privacy)
		}
	}
	if len(t.Columns) > 0 && t.Private() && len(t.Captured()) == 0 {
		c.fail(yamlPath+".columns", at, "every column is dropped; leave one, or take the table out")
	}
}

// whereFault tells what would let a condition out of the parentheses that it is
// put into; empty when nothing does.
func whereFault(where string) string {
	depth, quote := 0, rune(0)
	for i, r := range where {
		rest := where[i:]
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
			if r == '\\' {
				return "has a backslash within quotes"
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			if depth--; depth < 0 {
				return "closes a parenthesis that it did not open"
			}
		case r == ';' || r == '$' || strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*"):
			return "holds a semicolon, a dollar sign or a comment"
		}
	}
	if depth != 0 || quote != 0 {
		return "leaves a parenthesis or a quote open"
	}
	if where != "" && strings.TrimSpace(where) == "" {
		return "is blank"
	}
	return ""
}

func (c *checker) person(yamlPath, at string, s *Sector, t *Table, matches map[string]string) {
	p := t.Person
	if p == nil {
		if len(matches) > 0 {
			c.fail(yamlPath, at, "has columns with match but no person; add `person: direct` or `person: {via: column, to: table}`, or remove match")
		}
		return
	}
	if p.Direct {
		if len(matches) == 0 {
			c.fail(yamlPath, at, "is a record of a person but no column has match; say which columns name the person")
		}
		return
	}
	if p.Via == "" || p.To == "" {
		c.fail(yamlPath, at, "person needs both via and to; write `person: {via: column, to: table}`")
		return
	}
	if _, ok := t.Column(p.Via); !ok {
		c.fail(yamlPath, at, "person goes via column %s, which is not described; add it to columns or correct via", p.Via)
	}
	to, ok := s.Table(p.To)
	if !ok {
		c.fail(yamlPath, at, "person leads to table %s, which this file does not describe; add it or correct to", p.To)
		return
	}
	if to.Person == nil || !to.Person.Direct {
		c.fail(yamlPath, at, "person leads to table %s, which is no record of a person; give that table `person: direct` or lead to another", p.To)
	}
}

func (c *checker) column(yamlPath, at string, col *Column) {
	if !name.MatchString(col.Name) {
		c.fail(yamlPath+".name", at, "name %q must be lower-case letters, digits and _", col.Name)
	}
	if col.Type == "" {
		c.fail(yamlPath, at, "no type; give PostgreSQL's, such as text or numeric(14,2)")
	}
	c.text(yamlPath+".meaning", at, "meaning", col.Meaning)
	if !slices.Contains(sensitivities, col.Sensitivity) {
		c.fail(yamlPath+".sensitivity", at, "sensitivity is %q; write one of %s", col.Sensitivity, strings.Join(sensitivities, ", "))
	}
	if col.Identifier != "" && !slices.Contains(domains, col.Identifier) {
		c.fail(yamlPath+".identifier", at, "identifier is %q; write one of %s", col.Identifier, strings.Join(domains, ", "))
	}
	if col.Match != "" && !slices.Contains(matchFields, col.Match) {
		c.fail(yamlPath+".match", at, "match is %q; write one of %s", col.Match, strings.Join(matchFields, ", "))
	}
	// P11: what names a person by number must become a token. A number that is
	// matched, or called an identifier, without a token domain would leave the
	// vault in plain text.
	if col.Sensitivity == Identifier && col.Identifier == "" {
		c.fail(yamlPath, at, "sensitivity is identifier but no token domain is given; add identifier: one of %s", strings.Join(domains, ", "))
	}
	if col.Identifier != "" && col.Sensitivity != Identifier {
		c.fail(yamlPath+".sensitivity", at, "is the identifier %s; its sensitivity must be identifier", col.Identifier)
	}
	if slices.Contains(domains, col.Match) && col.Identifier != col.Match {
		c.fail(yamlPath+".match", at, "matches %s, so it must have identifier: %s", col.Match, col.Match)
	}
	if col.Identifier != "" && col.Match != "" && !slices.Contains(domains, col.Match) {
		c.fail(yamlPath+".match", at, "is the identifier %s but matches %s; make them the same or remove match", col.Identifier, col.Match)
	}
	if col.Privacy != "" && !slices.Contains(privacies, col.Privacy) {
		c.fail(yamlPath+".privacy", at, "privacy is %q; write one of %s, or leave it away", col.Privacy, strings.Join(privacies, ", "))
	}
	if col.Privacy != "" && col.Match != "" {
		c.fail(yamlPath+".privacy", at, "has privacy %s, so the matcher cannot compare it as %s; remove one of the two", col.Privacy, col.Match)
	}
	switch {
	case col.Unfit == "":
	case col.Unfit != UnfitText:
		c.fail(yamlPath+".unfit", at, "unfit is %q; write text, or leave it away", col.Unfit)
	case col.Identifier != "" || col.Match != "" || col.Privacy != "":
		c.fail(yamlPath+".unfit", at, "unfit is for a column that leaves as it is, not for an identifier, one with match or one with privacy; remove one of the two")
	}
	switch needs := col.Privacy == TokenOnly && col.Identifier == ""; {
	case needs && !name.MatchString(col.Domain):
		c.fail(yamlPath, at, "becomes a token, but domain is %q; name one in lower-case letters, digits and _: equal values of one domain have equal tokens", col.Domain)
	case needs && slices.Contains(domains, col.Domain):
		c.fail(yamlPath+".domain", at, "domain %s is that of an identifier; write identifier: %s in its place", col.Domain, col.Domain)
	case !needs && col.Domain != "":
		c.fail(yamlPath+".domain", at, "domain is for a column with privacy: token that is no identifier; remove it")
	}
	switch col.Match {
	case FullName, BirthDate, Sex, Address, DiedOn:
		if col.Sensitivity == Public || col.Sensitivity == Internal {
			c.fail(yamlPath+".sensitivity", at, "matches %s, which is personal data; its sensitivity must be personal or sensitive", col.Match)
		}
	}
}

// text checks that both languages are there and composed (NFC): other forms
// look the same and are found by no search.
func (c *checker) text(yamlPath, at, what string, t Text) {
	if strings.TrimSpace(t.Vi) == "" || strings.TrimSpace(t.En) == "" {
		c.fail(yamlPath, at, "%s needs both vi and en", what)
		return
	}
	if !norm.NFC.IsNormalString(t.Vi) {
		c.fail(yamlPath, at, "%s is not composed Unicode (NFC); save the file as NFC", what)
	}
}
