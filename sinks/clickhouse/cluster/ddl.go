package cluster

import (
	"strings"
)

// Statements gives what is to be run on one server of the cluster, in order, for
// a statement that speaks of a single server: DDL goes ON CLUSTER
// (https://clickhouse.com/docs/sql-reference/distributed-ddl), tables become
// replicated, and a sharded table becomes two. Rows never go this way into a
// sharded table: they are sent to their shard (see Local).
func (c *Cluster) Statements(sql string) ([]string, error) {
	s := c.parse(sql)
	switch {
	case s.is("CREATE", "DATABASE"):
		return s.createDatabase()
	case s.is("CREATE", "TABLE"):
		return s.createTable()
	case s.is("CREATE", "OR", "REPLACE", "VIEW"), s.is("CREATE", "VIEW"), s.is("CREATE", "OR", "REPLACE", "FUNCTION"), s.is("CREATE", "FUNCTION"),
		s.is("CREATE", "ROLE"), s.is("DROP", "VIEW"), s.is("DROP", "FUNCTION"), s.is("DROP", "ROLE"):
		return s.everywhere()
	case s.is("GRANT"), s.is("REVOKE"):
		s.after(0, s.onCluster())
		return []string{s.String()}, nil
	case s.is("ALTER", "TABLE"):
		return s.alter()
	case s.is("DROP", "TABLE"):
		return s.dropTable()
	case s.is("TRUNCATE", "TABLE"), s.is("DELETE", "FROM"), s.is("OPTIMIZE", "TABLE"):
		return s.rows()
	case s.is("EXCHANGE", "TABLES"):
		return s.exchange()
	case s.is("INSERT", "INTO"):
		n, err := s.name()
		if err != nil {
			return nil, err
		}
		if n.sharded() {
			return nil, s.strange("its rows belong to one shard")
		}
		return []string{sql}, nil
	}
	return nil, s.strange("it is none of the sink's")
}

// object passes the name of what a statement is about, with IF EXISTS or IF NOT
// EXISTS before it.
func (s *statement) object() (name, error) {
	_ = s.is("IF", "NOT", "EXISTS") || s.is("IF", "EXISTS") // neither is needed
	return s.name()
}

// everywhere is a statement about what every server has: a view, a role.
func (s *statement) everywhere() ([]string, error) {
	n, err := s.object()
	if err != nil {
		return nil, err
	}
	s.after(n.last, s.onCluster())
	return []string{s.String()}, nil
}

func (s *statement) createDatabase() ([]string, error) {
	n, err := s.object()
	if err != nil {
		return nil, err
	}
	s.after(n.last, s.onCluster())
	out := []string{s.String()}
	if sharded[n.database] {
		s.tokens[n.first].text = ident(n.database+Suffix) + s.onCluster()
		out = append(out, s.String())
	}
	return out, nil
}

func (s *statement) createTable() ([]string, error) {
	n, err := s.object()
	if err != nil {
		return nil, err
	}
	s.local(n)
	s.after(n.last, s.onCluster())
	if s.is("AS") { // the same shape, and the engine that the other has
		like, err := s.name()
		if err != nil {
			return nil, err
		}
		s.local(like)
	}
	if err := s.replicate(n); err != nil {
		return nil, err
	}
	out := []string{s.String()}
	if !n.sharded() {
		return out, nil
	}
	comment := ""
	if at := s.keyword(n.last, "COMMENT"); at >= 0 {
		comment = "\n" + (&statement{tokens: s.tokens[at:]}).String()
	}
	rows := ident(n.database+Suffix) + "." + ident(n.table)
	return append(out, "CREATE TABLE IF NOT EXISTS "+ident(n.database)+"."+ident(n.table)+s.onCluster()+" AS "+rows+
		"\nENGINE = Distributed("+ident(s.cluster.Name)+", "+ident(n.database+Suffix)+", "+ident(n.table)+")"+comment), nil
}

// The paths in Keeper have the table's UUID, so that a table that is renamed, or
// exchanged, keeps its own. A sharded table's replicas are those of its shard,
// another's are all servers.
const (
	shardReplica = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
	everyReplica = "'/clickhouse/tables/{uuid}', '{shard}-{replica}'"
)

// replicate makes the engine of a CREATE TABLE the replicated one.
func (s *statement) replicate(n name) error {
	at := s.keyword(n.last, "ENGINE")
	if at < 0 {
		return nil
	}
	s.at = at
	s.advance()
	if s.at < len(s.tokens) && s.tokens[s.at].text == "=" {
		s.advance()
	}
	if s.at >= len(s.tokens) || !strings.HasSuffix(s.tokens[s.at].word, "MergeTree") {
		return s.strange("only tables of the MergeTree family can be replicated")
	}
	path := everyReplica
	if n.sharded() {
		path = shardReplica
	}
	engine := s.at
	s.advance()
	if s.at < len(s.tokens) && s.tokens[s.at].text == "(" {
		s.tokens[s.at].text = "(" + path
		empty := s.at
		if s.advance(); s.at < len(s.tokens) && s.tokens[s.at].text != ")" {
			s.tokens[empty].text += ", "
		}
	} else {
		s.after(engine, "("+path+")")
	}
	s.tokens[engine].text = "Replicated" + s.tokens[engine].text
	for i := range s.tokens {
		if s.tokens[i].word == "non_replicated_deduplication_window" {
			s.tokens[i].text = "replicated_deduplication_window"
		}
	}
	return nil
}

func (s *statement) alter() ([]string, error) {
	n, err := s.object()
	if err != nil {
		return nil, err
	}
	column := false
	if s.at < len(s.tokens) && columnCommand(s.tokens[s.at].word) {
		s.advance()
		column = s.is("COLUMN")
	}
	s.after(n.last, s.onCluster())
	if !n.sharded() {
		return []string{s.String()}, nil
	}
	whole := s.String()
	s.local(n)
	out := []string{s.String()}
	if column {
		out = append(out, whole)
	}
	return out, nil
}

func (s *statement) dropTable() ([]string, error) {
	n, err := s.object()
	if err != nil {
		return nil, err
	}
	s.after(n.last, s.onCluster())
	out := []string{s.String()}
	if n.sharded() {
		s.local(n)
		out = append(out, s.String())
	}
	return out, nil
}

// rows is a statement about the rows of one table.
func (s *statement) rows() ([]string, error) {
	n, err := s.object()
	if err != nil {
		return nil, err
	}
	s.local(n)
	s.after(n.last, s.onCluster())
	return []string{s.String()}, nil
}

// exchange lets two tables change their names. Of sharded ones the rows change
// places, under the Distributed tables, which name them.
func (s *statement) exchange() ([]string, error) {
	a, err := s.name()
	if err != nil {
		return nil, err
	}
	if !s.is("AND") {
		return nil, s.strange("AND is missing")
	}
	b, err := s.name()
	if err != nil {
		return nil, err
	}
	if a.sharded() != b.sharded() {
		return nil, s.strange("only one of the two is sharded")
	}
	s.local(a)
	s.local(b)
	s.after(b.last, s.onCluster())
	return []string{s.String()}, nil
}
