package pgvalue

import "strconv"

// builtin is the type table: what PostgreSQL's fixed type numbers
// (src/include/catalog/pg_type.dat) become, given the type modifier.
var builtin = map[uint32]func(typmod int32) Codec{
	16: plain("bool", "boolean", appendBool),
	17: plain("bytea", "bytes", appendBytea),
	18: plain("char", "string", appendString),
	19: plain("name", "string", appendString),
	20: plain("int8", "long", appendInt8),
	21: plain("int2", map[string]any{"type": "int", "connect.type": "int16"}, appendInt2),
	23: plain("int4", "int", appendInt4),
	25: plain("text", "string", appendString),
	26: plain("oid", "long", appendUint4),
	28: plain("xid", "long", appendUint4),

	114:  plain("json", named("string", "io.debezium.data.Json"), appendString),
	142:  plain("xml", named("string", "io.debezium.data.Xml"), appendString),
	700:  plain("float4", "float", appendFloat4),
	701:  plain("float8", "double", appendFloat8),
	1042: lengthened("bpchar"),
	1043: lengthened("varchar"),
	1082: plain("date", named("int", "io.debezium.time.Date"), appendDate),
	1083: timed("time", named("long", "io.debezium.time.MicroTime"), appendTime),
	1114: timed("timestamp", named("long", "io.debezium.time.MicroTimestamp"), appendTimestamp),
	1184: timed("timestamptz", named("string", "io.debezium.time.ZonedTimestamp"), appendTimestamptz),
	1186: plain("interval", named("string", "io.debezium.time.Interval"), appendInterval),
	1266: timed("timetz", named("string", "io.debezium.time.ZonedTime"), appendTimetz),
	1560: bitString,
	1700: numeric,
	2950: plain("uuid", named("string", "io.debezium.data.Uuid"), appendString),
	3614: plain("tsvector", named("string", "io.debezium.data.Tsvector"), appendString),
	3802: plain("jsonb", named("string", "io.debezium.data.Json"), appendString),
}

// extensions are types of extensions that are carried in another way than as
// their text under their own name. Their numbers differ in every database.
var extensions = map[string]Codec{
	"hstore": {Avro: named("string", "io.debezium.data.Json"), Append: appendHstore, PGType: "hstore"},
	"citext": {Avro: "string", Append: appendString, PGType: "citext"},
	"ltree":  {Avro: named("string", "io.debezium.data.Ltree"), Append: appendString, PGType: "ltree"},
}

// asText are the built-in types that are carried as their text.
var asText = map[uint32]string{
	22: "int2vector", 24: "regproc", 27: "tid", 29: "cid", 30: "oidvector", 600: "point", 601: "lseg", 602: "path",
	603: "box", 604: "polygon", 628: "line", 650: "cidr", 718: "circle", 774: "macaddr8",
	829: "macaddr", 869: "inet", 1033: "aclitem", 1562: "varbit", 1790: "refcursor", 2202: "regprocedure", 2203: "regoper",
	2204: "regoperator", 2205: "regclass", 2206: "regtype", 2970: "txid_snapshot", 3220: "pg_lsn",
	3615: "tsquery", 3734: "regconfig", 3769: "regdictionary", 3904: "int4range", 3906: "numrange",
	3908: "tsrange", 3910: "tstzrange", 3912: "daterange", 3926: "int8range", 4072: "jsonpath", 4089: "regnamespace",
	4096: "regrole", 4191: "regcollation", 4451: "int4multirange", 4532: "nummultirange", 4533: "tsmultirange",
	4534: "tstzmultirange", 4535: "datemultirange", 4536: "int8multirange", 5038: "pg_snapshot", 5069: "xid8",
}

// builtinArrays are the array types of built-in types, and their elements.
var builtinArrays = map[uint32]uint32{
	1000: 16, 1001: 17, 1002: 18, 1003: 19, 1016: 20, 1005: 21, 1007: 23, 1009: 25, 1028: 26, 1011: 28,
	199: 114, 143: 142, 1021: 700, 1022: 701, 1014: 1042, 1015: 1043, 1182: 1082, 1183: 1083, 1115: 1114,
	1185: 1184, 1187: 1186, 1270: 1266, 1231: 1700, 2951: 2950, 3807: 3802,
	1006: 22, 1008: 24, 1010: 27, 1012: 29, 1013: 30, 1017: 600, 1018: 601, 1019: 602, boxArray: box, 1027: 604, 629: 628, 651: 650,
	719: 718, 775: 774, 791: 790, 1040: 829, 1041: 869, 1034: 1033, 1561: 1560, 1563: 1562, 2201: 1790, 2207: 2202,
	2208: 2203, 2209: 2204, 2210: 2205, 2211: 2206, 2949: 2970, 3221: 3220, 3643: 3614, 3645: 3615, 3735: 3734,
	3770: 3769, 3905: 3904, 3907: 3906, 3909: 3908, 3911: 3910, 3913: 3912, 3927: 3926, 4073: 4072, 4090: 4089,
	4097: 4096, 4192: 4191, 6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157: 4536, 5039: 5038, 271: 5069,
}

// The types that Lookup knows by number.
const (
	boxArray = 1020
	box      = 603
	money    = 790
)

func init() {
	for oid, name := range asText {
		builtin[oid] = func(int32) Codec { return textCodec(name) }
	}
}

func plain(name string, avro any, appendValue func(dst, text []byte) ([]byte, error)) func(int32) Codec {
	return func(int32) Codec { return Codec{Avro: avro, Append: appendValue, PGType: name} }
}

// lengthened is a string with a greatest length, which the type modifier
// holds, four larger.
func lengthened(name string) func(int32) Codec {
	return func(typmod int32) Codec {
		c := Codec{Avro: "string", Append: appendString, PGType: name}
		if typmod > 4 {
			c.PGType += "(" + strconv.Itoa(int(typmod-4)) + ")"
		}
		return c
	}
}

// timed is a type whose modifier is the digits of its fraction.
func timed(name string, avro any, appendValue func(dst, text []byte) ([]byte, error)) func(int32) Codec {
	return func(typmod int32) Codec {
		c := Codec{Avro: avro, Append: appendValue, PGType: name}
		if typmod >= 0 {
			c.PGType += "(" + strconv.Itoa(int(typmod)) + ")"
		}
		return c
	}
}

// maxPrecision is the most digits that a decimal of ClickHouse holds.
const maxPrecision = 76

// numeric is a decimal when its column declares a precision of up to 76
// digits, else its text: NaN, infinities and any scale have a place there
// only. The modifier packs precision and scale as
// src/backend/utils/adt/numeric.c does since PostgreSQL 15, scale in eleven
// bits with a sign; older ones never set the sign.
func numeric(typmod int32) Codec {
	unbounded := Codec{Avro: named("string", "hopluu.numeric"), Append: appendString, PGType: "numeric"}
	if typmod < 4 {
		return unbounded
	}
	precision := int((typmod - 4) >> 16 & 0xffff)
	scale := int((typmod-4)&0x7ff^1024) - 1024
	name := "numeric(" + strconv.Itoa(precision) + "," + strconv.Itoa(scale) + ")"
	// Avro has neither a negative scale nor one above the precision: zeros at
	// either end of the number make up for it.
	switch {
	case scale < 0:
		precision, scale = precision-scale, 0
	case scale > precision:
		precision = scale
	}
	if precision > maxPrecision || precision == 0 {
		unbounded.PGType = name
		return unbounded
	}
	return Codec{
		Avro:   decimal(precision, scale),
		Append: func(dst, text []byte) ([]byte, error) { return appendDecimal(dst, text, precision, scale, name) },
		PGType: name,
	}
}

// bitString is one of a declared length, as Debezium has it: one bit is a
// boolean, more are bytes, the last bit the lowest of the first. Of a bit
// varying that form would lose the length, and it is text.
func bitString(typmod int32) Codec {
	switch {
	case typmod < 1:
		return textCodec("bit") // no length is known
	case typmod == 1:
		return Codec{Avro: "boolean", Append: appendBit, PGType: "bit(1)"}
	}
	n := int(typmod)
	return Codec{
		Avro: map[string]any{
			"type": "bytes", "connect.name": "io.debezium.data.Bits", "connect.version": 1,
			"connect.parameters": map[string]any{"length": strconv.Itoa(n)},
		},
		Append: func(dst, text []byte) ([]byte, error) { return appendBits(dst, text, n) },
		PGType: "bit(" + strconv.Itoa(n) + ")",
	}
}

// decimal is the schema of a decimal, as Avro, Kafka Connect and Debezium know
// it.
func decimal(precision, scale int) any {
	return map[string]any{
		"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale,
		"connect.name": "org.apache.kafka.connect.data.Decimal", "connect.version": 1,
		"connect.parameters": map[string]any{"scale": strconv.Itoa(scale), "connect.decimal.precision": strconv.Itoa(precision)},
	}
}

// moneyPrecision are the digits of the 64 bits that money is.
const moneyPrecision = 19

// moneyCodec is a decimal with the digits after the point that the database's
// lc_monetary has.
func moneyCodec(digits int) Codec {
	return Codec{Avro: decimal(moneyPrecision, digits), Append: appendMoney, PGType: "money"}
}
