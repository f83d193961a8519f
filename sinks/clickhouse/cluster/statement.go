package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// statement is one statement as it is taken apart.
type statement struct {
	cluster *Cluster
	tokens  []token
	at      int // the token that is looked at, which is no space
}

func (c *Cluster) parse(sql string) *statement {
	s := &statement{cluster: c, tokens: split(strings.TrimSpace(sql)), at: -1}
	s.advance()
	return s
}

func (s *statement) advance() {
	for s.at++; s.at < len(s.tokens) && s.tokens[s.at].space; s.at++ {
	}
}

// is tells whether the keywords come next, and passes them.
func (s *statement) is(keywords ...string) bool {
	from := s.at
	for _, k := range keywords {
		if s.at >= len(s.tokens) || s.tokens[s.at].quote || !strings.EqualFold(s.tokens[s.at].word, k) {
			s.at = from
			return false
		}
		s.advance()
	}
	return true
}

// name is [database.]name in a statement: the tokens from first to last.
type name struct {
	database, table string
	first, last     int
}

func (n name) sharded() bool { return n.table != "" && sharded[n.database] }

func (n name) String() string { return n.database + "." + n.table }

// name passes a name. A name without a database has no table.
func (s *statement) name() (name, error) {
	if s.at >= len(s.tokens) || s.tokens[s.at].word == "" {
		return name{}, s.strange("a name is missing")
	}
	n := name{database: s.tokens[s.at].word, first: s.at, last: s.at}
	s.advance()
	if s.at < len(s.tokens) && s.tokens[s.at].text == "." {
		s.advance()
		if s.at >= len(s.tokens) || s.tokens[s.at].word == "" {
			return name{}, s.strange("a name ends with a dot")
		}
		n.table, n.last = s.tokens[s.at].word, s.at
		s.advance()
	}
	return n, nil
}

// strange is the error of a statement that this package does not know: it stops,
// rather than to run on one server of many.
func (s *statement) strange(why string) error {
	text := strings.Join(strings.Fields(s.String()), " ")
	if cut := []rune(text); len(cut) > 120 {
		text = string(cut[:120]) + " ..."
	}
	return fmt.Errorf("cluster %s: no way is known to run this on all servers (%s): %s", s.cluster.Name, why, text)
}

func (s *statement) String() string {
	var b strings.Builder
	for i := range s.tokens {
		b.WriteString(s.tokens[i].text)
	}
	return b.String()
}

// after gives the statement with text put after the token.
func (s *statement) after(token int, text string) {
	s.tokens[token].text += text
}

// onCluster is the clause.
func (s *statement) onCluster() string { return " ON CLUSTER " + ident(s.cluster.Name) }

// local names the sharded table's rows instead of the table.
func (s *statement) local(n name) {
	if n.sharded() {
		s.tokens[n.first].text = ident(n.database + Suffix)
	}
}

// top are the indexes, from the given one, of the tokens outside of parentheses.
func (s *statement) top(from int) []int {
	var out []int
	depth := 0
	for i := from; i < len(s.tokens); i++ {
		depth += s.tokens[i].depth
		if depth == 0 && !s.tokens[i].space {
			out = append(out, i)
		}
	}
	return out
}

// keyword is the first token from the given one that is the keyword, outside of
// parentheses; -1 when there is none.
func (s *statement) keyword(from int, word string) int {
	for _, i := range s.top(from) {
		if !s.tokens[i].quote && strings.EqualFold(s.tokens[i].word, word) {
			return i
		}
	}
	return -1
}

func ident(s string) string { return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`" }

// Local is a statement for one shard: it reads and writes that shard's rows.
func (c *Cluster) Local(sql string) string {
	tokens := split(sql)
	for i := range tokens {
		if sharded[tokens[i].word] && i+1 < len(tokens) && tokens[i+1].text == "." && (i == 0 || tokens[i-1].text != ".") {
			tokens[i].text = ident(tokens[i].word + Suffix)
		}
	}
	return (&statement{tokens: tokens}).String()
}

// columnCommands are those that change the shape, which the Distributed table has
// too. Everything else speaks of the rows.
var columnCommands = []string{"ADD", "MODIFY", "COMMENT", "DROP", "RENAME", "ALTER"}

func columnCommand(word string) bool {
	return slices.ContainsFunc(columnCommands, func(c string) bool { return strings.EqualFold(c, word) })
}
