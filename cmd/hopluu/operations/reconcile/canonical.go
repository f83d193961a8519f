package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/jackc/pgx/v5"
)

// column is one column on both sides.
type column struct {
	name string
	// postgres and clickhouse are expressions that give the cell's canonical
	// text, or NULL.
	postgres, clickhouse string
	// domain of the token that the cell becomes on its way; "" for none.
	domain string
	// names tells that its tokens name records, and so are of the record key.
	names bool
	// integer keys are ordered as numbers, all others as bytes.
	integer bool
	// native values of other types are ordered by the source itself as their
	// texts are by their bytes.
	native bool
	// landed is the column's name in ClickHouse, and landedType its type.
	landed, landedType string
	// unfit tells of a text that the source prints whether the column's own type
	// cannot hold it, so that it lands as it is; nil when the column has no field
	// for that. raw is the expression of that text.
	unfit func(text []byte) bool
	raw   string
	// days writes a date's text as the number of days that the names of records
	// have, in Avro; nil for every other type.
	days func(dst, text []byte) ([]byte, error)
}

// withUnfit takes a column's values that its type cannot hold from the field
// that they land in.
func (c column) withUnfit(of pgvalue.Column, landed string) (column, error) {
	codec, err := pgvalue.Lookup(of)
	if err != nil {
		return c, err
	}
	_, text := pgvalue.Unfit(codec)
	var scratch []byte
	c.unfit = func(value []byte) bool {
		scratch, err = text.Append(scratch[:0], value)
		return err == nil
	}
	c.raw = outputText(pgx.Identifier{c.name}.Sanitize())
	c.clickhouse = fmt.Sprintf("ifNull(%s, %s)", identifier(landed), c.clickhouse)
	return c, nil
}

// canonical gives the expressions of a column by its PostgreSQL type and by the
// type that it has in ClickHouse, "" when it is not there yet: a column that was
// added to the source comes with its first row, and until then is NULL.
func canonical(c pgvalue.Column, domain, landed, landedType string) column {
	pg := pgx.Identifier{c.Name}.Sanitize()
	ch := identifier(landed)
	out := column{name: c.Name, landed: landed, landedType: landedType, domain: domain}
	if domain != "" {
		out.postgres, out.clickhouse = outputText(pg), "toString("+ch+")"
	} else {
		base := baseOf(c)
		out.integer = slices.Contains(integers, base.TypeName) && base.Elem == nil && !base.Enum
		out.native = base.TypeName == "uuid" && base.Elem == nil
		out.postgres, out.clickhouse = texts(base, pg, ch, landedType)
		if isArray(base) {
			// ClickHouse has no NULL array: the sink names those that are not.
			out.postgres = fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN %s END", pg, out.postgres)
			out.clickhouse = fmt.Sprintf("if(has(_arrays, '%s'), %s, NULL)", strings.NewReplacer(`\\`, `\\\\`, "'", `\\'`).Replace(landed), out.clickhouse)
		}
	}
	if landedType == "" {
		out.clickhouse = "NULL"
	}
	return out
}

// identifier quotes a name for ClickHouse.
func identifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

// baseOf takes domains off.
func baseOf(c pgvalue.Column) pgvalue.Column {
	for c.Base != nil {
		c = *c.Base
	}
	return c
}

// isArray tells whether the column is an array in ClickHouse too: one of
// several dimensions, or of arrays, is its text.
func isArray(c pgvalue.Column) bool {
	return c.Elem != nil && c.Dims < 2 && baseOf(*c.Elem).Elem == nil
}

var integers = []string{"int2", "int4", "int8", "oid"}

// castable are the types whose cast to text is what they print; others have a
// cast of another text (inet shows its mask, bpchar loses its spaces) or none.
var castable = append([]string{"text", "varchar", "name", "citext", "uuid", "date", "json", "jsonb", "xml", "numeric", "interval"}, integers...)

// outputText is what a type prints. The comparison with DISTINCT FROM is right
// also for composite types, which IS NULL takes apart.
func outputText(pg string) string {
	return fmt.Sprintf("CASE WHEN %[1]s IS DISTINCT FROM NULL THEN format('%%s', %[1]s) END", pg)
}

// texts gives the canonical text of a value on both sides.
func texts(c pgvalue.Column, pg, ch, landedType string) (postgres, clickhouse string) {
	if isArray(c) {
		return arrayTexts(baseOf(*c.Elem), pg, ch, landedType)
	}
	postgres, clickhouse = outputText(pg), "toString("+ch+")"
	if c.Enum {
		return pg + "::text", clickhouse
	}
	switch c.TypeName {
	case "bool":
		postgres = pg + "::text"
	case "numeric":
		postgres = pg + "::text"
		if strings.Contains(landedType, "Decimal") {
			// The landed scale may be wider; ClickHouse prints no zeros at the end.
			postgres = "trim_scale(" + pg + ")::text"
		}
	case "bit":
		if c.Typmod == 1 {
			postgres = pg + "::int::bool::text"
		}
	case "hstore":
		postgres = pg + "::json::text" // the cast, which needs no search path
	case "money":
		// Under lc_monetary C its units are hundredths, whatever they are here.
		postgres = fmt.Sprintf("trim_scale(%s::numeric * 100 / 1%s)::text", pg, strings.Repeat("0", c.MoneyDigits))
	case "float4", "float8":
		// By their bits, of which only those of NaN are not the same everywhere.
		postgres = fmt.Sprintf("CASE WHEN %[1]s = 'NaN' THEN 'nan' ELSE encode(float8send(%[1]s::float8), 'hex') END", pg)
		clickhouse = fmt.Sprintf("if(isNaN(%[1]s), 'nan', leftPad(lower(hex(reinterpretAsUInt64(toFloat64(%[1]s)))), 16, '0'))", ch)
	case "timestamp":
		postgres = fmt.Sprintf("to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US')", pg)
	case "timestamptz":
		postgres = fmt.Sprintf("to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", pg)
	case "time":
		postgres = fmt.Sprintf("(extract(epoch FROM %s) * 1000000)::bigint::text", pg)
	case "timetz":
		// As ISO 8601 writes the offset.
		postgres = fmt.Sprintf(`regexp_replace(regexp_replace(%s::text, '[+-]00$', 'Z'), '([+-]\d\d)$', '\1:00')`, pg)
	case "bytea":
		postgres = fmt.Sprintf("encode(%s, 'hex')", pg)
		clickhouse = fmt.Sprintf("lower(hex(%s))", ch)
	default:
		if slices.Contains(castable, c.TypeName) {
			postgres = pg + "::text"
		}
	}
	return postgres, clickhouse
}

// ownTypes is the first number of the types that a database has of its own.
const ownTypes = 16384

// arrayTexts writes every element in its own canonical text, with a sign for
// NULL and one after each.
func arrayTexts(elem pgvalue.Column, pg, ch, landedType string) (postgres, clickhouse string) {
	pgElem, chElem := texts(elem, "hopluu_element.value", "hopluu_element", landedType)
	elements := fmt.Sprintf("unnest(%s) WITH ORDINALITY AS hopluu_element(value, place)", pg)
	if elem.OID >= ownTypes && !elem.Enum {
		// unnest takes composite values apart into columns.
		elements = fmt.Sprintf("(SELECT (%[1]s)[i], i FROM generate_subscripts(%[1]s, 1) AS i) AS hopluu_element(value, place)", pg)
	}
	postgres = fmt.Sprintf(`coalesce((SELECT string_agg(coalesce(%s, E'\x1e') || E'\x1f', '' ORDER BY hopluu_element.place)
		FROM %s), '')`, pgElem, elements)
	clickhouse = fmt.Sprintf("arrayStringConcat(arrayMap(hopluu_element -> concat(ifNull(%s, char(30)), char(31)), %s))", chElem, ch)
	return postgres, clickhouse
}
