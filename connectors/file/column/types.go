package column

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
)

// class is how the text of a cell is understood.
type class uint8

const (
	classText class = iota // as it is
	classWhole
	classDecimal
	classFloat
	classBool
	classDate
	classTimestamp
	classTimestamptz
	classTime
	classTimetz
	classUUID
	classJSON
	classArray
)

// columnType is a column's type: how its cells are understood and carried.
type columnType struct {
	class class
	codec pgvalue.Codec
	// scale of a decimal, -1 when the column does not declare one.
	scale int
	// length is the most letters of a text, 0 for any; padded: spaces fill it.
	length int
	padded bool
	elem   *columnType
}

// builtin are PostgreSQL's types by the names that format_type() prints and
// people write, with their numbers in pg_type.dat.
var builtin = map[string]struct {
	oid   uint32
	class class
}{
	"boolean": {16, classBool}, "bool": {16, classBool},
	"smallint": {21, classWhole}, "int2": {21, classWhole},
	"integer": {23, classWhole}, "int": {23, classWhole}, "int4": {23, classWhole},
	"bigint": {20, classWhole}, "int8": {20, classWhole},
	"oid": {26, classWhole}, "xid": {28, classWhole},
	"real": {700, classFloat}, "float4": {700, classFloat},
	"double precision": {701, classFloat}, "float8": {701, classFloat},
	"numeric": {1700, classDecimal}, "decimal": {1700, classDecimal},
	"text": {25, classText}, "name": {19, classText}, `"char"`: {18, classText}, "xml": {142, classText},
	"character varying": {1043, classText}, "varchar": {1043, classText},
	"character": {1042, classText}, "char": {1042, classText}, "bpchar": {1042, classText},
	"bytea": {17, classText}, "interval": {1186, classText},
	"uuid": {2950, classUUID}, "json": {114, classJSON}, "jsonb": {3802, classJSON},
	"date":      {1082, classDate},
	"timestamp": {1114, classTimestamp}, "timestamp without time zone": {1114, classTimestamp},
	"timestamptz": {1184, classTimestamptz}, "timestamp with time zone": {1184, classTimestamptz},
	"time": {1083, classTime}, "time without time zone": {1083, classTime},
	"timetz": {1266, classTimetz}, "time with time zone": {1266, classTimetz},
}

// asText are the types that the type table carries as their text, under their
// own name. A type that is not known at all is an enum: sector files name
// those.
var asText = map[string]string{
	"inet": "inet", "cidr": "cidr", "macaddr": "macaddr", "macaddr8": "macaddr8", "money": "money",
	"bit": "bit", "bit varying": "varbit", "varbit": "varbit", "point": "point", "polygon": "polygon", "path": "path",
	"line": "line", "lseg": "lseg", "circle": "circle", "tsvector": "tsvector", "tsquery": "tsquery", "hstore": "hstore",
	"int4range": "int4range", "int8range": "int8range", "numrange": "numrange",
	"daterange": "daterange", "tsrange": "tsrange", "tstzrange": "tstzrange",
	"geometry": "geometry", "geography": "geography",
}

// parseType reads the type of a sector file's column.
func parseType(column, name string) (columnType, error) {
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	if elemName, ok := strings.CutSuffix(name, "[]"); ok {
		elem, err := parseType(column, strings.TrimSpace(elemName))
		if err != nil {
			return columnType{}, err
		}
		if elem.class == classArray {
			return columnType{}, fmt.Errorf("column %s: an array of arrays (%s) cannot be read from a file", column, name)
		}
		source := pgColumn(column, strings.TrimSpace(elemName))
		codec, err := pgvalue.Lookup(pgvalue.Column{Name: column, Elem: &source})
		return columnType{class: classArray, codec: codec, elem: &elem}, err
	}
	source := pgColumn(column, name)
	codec, err := pgvalue.Lookup(source)
	if err != nil {
		return columnType{}, err
	}
	t := columnType{codec: codec, scale: -1}
	base, arguments := splitArguments(name)
	t.class = builtin[base].class
	switch {
	case t.class == classDecimal && len(arguments) > 0:
		t.scale = 0
		if len(arguments) > 1 {
			t.scale = arguments[1]
		}
	case source.OID == 1042:
		t.length, t.padded = 1, true
		if len(arguments) > 0 {
			t.length = arguments[0]
		}
	case source.OID == 1043 && len(arguments) > 0:
		t.length = arguments[0]
	}
	return t, nil
}

// pgColumn describes a type as the catalogue would.
func pgColumn(column, name string) pgvalue.Column {
	base, arguments := splitArguments(name)
	c := pgvalue.Column{Name: column, Typmod: -1, TypeName: base}
	if known, ok := builtin[base]; ok {
		c.OID = known.oid
	} else if known, ok := asText[base]; ok {
		c.TypeName = known
	} else if base != "citext" {
		c.Enum = true
	}
	if len(arguments) == 0 {
		return c
	}
	switch c.OID {
	case 1700:
		scale := 0
		if len(arguments) > 1 {
			scale = arguments[1]
		}
		c.Typmod = int32(arguments[0]<<16|scale&0x7ff) + 4
	case 1042, 1043:
		c.Typmod = int32(arguments[0]) + 4
	case 1083, 1114, 1184, 1266:
		c.Typmod = int32(arguments[0])
	}
	return c
}

// splitArguments takes the numbers in brackets out of a type's name:
// "timestamp(3) with time zone" is "timestamp with time zone" and 3.
func splitArguments(name string) (base string, arguments []int) {
	before, rest, ok := strings.Cut(name, "(")
	if !ok {
		return name, nil
	}
	inside, after, ok := strings.Cut(rest, ")")
	if !ok {
		return name, nil
	}
	for part := range strings.SplitSeq(inside, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return name, nil
		}
		arguments = append(arguments, n)
	}
	return strings.Join(strings.Fields(before+" "+after), " "), arguments
}
