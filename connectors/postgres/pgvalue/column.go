package pgvalue

import (
	"fmt"
	"strings"
)

// Column is what the catalogue or a relation message says of a column.
type Column struct {
	Name   string
	OID    uint32 // pg_type.oid
	Typmod int32  // pg_attribute.atttypmod: length, precision and scale; -1 for none
	// TypeName is pg_type.typname. It is needed for types that are not built in.
	TypeName string
	Enum     bool // pg_type.typtype is 'e'
	// Elem is the element of an array type, with the array's Typmod. Arrays of
	// built-in types do without.
	Elem *Column
	// Delimiter is pg_type.typdelim of an array's element; 0 is a comma.
	Delimiter byte
	// Dims is how many dimensions an array was declared with
	// (pg_attribute.attndims, of a domain pg_type.typndims). PostgreSQL holds
	// no value to it, but it tells that more than one is meant.
	Dims int
	// Base is what a domain is made of, with the domain's Typmod.
	Base *Column
	// MoneyDigits are the digits after the point of the money type, and of an
	// array's money, which the database's lc_monetary decides: 2 for dollars, 0
	// for đồng.
	MoneyDigits int
}

// Codec is how the values of a column become Avro.
type Codec struct {
	// Avro is the schema of a value that is not NULL, as encoding/json would
	// write it. It is not to be changed.
	Avro any
	// Append writes the Avro binary of a value that is not NULL, from
	// PostgreSQL's text. On an error (*TextError) what it gives back is not to
	// be used. It neither keeps nor changes text, and may be used by many
	// goroutines.
	Append func(dst, text []byte) ([]byte, error)
	// PGType is the type as people write it: "numeric(12,2)", "text[]".
	PGType string
}

// TextError says that a text is not what its type prints. It never holds the
// text: that may be a personal identifier, and errors end in logs (P11).
type TextError struct{ Type, Reason string }

func (e *TextError) Error() string { return e.Type + ": " + e.Reason }

// maxNesting bounds domains over domains and arrays of arrays.
const maxNesting = 16

// Lookup finds how a column is carried. Every type has a way: one that the
// table does not know is carried as its text. Errors are of the caller's
// making: an array without its element, a type that never ends.
func Lookup(c Column) (Codec, error) { return lookup(c, 0) }

func lookup(c Column, depth int) (Codec, error) {
	if depth > maxNesting {
		return Codec{}, fmt.Errorf("column %s: types nested deeper than %d", c.Name, maxNesting)
	}
	if c.Base != nil {
		base := *c.Base
		base.Name = c.Name
		return lookup(base, depth+1)
	}
	if c.Enum {
		return Codec{Avro: named("string", "io.debezium.data.Enum"), Append: appendString, PGType: orUnknown(c)}, nil
	}
	if build, ok := builtin[c.OID]; ok {
		return build(c.Typmod), nil
	}
	switch elem, ok := builtinArrays[c.OID]; {
	case c.OID == money:
		return moneyCodec(c.MoneyDigits), nil
	case ok:
		delimiter := byte(',')
		if elem == box {
			delimiter = ';' // the one built-in type whose values hold commas outside of quotes
		}
		return lookupArray(c, Column{OID: elem, Typmod: c.Typmod, MoneyDigits: c.MoneyDigits}, delimiter, depth)
	case c.Elem != nil:
		delimiter := c.Delimiter
		if delimiter == 0 {
			delimiter = ','
		}
		return lookupArray(c, *c.Elem, delimiter, depth)
	}
	if build, ok := extensions[c.TypeName]; ok {
		return build, nil
	}
	return textCodec(orUnknown(c)), nil
}

func lookupArray(c, elem Column, delimiter byte, depth int) (Codec, error) {
	elem.Name = c.Name
	codec, err := lookup(elem, depth+1)
	if err != nil {
		return Codec{}, err
	}
	if schema, ok := codec.Avro.(map[string]any); c.Dims > 1 || ok && schema["type"] == "array" {
		// Avro's array of arrays would be of another schema for every number of
		// dimensions, and lose bounds that do not begin at 1; of an array of a
		// domain over arrays ClickHouse has no form that can be NULL inside.
		text := textCodec("array")
		text.PGType = codec.PGType + strings.Repeat("[]", max(c.Dims, 1))
		return text, nil
	}
	return arrayCodec(codec, delimiter), nil
}

// textCodec carries a type as its text, under its own name.
func textCodec(name string) Codec {
	return Codec{Avro: named("string", "hopluu."+name), Append: appendString, PGType: name}
}

func orUnknown(c Column) string {
	if c.TypeName == "" {
		return fmt.Sprintf("type_%d", c.OID)
	}
	return c.TypeName
}

// named is a primitive with the name by which Kafka Connect's world knows what
// it means; Debezium's and Connect's own names have version 1.
func named(avroType, connectName string) map[string]any {
	return map[string]any{"type": avroType, "connect.name": connectName, "connect.version": 1}
}
