package reconcile

import (
	"fmt"
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
	// integer keys are ordered as numbers, all others as bytes.
	integer bool
}

// canonical gives the expressions of a column by its PostgreSQL type.
func canonical(c pgvalue.Column, domain string) column {
	pg := pgx.Identifier{c.Name}.Sanitize()
	ch := "`" + strings.ReplaceAll(c.Name, "`", "\\`") + "`"
	out := column{name: c.Name, domain: domain, postgres: pg + "::text", clickhouse: "toString(" + ch + ")"}
	if domain != "" {
		return out
	}
	base := c
	for base.Base != nil {
		base = *base.Base
	}
	if base.Elem != nil {
		// A NULL array and an empty one are both [] in ClickHouse.
		out.postgres = fmt.Sprintf(`coalesce(array_to_string(%s, E'\x1f', E'\x1e'), '')`, pg)
		out.clickhouse = fmt.Sprintf(`arrayStringConcat(arrayMap(x -> ifNull(toString(x), char(30)), %s), char(31))`, ch)
		return out
	}
	switch base.TypeName {
	case "int2", "int4", "int8", "oid":
		out.integer = true
	case "numeric":
		if scale := numericScale(base.Typmod); scale >= 0 {
			out.clickhouse = fmt.Sprintf("toDecimalString(%s, %d)", ch, scale)
		}
	case "float4", "float8":
		out.postgres = fmt.Sprintf("encode(%ssend(%s), 'hex')", base.TypeName, pg)
		out.clickhouse = fmt.Sprintf("lower(hex(reinterpretAsUInt64(toFloat64(%s))))", ch)
		if base.TypeName == "float4" {
			out.clickhouse = fmt.Sprintf("lower(hex(reinterpretAsUInt32(%s)))", ch)
		}
	case "timestamp":
		out.postgres = fmt.Sprintf("to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US')", pg)
	case "timestamptz":
		out.postgres = fmt.Sprintf("to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", pg)
	case "time":
		out.postgres = fmt.Sprintf("(extract(epoch FROM %s) * 1000000)::bigint::text", pg)
	case "bytea":
		out.postgres = fmt.Sprintf("encode(%s, 'hex')", pg)
		out.clickhouse = fmt.Sprintf("lower(hex(%s))", ch)
	}
	return out
}

// numericScale reads the scale out of a numeric's typmod: (precision << 16 |
// scale) + 4; -1 without one.
func numericScale(typmod int32) int {
	if typmod < 4 {
		return -1
	}
	return int((typmod - 4) & 0x7ff)
}
