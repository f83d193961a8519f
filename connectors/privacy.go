package connectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
)

// narrow leaves of a table what its owner lets go and the stream sends (P5): a
// snapshot does not even ask for the rest.
func (s *session) narrow(ctx context.Context, relation postgres.Relation) (postgres.Relation, error) {
	relation, err := s.catalog.Narrow(ctx, s.Publication, relation)
	if err != nil {
		return relation, err
	}
	sector, ok := s.sectorTable(relation)
	if !ok {
		return relation, nil
	}
	if sector.Where != "" && relation.Filter == "" {
		return relation, &postgres.ConfigError{Reason: fmt.Sprintf("table %s is published without the row filter of its sector file, so rows would leave that must stay: run 'hopluu connector enable %s'", relation.Name(), s.Source)}
	}
	relation.Columns = slices.DeleteFunc(slices.Clone(relation.Columns), func(c pgvalue.Column) bool { return !sector.Captures(c.Name) })
	return relation, nil
}

// checkFilters refuses to begin while rows would be sent that their owner keeps
// back: unlike columns, the connector cannot leave them out itself.
func (s *session) checkFilters(ctx context.Context) error {
	for _, t := range s.Sector.Tables {
		if t.Where == "" {
			continue
		}
		relation, err := s.catalog.Relation(ctx, t.Schema, t.Name)
		if err == nil {
			_, err = s.narrow(ctx, relation)
		}
		if err != nil && !errors.Is(err, postgres.ErrNoTable) { // told when it is read
			return err
		}
	}
	return nil
}

// mask is what "***" stands in for, but in dates and times.
const mask = "***"

// dates are the types whose masks are the first day of the year.
var dates = []string{"date", "timestamp", "timestamptz"}

// Private gives the Avro of a column that is an identifier, or whose owner keeps
// its plaintext back, and the way there: a token or a mask. The plaintext is
// read by nothing else (P11). A masked date keeps its type. tokens are of the key
// that TokenizerOf gives. Appending is for one goroutine at a time, as tokens are.
func Private(described *sectors.Column, codec pgvalue.Codec, tokens *token.Tokenizer) (avroType any, appendValue func(dst, text []byte) ([]byte, error)) {
	if domain := described.TokenDomain(); domain != "" {
		return map[string]any{"type": "string", "connect.name": "hopluu.token"}, tokenAppend(tokens, domain)
	}
	if !isDate(codec) {
		return map[string]any{"type": "string", "connect.name": "hopluu.mask"}, func(dst, _ []byte) ([]byte, error) { return avro.AppendBytes(dst, []byte(mask)), nil }
	}
	return codec.Avro, func(dst, text []byte) ([]byte, error) { return codec.Append(dst, yearOf(text)) }
}

func isDate(codec pgvalue.Codec) bool {
	name, _, _ := strings.Cut(codec.PGType, "(")
	return slices.Contains(dates, name)
}

// yearOf turns the text of a date or a time into that of its year's first
// moment: "2026-03-04 05:06:07+00" into "2026-01-01 00:00:00+00". What is no
// date, infinity, stays.
func yearOf(text []byte) []byte {
	year, rest, ok := bytes.Cut(text, []byte("-"))
	if !ok || len(year) == 0 {
		return text
	}
	masked := append(bytes.Clone(year), "-01-01"...)
	if _, clock, ok := bytes.Cut(rest, []byte(" ")); ok && !bytes.HasPrefix(clock, []byte("BC")) {
		masked = append(masked, " 00:00:00"...)
		if zone := bytes.IndexAny(clock, "+-"); zone >= 0 {
			masked = append(masked, "+00"...)
		}
	}
	if bytes.HasSuffix(text, []byte(" BC")) {
		masked = append(masked, " BC"...)
	}
	return masked
}

// shown is what a column's value becomes for people and in dead letters: nil
// and false for a value that stays with its owner (P11).
func (t *table) shown(column int, text []byte) ([]byte, bool) {
	c := t.relation.Columns[column]
	if !t.sector.Captures(c.Name) {
		return nil, false
	}
	described, ok := t.sector.Column(c.Name)
	switch {
	case !ok:
	case described.TokenDomain() != "":
		tokens, err := TokenizerOf(&t.sector, c.Name, t.keyNames(), t.tokens, t.records)
		if err != nil {
			return nil, false // without the key nothing of it is shown
		}
		return tokens.Append(nil, described.TokenDomain(), text), true
	case described.Privacy == sectors.Mask:
		if codec, err := pgvalue.Lookup(c); err == nil && isDate(codec) {
			return yearOf(text), true
		}
		return []byte(mask), true
	}
	return text, true
}

// redactFrame takes out of a change, as the source sent it, what its owner
// keeps back, and names those columns with commas between; a change of a table
// that has none stays the bytes that it was.
func (t *table) redactFrame(frame []byte) ([]byte, string, error) {
	if !t.sector.Private() {
		return frame, "", nil
	}
	var decoder pgoutput.Decoder
	message, err := decoder.Decode(frame)
	if err != nil {
		return nil, "", err // it was read before: cannot be
	}
	switch m := message.(type) {
	case *pgoutput.Insert:
		t.redact(m.New)
	case *pgoutput.Update:
		t.redact(m.Old)
		t.redact(m.New)
	case *pgoutput.Delete:
		t.redact(m.Old)
	default:
		return frame, "", nil // it has no values
	}
	var names []string
	for _, c := range t.relation.Columns {
		if t.keepsBack(c.Name) {
			names = append(names, c.Name)
		}
	}
	return pgoutput.Append(nil, message), strings.Join(names, ","), nil
}

// keepsBack tells whether a dead letter does not have a column's plaintext.
// That of an identifier may be there: dead letters are vault topics.
func (t *table) keepsBack(column string) bool {
	described, ok := t.sector.Column(column)
	return !t.sector.Captures(column) || ok && described.Privacy != ""
}

func (t *table) redact(row event.Row) {
	for i := range row {
		if i >= len(t.relation.Columns) || row[i].State != event.Present || !t.keepsBack(t.relation.Columns[i].Name) {
			continue
		}
		if text, ok := t.shown(i, row[i].Text); ok {
			row[i].Text = text
		} else {
			row[i] = event.Value{}
		}
	}
}
