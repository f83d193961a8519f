package connectors

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Fence ends the session of a source's connector, if one runs: its next one
// begins at once, and reads the ledger of erased people before it produces
// anything (P12). What the session had open is aborted, and produced again.
func Fence(ctx context.Context, kafka *topic.Client, source string) error {
	return FenceID(ctx, kafka, TransactionalID(source))
}

// FenceID is Fence by the connector's transactional id.
func FenceID(ctx context.Context, kafka *topic.Client, id string) error {
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: id})
	if err != nil {
		return err
	}
	return producer.Close()
}

// Guard finds the rows of erased people among those of one table. It is for one
// goroutine; nil finds none.
type Guard struct {
	ledger  *erasure.Ledger
	own     *recordName
	through *recordName // the record through which the row speaks of its person
	tokens  []guardToken
	// others are numbers of somebody beside the row's own person.
	others []guardToken
	row    erasure.Row
}

// guardToken is a number of the row's person, under one version of the key.
type guardToken struct {
	column    int
	domain    string
	tokenizer *token.Tokenizer
	buf       []byte
}

// recordName makes a record's name of a row.
type recordName struct {
	source, table string
	columns       []int // of the relation
	encoder       *avro.Encoder
	record        *avro.Record
	key, name     []byte
	cells         []avro.Cell
}

// Personal are the kinds of numbers that one person has alone: a row whose own
// person's is an erased one is the erased person's, whatever its key.
var Personal = sectors.OwnNumbers

// NewGuard makes the guard of a table; nil when nothing is erased. columns are
// the names of the relation's columns, public the fields of its public topic and
// key its key, as indexes into columns. tokenizers are those of all versions of
// the key and of the record key, for one goroutine.
func NewGuard(ledger *erasure.Ledger, tokenizers []*token.Tokenizer, source string, sector sectors.Table, columns []string, public []avro.Field, key []int) (*Guard, error) {
	if ledger == nil || ledger.Empty() {
		return nil, nil
	}
	g := &Guard{ledger: ledger}
	var err error
	if len(key) > 0 {
		if g.own, err = newRecordName(source, sector.Name, public, key); err != nil {
			return nil, err
		}
	}
	p := sector.Person
	if p != nil && !p.Direct {
		if i := slices.Index(columns, p.Via); i >= 0 && sector.Captures(p.Via) {
			if g.through, err = newRecordName(source, p.To, public, []int{i}); err != nil {
				return nil, err
			}
		}
	}
	for i, name := range columns {
		c, ok := sector.Column(name)
		if !ok || !slices.Contains(Personal, c.Identifier) {
			continue
		}
		for _, t := range tokenizers {
			switch number := (guardToken{column: i, domain: c.Identifier, tokenizer: t}); {
			case !slices.Contains(ledger.TokenVersions(), t.Name()):
			case p != nil && p.Direct && c.Match != "":
				g.tokens = append(g.tokens, number)
			case !slices.Contains(key, i):
				g.others = append(g.others, number)
			}
		}
	}
	return g, nil
}

// Blank takes the numbers of erased people out of a row that is not theirs and
// names them: it stays, without them (P12).
func (g *Guard) Blank(row event.Row) {
	if g == nil {
		return
	}
	for i := range g.others {
		t := &g.others[i]
		if t.column >= len(row) || row[t.column].State != event.Present {
			continue
		}
		if t.buf = t.tokenizer.Append(t.buf[:0], t.domain, row[t.column].Text); len(t.buf) > 0 && g.ledger.Token(t.buf) {
			row[t.column] = event.Value{}
		}
	}
}

// GuardOf makes the guard of a relation, as its connector has it: tokens are of
// the key in force, records of the record key (nil for none), old of those before.
func GuardOf(ledger *erasure.Ledger, tokens, records *token.Tokenizer, old []*token.Tokenizer, source string, sector sectors.Table, relation postgres.Relation) (*Guard, error) {
	public, _, key, err := fields(relation, sector, tokens, records)
	if err != nil {
		return nil, err
	}
	var columns []string
	for _, c := range relation.Columns {
		columns = append(columns, c.Name)
	}
	return NewGuard(ledger, Tokenizers(tokens, records, old), source, sector, columns, public, key)
}

// CheckTokens refuses to begin where erased numbers have tokens of a key that is
// not at hand: they would pass (P12).
func CheckTokens(ledger *erasure.Ledger, tokenizers []*token.Tokenizer) error {
	for _, name := range ledger.TokenVersions() {
		switch {
		case slices.ContainsFunc(tokenizers, func(t *token.Tokenizer) bool { return t.Name() == name }):
		case strings.HasPrefix(name, "k"):
			return fmt.Errorf("people are erased by tokens of version %s of the record key, which the configuration does not have, so that they would come back: name its file in tokens.record_key_file", name[1:])
		default:
			return fmt.Errorf("people are erased by tokens of version %s of the key, which the configuration does not have, so that they would come back: add that key to tokens.old", name[1:])
		}
	}
	return nil
}

func newRecordName(source, table string, public []avro.Field, columns []int) (*recordName, error) {
	n := &recordName{source: source, table: table, columns: columns}
	described := avro.Table{Source: source, Database: source, Schema: "erased", Name: table}
	for _, column := range columns {
		i := slices.IndexFunc(public, func(f avro.Field) bool { return f.Column == column })
		if i < 0 {
			return nil, fmt.Errorf("column %d of table %s has no field", column, table)
		}
		f := public[i]
		f.Nullable = false
		described.Key = append(described.Key, len(described.Fields))
		described.Fields = append(described.Fields, f)
	}
	var err error
	if n.encoder, err = avro.Compile(described); err != nil {
		return nil, err
	}
	n.record, err = avro.ParseRecord(n.encoder.KeySchema())
	return n, err
}

// of gives the record's name, nil when the row does not say it. It is valid
// until the next row.
func (n *recordName) of(row event.Row) []byte {
	if n == nil {
		return nil
	}
	for _, column := range n.columns {
		if column >= len(row) || row[column].State != event.Present {
			return nil
		}
	}
	var err error
	if n.key, err = n.encoder.AppendKey(n.key[:0], 0, row); err != nil {
		return nil // it cannot be encoded, so it is produced nowhere
	}
	_, payload, err := avro.SplitWire(n.key)
	if err == nil {
		n.cells, err = n.record.Decode(payload, n.cells)
	}
	if err != nil {
		return nil // as above: it was encoded a moment ago
	}
	n.name = avro.AppendRecordID(n.name[:0], n.source, n.table, n.record.Columns(), n.cells)
	return n.name
}

// Covers tells whether a row is of an erased person (P12), and whether its own
// record is one that is erased.
func (g *Guard) Covers(row event.Row) (covered, own bool) {
	if g == nil || row == nil {
		return false, false
	}
	g.row.Record, g.row.Through, g.row.Tokens = g.own.of(row), g.through.of(row), g.row.Tokens[:0]
	for i := range g.tokens {
		t := &g.tokens[i]
		if t.column < len(row) && row[t.column].State == event.Present {
			t.buf = t.tokenizer.Append(t.buf[:0], t.domain, row[t.column].Text)
			g.row.Tokens = append(g.row.Tokens, t.buf)
		}
	}
	return g.ledger.Covers(g.row), g.ledger.Record(g.row.Record)
}

// Admit tells whether an event may leave its connector, and takes out of it the
// numbers of erased people whom it names beside its own person. One that makes a row
// that was there into an erased person's (its patient becomes another, its number
// was mistyped) leaves as the deletion of that row, for what was known of it is
// not so any more.
func (g *Guard) Admit(ev *event.Event) bool {
	if g == nil {
		return true
	}
	row := ev.After
	if ev.Op == event.Delete {
		row = ev.Before
	}
	covered, own := g.Covers(row)
	if !covered {
		g.Blank(ev.Before)
		g.Blank(ev.After)
		return true
	}
	if ev.Op != event.Update || own || g.own == nil {
		return false
	}
	key := make(event.Row, len(ev.After))
	for _, i := range g.own.columns {
		key[i] = ev.After[i]
	}
	ev.Op, ev.Before, ev.After, ev.BeforeKeyOnly = event.Delete, key, nil, true
	return true
}
