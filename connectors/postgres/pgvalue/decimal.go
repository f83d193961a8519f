package pgvalue

import (
	"encoding/binary"
	"math/bits"

	"github.com/hopluu/hopluu/schemas/avro"
)

// pow10 are the powers of ten that 64 bits hold.
var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// chunk is how many digits are gathered in 64 bits before they join the rest.
const chunk = 18

// wide is an unsigned number of 256 bits, the least significant word first: 76
// digits and a sign fit.
type wide [4]uint64

// mulAdd makes w*m + a. The caller has bounded the digits, so that nothing is
// carried out.
func (w *wide) mulAdd(m, a uint64) {
	carry := a
	for i := range w {
		hi, lo := bits.Mul64(w[i], m)
		var c uint64
		w[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c
	}
}

// appendDecimal writes the unscaled value of a number as Avro's decimal: bytes
// in two's complement, the most significant first, as few as hold it
// (https://avro.apache.org/docs/1.12.0/specification/#decimal).
func appendDecimal(dst, text []byte, precision, scale int, name string) ([]byte, error) {
	switch string(text) {
	case "NaN", "Infinity", "-Infinity":
		return dst, &TextError{name, "a decimal has no NaN or infinity: correct the row, or declare the column numeric without a precision"}
	}
	digits, negative := text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	var (
		w           wide
		part        uint64 // up to chunk digits that are not in w yet
		inPart      int
		isWide      bool
		significant int // digits from the first that is not 0
		fraction    int // digits after the point
		seen, point bool
	)
	push := func(c byte) {
		if inPart == chunk {
			w.mulAdd(pow10[chunk], part)
			part, inPart, isWide = 0, 0, true
		}
		part, inPart = part*10+uint64(c), inPart+1
		if significant > 0 || c != 0 {
			significant++
		}
	}
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			seen = true
			if point {
				if fraction == scale {
					if c != '0' {
						return dst, &TextError{name, "more digits after the point than the column declares"}
					}
					continue
				}
				fraction++
			}
			push(c - '0')
			if significant > precision {
				return dst, &TextError{name, "more digits than the column declares"}
			}
		case c == '.' && !point:
			point = true
		default:
			return dst, &TextError{name, "not a number"}
		}
	}
	if !seen {
		return dst, &TextError{name, "not a number"}
	}
	for ; fraction < scale; fraction++ {
		push(0)
	}
	if significant > precision {
		return dst, &TextError{name, "more digits than the column declares"}
	}
	if !isWide {
		n := int64(part)
		if negative {
			n = -n
		}
		return appendInt64Bytes(dst, n), nil
	}
	w.mulAdd(pow10[inPart], part)
	return appendWideBytes(dst, &w, negative), nil
}

// appendMoney reads what money prints under lc_monetary C: "-$1,234.56". It is
// a whole number of the currency's smallest unit, which lc_monetary C takes for
// a hundredth: how many units the currency has is its schema's scale.
func appendMoney(dst, text []byte) ([]byte, error) {
	digits, negative := text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	n := len(digits)
	if n < len("$0.00") || digits[0] != '$' || digits[n-3] != '.' {
		return dst, &TextError{"money", "not as lc_monetary C prints it: does the session set lc_monetary to C?"}
	}
	var plain [len("-9223372036854775808")]byte
	number := plain[:0:len(plain)]
	if negative {
		number = append(number, '-')
	}
	for i, c := range digits[1:] {
		at := n - 1 - i // places from the end, the character itself among them
		switch {
		case at == 3, c == ',' && at > 3 && (at-3)%4 == 0:
		case !isDigit(c):
			return dst, &TextError{"money", "not a number"}
		case len(number) == len(plain):
			return dst, &TextError{"money", "a number outside the type's range"}
		default:
			number = append(number, c)
		}
	}
	units, ok := parseInt(number)
	if !ok {
		return dst, &TextError{"money", "not a number"}
	}
	return appendInt64Bytes(dst, units), nil
}

// appendInt64Bytes writes n in as few bytes as hold it with its sign.
func appendInt64Bytes(dst []byte, n int64) []byte {
	size := bits.Len64(uint64(n^n>>63))/8 + 1
	dst = avro.AppendLong(dst, int64(size))
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

func appendWideBytes(dst []byte, w *wide, negative bool) []byte {
	if negative {
		carry := uint64(1)
		for i := range w {
			w[i], carry = bits.Add64(^w[i], 0, carry)
		}
	}
	var b [32]byte
	for i := range w {
		binary.BigEndian.PutUint64(b[8*(3-i):], w[i])
	}
	// A leading byte that only repeats the sign of the next is not needed.
	start := 0
	for start < len(b)-1 && (b[start] == 0 && b[start+1] < 0x80 || b[start] == 0xff && b[start+1] >= 0x80) {
		start++
	}
	return avro.AppendBytes(dst, b[start:])
}
