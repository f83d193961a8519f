package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxDepth bounds how deep a schema and the data under it may nest.
const maxDepth = 64

// avroType is a type of Avro's specification.
type avroType uint8

const (
	avroNull avroType = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroRecord
	avroEnum
	avroArray
	avroMap
	avroUnion
	avroFixed
)

var primitives = map[string]avroType{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong,
	"float": avroFloat, "double": avroDouble, "bytes": avroBytes, "string": avroString,
}

// node is a parsed schema. Named types are shared, so that a recursive type is
// a cycle of nodes.
type node struct {
	typ      avroType
	name     string // full name of a named type
	doc      string
	fields   []nodeField // record
	items    *node       // array, map
	branches []*node     // union
	symbols  [][]byte    // enum
	size     int         // fixed, in bytes

	logical          string // logicalType, else connect.name, else "int16" of connect.type
	precision, scale int    // of logicalType decimal
	length           int    // connect.parameters' "length", of bits
}

type nodeField struct {
	name, doc string
	node      *node
	key       bool // it has keyProperty
}

// SchemaError says that a schema is not Avro, or not one that we read.
type SchemaError struct{ Reason string }

func (e *SchemaError) Error() string { return "Avro schema: " + e.Reason }

func schemaErrorf(format string, args ...any) error {
	return &SchemaError{Reason: fmt.Sprintf(format, args...)}
}

// parseSchema reads the JSON of an Avro schema.
func parseSchema(schemaJSON string) (*node, error) {
	var v any
	if err := json.Unmarshal([]byte(schemaJSON), &v); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, schemaErrorf("no JSON at byte %d: %v", syntax.Offset, err)
		}
		return nil, schemaErrorf("no JSON: %v", err)
	}
	p := parser{named: map[string]*node{}}
	return p.parse(v, "", 0)
}

type parser struct{ named map[string]*node }

func (p *parser) parse(v any, namespace string, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, schemaErrorf("nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case string:
		return p.reference(v, namespace)
	case []any:
		return p.union(v, namespace, depth)
	case map[string]any:
		return p.complex(v, namespace, depth)
	}
	return nil, schemaErrorf("a type is a name, an object or an array, not %T", v)
}

func (p *parser) reference(name, namespace string) (*node, error) {
	if t, ok := primitives[name]; ok {
		return &node{typ: t}, nil
	}
	if !strings.Contains(name, ".") && namespace != "" {
		if n, ok := p.named[namespace+"."+name]; ok {
			return n, nil
		}
	}
	if n, ok := p.named[name]; ok {
		return n, nil
	}
	return nil, schemaErrorf("unknown type %q", name)
}

func (p *parser) union(list []any, namespace string, depth int) (*node, error) {
	n := &node{typ: avroUnion}
	for _, v := range list {
		b, err := p.parse(v, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		if b.typ == avroUnion {
			return nil, schemaErrorf("a union directly in a union")
		}
		n.branches = append(n.branches, b)
	}
	if len(n.branches) == 0 {
		return nil, schemaErrorf("a union without a branch")
	}
	return n, nil
}

func (p *parser) complex(o map[string]any, namespace string, depth int) (*node, error) {
	typ, isName := o["type"].(string)
	if !isName {
		// {"type": {...}}: some libraries wrap a type in an object.
		inner, ok := o["type"]
		if !ok {
			return nil, schemaErrorf("an object without \"type\"")
		}
		return p.parse(inner, namespace, depth+1)
	}
	if t, ok := primitives[typ]; ok {
		n := &node{typ: t}
		return n, n.annotate(o)
	}
	switch typ {
	case "array", "map":
		n := &node{typ: avroArray}
		key := "items"
		if typ == "map" {
			n.typ, key = avroMap, "values"
		}
		var err error
		if n.items, err = p.parse(o[key], namespace, depth+1); err != nil {
			return nil, err
		}
		return n, n.annotate(o)
	case "record", "error", "enum", "fixed":
		return p.define(typ, o, namespace, depth)
	}
	return p.reference(typ, namespace)
}

func (p *parser) define(typ string, o map[string]any, namespace string, depth int) (*node, error) {
	name, err := fullName(o, namespace)
	if err != nil {
		return nil, err
	}
	if _, ok := p.named[name]; ok {
		return nil, schemaErrorf("%s is defined twice", name)
	}
	n := &node{name: name}
	n.doc, _ = o["doc"].(string) // no doc is an empty doc
	p.named[name] = n            // before the fields: they may speak of it
	inner := ""
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		inner = name[:dot]
	}
	switch typ {
	case "enum":
		n.typ = avroEnum
		err = n.parseSymbols(o)
	case "fixed":
		n.typ = avroFixed
		n.size, err = natural(o, "size", 1<<20)
	default:
		n.typ = avroRecord
		err = p.parseFields(n, o, inner, depth)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, n.annotate(o)
}

func fullName(o map[string]any, namespace string) (string, error) {
	name, _ := o["name"].(string) // missing is as wrong as empty
	if !strings.Contains(name, ".") {
		if ns, ok := o["namespace"].(string); ok {
			namespace = ns
		}
		if namespace != "" {
			name = namespace + "." + name
		}
	}
	if !validFullName(name) {
		return "", schemaErrorf("%q is no Avro name", name)
	}
	return name, nil
}

func (n *node) parseSymbols(o map[string]any) error {
	list, _ := o["symbols"].([]any) // checked by the length below
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return schemaErrorf("a symbol that is no string")
		}
		n.symbols = append(n.symbols, []byte(s))
	}
	if len(n.symbols) == 0 {
		return schemaErrorf("an enum without symbols")
	}
	return nil
}

func (p *parser) parseFields(n *node, o map[string]any, namespace string, depth int) error {
	list, ok := o["fields"].([]any)
	if !ok {
		return schemaErrorf("a record without fields")
	}
	seen := make(map[string]bool, len(list))
	for _, v := range list {
		f, ok := v.(map[string]any)
		if !ok {
			return schemaErrorf("a field that is no object")
		}
		name, _ := f["name"].(string) // missing is as wrong as empty
		if !validName(name) {
			return schemaErrorf("%q is no name of a field", name)
		}
		if seen[name] {
			return schemaErrorf("field %s is there twice", name)
		}
		seen[name] = true
		t, ok := f["type"]
		if !ok {
			return schemaErrorf("field %s has no type", name)
		}
		child, err := p.parse(t, namespace, depth+1)
		if err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		doc, _ := f["doc"].(string) // no doc is an empty doc
		_, key := f[keyProperty]
		n.fields = append(n.fields, nodeField{name: name, doc: doc, node: child, key: key})
	}
	return nil
}

// annotate reads what a type means beyond its bytes.
func (n *node) annotate(o map[string]any) error {
	if s, ok := o["logicalType"].(string); ok {
		n.logical = s
	} else if s, ok := o["connect.name"].(string); ok && n.typ != avroRecord {
		n.logical = s
	} else if s, ok := o["connect.type"].(string); ok && s != "bytes" {
		n.logical = s
	}
	if n.logical == bitsName {
		return n.annotateBits(o)
	}
	if n.logical != "decimal" {
		return nil
	}
	var err error
	if n.precision, err = natural(o, "precision", 1<<16); err != nil {
		return err
	}
	if _, ok := o["scale"]; ok {
		n.scale, err = natural(o, "scale", 1<<16)
	}
	if err == nil && (n.precision == 0 || n.scale > n.precision) {
		err = schemaErrorf("decimal of precision %d and scale %d", n.precision, n.scale)
	}
	return err
}

// bitsName is Debezium's name of a bit string, whose length is a parameter.
const bitsName = "io.debezium.data.Bits"

func (n *node) annotateBits(o map[string]any) error {
	parameters, _ := o["connect.parameters"].(map[string]any) // without them there is no length
	text, ok := parameters["length"].(string)
	if !ok {
		return nil
	}
	length, err := strconv.Atoi(text)
	if err != nil || length < 0 || length > maxBits && length != math.MaxInt32 {
		return schemaErrorf("bits of the length %q", text)
	}
	n.length = length
	return nil
}

// maxBits is the longest bit string of PostgreSQL (src/include/utils/varbit.h);
// Debezium writes the largest int for one without a bound.
const maxBits = 83886080

func natural(o map[string]any, name string, limit int) (int, error) {
	f, ok := o[name].(float64)
	if !ok || f < 0 || f > float64(limit) || f != float64(int(f)) {
		return 0, schemaErrorf("%s is no whole number from 0 to %d", name, limit)
	}
	return int(f), nil
}
