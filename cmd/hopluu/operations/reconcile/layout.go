package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// layout is a table's columns as both sides are asked for them.
type layout struct {
	schema, table string
	// filter is the condition on the rows that leave the source, "" for none.
	filter  string
	columns []column
	key     []int // indexes into columns
	integer []bool
	// tokenKey is true when the source cannot order by the key, because
	// ClickHouse has tokens where the source has numbers.
	tokenKey bool
	relation postgres.Relation // with these columns
	guard    *connectors.Guard // finds the rows of erased people
}

// layoutOf joins what the source says of a table with what ClickHouse has of
// it: landed are the types of silver's columns by name, empty when the table is
// not there.
func layoutOf(relation postgres.Relation, t sectors.Table, landed map[string]string) (layout, error) {
	l := layout{schema: relation.Schema, table: relation.Table, filter: relation.Filter}
	// What the owner keeps back or masks cannot be compared (P2).
	relation.Columns = slices.DeleteFunc(slices.Clone(relation.Columns), func(c pgvalue.Column) bool {
		described, ok := t.Column(c.Name)
		return !t.Captures(c.Name) || ok && described.Privacy == sectors.Mask
	})
	l.relation = relation
	for _, c := range relation.Columns {
		domain, unfit := "", ""
		if described, ok := t.Column(c.Name); ok {
			domain, unfit = described.TokenDomain(), described.UnfitName()
		}
		name, err := landedName(c, domain, landed)
		if err != nil {
			return layout{}, fmt.Errorf("table %s: %w", relation.Name(), err)
		}
		column := canonical(c, domain, name, landed[name])
		if base := baseOf(c); domain == "" && base.TypeName == "date" && base.Elem == nil {
			codec, err := pgvalue.Lookup(c)
			if err != nil {
				return layout{}, fmt.Errorf("column %s of table %s: %w", c.Name, relation.Name(), err)
			}
			column.days = codec.Append
		}
		if landed[unfit] != "" {
			if column, err = column.withUnfit(c, unfit); err != nil {
				return layout{}, fmt.Errorf("column %s of table %s: %w", c.Name, relation.Name(), err)
			}
		}
		l.columns = append(l.columns, column)
	}
	names := t.Key
	if len(names) == 0 {
		names = relation.Primary
	}
	for i := range l.columns {
		l.columns[i].names = t.NamesRecord(relation.Columns[i].Name, names)
	}
	for _, name := range names {
		i := slices.IndexFunc(relation.Columns, func(c pgvalue.Column) bool { return c.Name == name })
		if i < 0 {
			return layout{}, fmt.Errorf("key column %s is not in table %s", name, relation.Name())
		}
		l.key = append(l.key, i)
		l.integer = append(l.integer, l.columns[i].integer)
		l.tokenKey = l.tokenKey || l.columns[i].domain != ""
	}
	return l, nil
}

// guarded has the layout know the rows of erased people (P12, P2).
func (l *layout) guarded(ctx context.Context, config Config, source string, described sectors.Table) error {
	ledger, _, err := feed.Read(ctx, config.Kafka)
	if err != nil || ledger.Empty() {
		return err
	}
	tokens, records := config.Tokens.Clone(), config.Records.Clone()
	var old []*token.Tokenizer
	for _, t := range config.OldTokens {
		old = append(old, t.Clone())
	}
	if err := connectors.CheckTokens(ledger, connectors.Tokenizers(tokens, records, old)); err != nil {
		return err
	}
	l.guard, err = connectors.GuardOf(ledger, tokens, records, old, source, described, l.relation)
	return err
}

// tokenizers gives what makes the tokens of each column, nil for one that stays
// as it is.
func (l *layout) tokenizers(config Config) ([]*token.Tokenizer, error) {
	all := make([]*token.Tokenizer, len(l.columns))
	for i, c := range l.columns {
		switch {
		case c.domain == "":
		case !c.names:
			all[i] = config.Tokens
		case config.Records == nil:
			return nil, &connectors.NoRecordKeyError{Table: l.relation.Name(), Column: c.name}
		default:
			all[i] = config.Records
		}
	}
	return all, nil
}

// landedName is the name under which a column lands: what Avro allows, with an
// underscore more where it would be one of the sink's own columns, and of one
// whose type changed the newest version that can hold the type which it has now
// (docs/sink.md): a type may have gone back.
func landedName(c pgvalue.Column, domain string, landed map[string]string) (string, error) {
	name := avro.SafeName(c.Name)
	if landed[name+"_"] != "" && (strings.HasPrefix(name, "_") || strings.Contains(name, "__v")) {
		name += "_"
	}
	versions := []string{name}
	for n := 2; landed[fmt.Sprintf("%s__v%d", name, n)] != ""; n++ {
		versions = append(versions, fmt.Sprintf("%s__v%d", name, n))
	}
	newest := versions[len(versions)-1]
	if len(versions) == 1 {
		return newest, nil
	}
	now, err := landingType(c, domain)
	if err != nil {
		return "", fmt.Errorf("column %s: %w", c.Name, err)
	}
	for _, version := range slices.Backward(versions) {
		if have, _, ok := tables.ParseType(landed[version]); ok && have.Holds(now) {
			return version, nil
		}
	}
	return newest, nil // no row of this type has landed yet
}

// landingType is the type that a column's values have in ClickHouse; those of
// one that has a domain are tokens.
func landingType(c pgvalue.Column, domain string) (tables.Type, error) {
	if domain != "" {
		return tables.Type{Kind: tables.String}, nil
	}
	codec, err := pgvalue.Lookup(c)
	if err != nil {
		return tables.Type{}, err
	}
	schema, err := json.Marshal(map[string]any{"type": "record", "name": "landing", "fields": []any{map[string]any{"name": "value", "type": codec.Avro}}})
	if err != nil {
		return tables.Type{}, err
	}
	record, err := avro.ParseRecord(string(schema))
	if err != nil {
		return tables.Type{}, err
	}
	return tables.TypeOf(record.Columns()[0].Type)
}

// keyText names a row by its key, its parts told apart as in the names of
// records.
func keyText(key []string) string {
	if len(key) == 1 {
		return escape.Replace(key[0])
	}
	parts := make([]string, len(key))
	for i, k := range key {
		parts[i] = escape.Replace(k)
	}
	return strings.Join(parts, "|")
}

var escape = strings.NewReplacer(`\`, `\\`, "|", `\|`)
