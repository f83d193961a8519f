package avro

// Kind is what a Cell holds.
type Kind uint8

// The kinds; Cell says which of its fields holds the value of each.
const (
	Boolean Kind = iota
	Int
	Long
	Float
	Double
	Bytes
	String
	Array
)

func (k Kind) String() string {
	names := [...]string{"boolean", "int", "long", "float", "double", "bytes", "string", "array"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Type is the type of a column as its writer's schema says it.
type Type struct {
	Kind Kind
	// Logical is Avro's logicalType ("decimal"), else the schema's
	// connect.name ("io.debezium.time.Date"), else its connect.type ("int16"),
	// else "".
	Logical          string
	Precision, Scale int   // of a decimal
	Length           int   // of Debezium's Bits; 0 when the schema does not say it
	Elem             *Type // of an array; its elements may always be null
}

// Column is a field of a Value, Key or flat record.
type Column struct {
	Name, Doc string
	Type      Type
	Nullable  bool
	Key       bool // part of the key, as schemas of this package say it; foreign ones do not
}

// Cell is a value that was read. Its fields are reused by the next Decode.
type Cell struct {
	Null bool
	N    int64   // boolean (0 or 1), int, long
	F    float64 // float, double
	B    []byte  // bytes, string; aliases the message. An Avro enum gives its symbol
	// Elems is an array's elements, nil or empty for none.
	Elems []Cell
}

func (c *Cell) reset() {
	c.Null, c.N, c.F, c.B, c.Elems = false, 0, 0, nil, c.Elems[:0]
}

// cellType is the way to read one cell.
type cellType struct {
	avro    avroType
	union   bool
	null    int64 // index of the null branch, -1 when there is none
	value   int64 // index of the other branch
	symbols [][]byte
	size    int
	elem    *cellType
}

// compileCell makes the way to read a column and its type. A union of more
// than null and one type, a record and a map are refused: no column of ours or
// of Debezium's relational connectors needs one.
func compileCell(n *node, depth int) (cellType, Type, error) {
	if depth > maxDepth {
		return cellType{}, Type{}, schemaErrorf("an array nested deeper than %d", maxDepth)
	}
	c := cellType{null: -1}
	if n.typ == avroUnion {
		c.union = true
		var err error
		if c.null, c.value, n, err = splitUnion(n); err != nil {
			return c, Type{}, err
		}
	}
	c.avro = n.typ
	t := Type{Logical: n.logical, Precision: n.precision, Scale: n.scale, Length: n.length}
	switch n.typ {
	case avroBoolean:
		t.Kind = Boolean
	case avroInt:
		t.Kind = Int
	case avroLong:
		t.Kind = Long
	case avroFloat:
		t.Kind = Float
	case avroDouble:
		t.Kind = Double
	case avroBytes:
		t.Kind = Bytes
	case avroFixed:
		t.Kind, c.size = Bytes, n.size
	case avroString:
		t.Kind = String
	case avroEnum:
		t.Kind, c.symbols = String, n.symbols
	case avroArray:
		elem, elemType, err := compileCell(n.items, depth+1)
		if err != nil {
			return c, t, err
		}
		t.Kind, t.Elem, c.elem = Array, &elemType, &elem
	default:
		return c, t, schemaErrorf("a column of this type (null, record, map) is not supported")
	}
	return c, t, nil
}

// splitUnion takes a union of one type, with or without null, apart.
func splitUnion(n *node) (null, value int64, branch *node, err error) {
	null = -1
	for i, b := range n.branches {
		switch {
		case b.typ == avroNull && null < 0:
			null = int64(i)
		case b.typ != avroNull && branch == nil:
			value, branch = int64(i), b
		default:
			return 0, 0, nil, schemaErrorf("a union of more than null and one type is not supported")
		}
	}
	if branch == nil {
		return 0, 0, nil, schemaErrorf("a union of null alone")
	}
	return null, value, branch, nil
}
