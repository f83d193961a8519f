package tables

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/schemas/avro"
)

// Kind is how a ClickHouse column is held in a Buffer.
type Kind uint8

// The kinds of columns that the sink writes.
const (
	Bool Kind = iota + 1
	Int16
	Int32
	Int64
	Float32
	Float64
	String
	Enum // LowCardinality(String)
	UUID
	Date     // Date32
	DateTime // DateTime64(6, 'UTC')
	Decimal
	Array
)

// Type is the ClickHouse type of a column's non-null value.
type Type struct {
	Kind Kind
	// Precision and Scale are those of a Decimal.
	Precision, Scale int
	// Elem is the type of an Array's elements, which may be null.
	Elem *Type
}

// MaxPrecision is ClickHouse's largest decimal: Decimal256 has 76 digits.
const MaxPrecision = 76

const bitsName = "io.debezium.data.Bits"

// TypeOf gives the ClickHouse type of an Avro type, as the contract between
// connectors and sinks lists them. What it does not know is text: Avro strings
// and bytes become String, so that a foreign Debezium topic is readable too.
func TypeOf(a avro.Type) (Type, error) {
	switch a.Logical {
	case "decimal", "org.apache.kafka.connect.data.Decimal":
		if a.Kind != avro.Bytes {
			return Type{}, fmt.Errorf("a decimal is carried as bytes, not as %s", a.Kind)
		}
		if a.Precision < 1 || a.Precision > MaxPrecision || a.Scale < 0 || a.Scale > a.Precision {
			return Type{}, fmt.Errorf("ClickHouse has no Decimal(%d,%d): precision is 1 to %d, scale 0 to precision", a.Precision, a.Scale, MaxPrecision)
		}
		return Type{Kind: Decimal, Precision: a.Precision, Scale: a.Scale}, nil
	case "io.debezium.time.Date":
		return expect(a, avro.Int, Type{Kind: Date})
	case "io.debezium.time.MicroTimestamp":
		return expect(a, avro.Long, Type{Kind: DateTime})
	case "io.debezium.time.ZonedTimestamp":
		return expect(a, avro.String, Type{Kind: DateTime})
	case "io.debezium.data.Uuid":
		return expect(a, avro.String, Type{Kind: UUID})
	case "io.debezium.data.Enum":
		return expect(a, avro.String, Type{Kind: Enum})
	case bitsName:
		return expect(a, avro.Bytes, Type{Kind: String}) // its digits
	case "int16":
		return expect(a, avro.Int, Type{Kind: Int16})
	}
	switch a.Kind {
	case avro.Boolean:
		return Type{Kind: Bool}, nil
	case avro.Int:
		return Type{Kind: Int32}, nil
	case avro.Long:
		return Type{Kind: Int64}, nil
	case avro.Float:
		return Type{Kind: Float32}, nil
	case avro.Double:
		return Type{Kind: Float64}, nil
	case avro.Bytes, avro.String:
		return Type{Kind: String}, nil
	case avro.Array:
		if a.Elem == nil {
			return Type{}, fmt.Errorf("an array without an element type")
		}
		elem, err := TypeOf(*a.Elem)
		if err != nil {
			return Type{}, fmt.Errorf("array element: %w", err)
		}
		switch elem.Kind {
		case Array:
			return Type{}, fmt.Errorf("arrays of arrays are not carried")
		case Enum:
			elem.Kind = String // a dictionary in an array costs more than it saves
		}
		return Type{Kind: Array, Elem: &elem}, nil
	}
	return Type{}, fmt.Errorf("no ClickHouse type for Avro kind %s", a.Kind)
}

func expect(a avro.Type, k avro.Kind, t Type) (Type, error) {
	if a.Kind != k {
		return Type{}, fmt.Errorf("%s is carried as %s, not as %s", a.Logical, k, a.Kind)
	}
	return t, nil
}

// String is the type without Nullable.
func (t Type) String() string {
	switch t.Kind {
	case Bool:
		return "Bool"
	case Int16:
		return "Int16"
	case Int32:
		return "Int32"
	case Int64:
		return "Int64"
	case Float32:
		return "Float32"
	case Float64:
		return "Float64"
	case String:
		return "String"
	case Enum:
		return "LowCardinality(String)"
	case UUID:
		return "UUID"
	case Date:
		return "Date32"
	case DateTime:
		return "DateTime64(6, 'UTC')"
	case Decimal:
		return fmt.Sprintf("Decimal(%d, %d)", t.Precision, t.Scale)
	case Array:
		return "Array(Nullable(" + t.Elem.String() + "))"
	}
	return "unknown"
}

// column is the type of a column that may be null or not. An array is never
// Nullable in ClickHouse.
func (t Type) column(nullable bool) string {
	switch {
	case !nullable || t.Kind == Array:
		return t.String()
	case t.Kind == Enum:
		return "LowCardinality(Nullable(String))"
	}
	return "Nullable(" + t.String() + ")"
}

// ParseType reads what system.columns says of a column that the sink made; ok
// is false for any other type.
func ParseType(s string) (t Type, nullable, ok bool) {
	if s == "LowCardinality(Nullable(String))" {
		return Type{Kind: Enum}, true, true
	}
	if inner, found := wrapped(s, "Nullable"); found {
		t, _, ok = ParseType(inner)
		return t, true, ok
	}
	if inner, found := wrapped(s, "Array"); found {
		elem, _, ok := ParseType(inner)
		return Type{Kind: Array, Elem: &elem}, false, ok
	}
	if inner, found := wrapped(s, "Decimal"); found {
		p, q, found := strings.Cut(inner, ",")
		precision, err1 := strconv.Atoi(strings.TrimSpace(p))
		scale, err2 := strconv.Atoi(strings.TrimSpace(q))
		return Type{Kind: Decimal, Precision: precision, Scale: scale}, false, found && err1 == nil && err2 == nil
	}
	for k := Bool; k < Decimal; k++ {
		if (Type{Kind: k}).String() == s {
			return Type{Kind: k}, false, true
		}
	}
	return Type{}, false, false
}

func wrapped(s, outer string) (string, bool) {
	if rest, ok := strings.CutPrefix(s, outer+"("); ok && strings.HasSuffix(rest, ")") {
		return rest[:len(rest)-1], true
	}
	return "", false
}

// equal compares types; arrays by their elements.
func (t Type) equal(o Type) bool {
	if t.Kind == Array && o.Kind == Array {
		return t.Elem.equal(*o.Elem)
	}
	return t == o
}

// Holds tells whether every value of o can be kept in a column of type t
// without loss, and written by a Buffer.
func (t Type) Holds(o Type) bool {
	if t.equal(o) {
		return true
	}
	switch t.Kind {
	case Int32:
		return o.Kind == Int16
	case Int64:
		return o.Kind == Int16 || o.Kind == Int32
	case Float64:
		return o.Kind == Float32
	case String:
		return o.Kind == Enum
	case Enum:
		return o.Kind == String
	case Decimal:
		return o.Kind == Decimal && t.Scale >= o.Scale && t.Precision-t.Scale >= o.Precision-o.Scale
	case Array:
		return o.Kind == Array && t.Elem.Holds(*o.Elem)
	}
	return false
}

// widened gives the narrowest type that holds both t and o, if ClickHouse can
// alter a column of type t to it in place.
func (t Type) widened(o Type) (Type, bool) {
	switch {
	case t.Holds(o):
		return t, true
	case o.Holds(t):
		return o, true
	case t.Kind == Decimal && o.Kind == Decimal:
		scale := max(t.Scale, o.Scale)
		precision := scale + max(t.Precision-t.Scale, o.Precision-o.Scale)
		return Type{Kind: Decimal, Precision: precision, Scale: scale}, precision <= MaxPrecision
	}
	return t, false
}

// forKey is the type that a column of a new table's key gets: the widest of its
// kind, since ClickHouse never alters a column of the sorting key, and a key that
// runs out of integers is made a bigint sooner or later.
func (t Type) forKey() Type {
	switch t.Kind {
	case Int16, Int32:
		t.Kind = Int64
	case Float32:
		t.Kind = Float64
	}
	return t
}
