package avro

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"
)

// AppendRecordID writes the name of a record, the same wherever one is needed:
//
//	<source>.<table>:<k1>|<k2>
//
// Booleans are true or false, integers (dates and times too) and decimals in
// decimal digits, floats in the shortest form that gives them again, bytes in
// hexadecimal, strings as they are, with '\' and '|' escaped by '\'. An array is
// its elements between braces, with commas and braces escaped too; a null in it
// is "\N".
// cells are as many as key has columns.
func AppendRecordID(dst []byte, source, table string, key []Column, cells []Cell) []byte {
	dst = append(dst, source...)
	dst = append(dst, '.')
	dst = append(dst, table...)
	dst = append(dst, ':')
	for i := range key {
		if i > 0 {
			dst = append(dst, '|')
		}
		dst = appendIDCell(dst, &key[i].Type, &cells[i])
	}
	return dst
}

func appendIDCell(dst []byte, t *Type, c *Cell) []byte {
	if c.Null {
		return append(dst, `\N`...)
	}
	switch t.Kind {
	case Boolean:
		return strconv.AppendBool(dst, c.N != 0)
	case Int, Long:
		return strconv.AppendInt(dst, c.N, 10)
	case Float:
		return strconv.AppendFloat(dst, c.F, 'g', -1, 32)
	case Double:
		return strconv.AppendFloat(dst, c.F, 'g', -1, 64)
	case Bytes:
		if t.Logical == "decimal" {
			return AppendDecimal(dst, c.B, t.Scale)
		}
		return hex.AppendEncode(dst, c.B)
	case Array:
		dst = append(dst, '{')
		for i := range c.Elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			if elem := &c.Elems[i]; t.Elem.Kind == String && !elem.Null {
				dst = appendEscaped(dst, elem.B, `\|,{}`)
			} else {
				dst = appendIDCell(dst, t.Elem, elem)
			}
		}
		return append(dst, '}')
	}
	return appendEscaped(dst, c.B, `\|`)
}

func appendEscaped(dst, text []byte, special string) []byte {
	for _, b := range text {
		if strings.IndexByte(special, b) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return dst
}

// AppendDecimal writes an Avro decimal, unscaled in two's complement with the
// most significant byte first, in decimal digits with scale of them after the
// point. No bytes are a zero.
func AppendDecimal(dst, unscaled []byte, scale int) []byte {
	var digits []byte
	negative := len(unscaled) > 0 && unscaled[0] >= 0x80
	if len(unscaled) <= 8 {
		var u uint64
		if negative {
			u = ^uint64(0)
		}
		for _, b := range unscaled {
			u = u<<8 | uint64(b)
		}
		if negative {
			u = -u
		}
		var buf [20]byte
		digits = strconv.AppendUint(buf[:0], u, 10)
	} else {
		n := new(big.Int).SetBytes(unscaled)
		if negative {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(unscaled))*8)).Neg(n)
		}
		digits = n.Append(nil, 10)
	}
	if negative {
		dst = append(dst, '-')
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	if scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, digits[len(digits)-scale:]...)
	}
	return dst
}
