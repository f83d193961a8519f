package tables

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/google/uuid"

	"github.com/hopluu/hopluu/schemas/avro"
)

// What ClickHouse's Date32 and DateTime64 hold. The upper end of DateTime is
// the client's: it counts nanoseconds in 64 bits.
var (
	minDay   = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400
	maxDay   = time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC).Unix() / 86400
	minMicro = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxMicro = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - 1
)

var (
	errNull     = errors.New("NULL in a column of the key")
	errDate     = errors.New("a date outside ClickHouse's 1900-01-01 to 2299-12-31 (infinity among them)")
	errDateTime = errors.New("a time outside ClickHouse's 1900-01-01 to 2261-12-31 (infinity among them)")
	errZoned    = errors.New("not a time of the form 2006-01-02T15:04:05.999999Z")
	errUUID     = errors.New("not a UUID")
	errBits     = errors.New("bits that are not as many as the column's schema says")
	errNumber   = errors.New("a number outside the column's range")
)

// RowError says which cell of a row ClickHouse cannot hold. The row goes to
// the dead letters; the value is not changed to fit (P3). It names no value:
// that may be personal (P11).
type RowError struct {
	Dataset, Column string
	Err             error
}

func (e *RowError) Error() string {
	return fmt.Sprintf("%s: column %s: %v", e.Dataset, e.Column, e.Err)
}

func (e *RowError) Unwrap() error { return e.Err }

// mend adds to why a value is refused what the sector file can do about it: a
// column of its own for such values, which neither a key nor an element of an
// array can have.
func (c *Column) mend(err error) error {
	if c.Key || c.Type.Kind == Array || !errors.Is(err, errDate) && !errors.Is(err, errDateTime) {
		return err
	}
	return fmt.Errorf("%w: unfit: text in the sector file makes a place for such values", err)
}

// append adds a cell of the given Avro type.
func (v *vector) append(c *avro.Cell, from *avro.Type) error {
	if c.Null {
		if !v.nullable {
			return errNull
		}
		v.appendNull()
		return nil
	}
	switch v.typ.Kind {
	case Bool:
		v.bools = append(v.bools, c.N != 0)
		v.present(1)
	case Int16:
		if c.N != int64(int16(c.N)) {
			return errNumber
		}
		v.i16 = append(v.i16, int16(c.N))
		v.present(2)
	case Int32:
		if c.N != int64(int32(c.N)) {
			return errNumber
		}
		v.i32 = append(v.i32, int32(c.N))
		v.present(4)
	case Int64:
		v.i64 = append(v.i64, c.N)
		v.present(8)
	case Float32:
		v.f32 = append(v.f32, float32(c.F))
		v.present(4)
	case Float64:
		v.f64 = append(v.f64, c.F)
		v.present(8)
	case Date:
		if c.N < minDay || c.N > maxDay {
			return errDate
		}
		v.i32 = append(v.i32, int32(c.N))
		v.present(4)
	case DateTime:
		us := c.N
		if from.Kind == avro.String {
			var err error
			if us, err = parseZoned(c.B); err != nil {
				return err
			}
		}
		if us < minMicro || us > maxMicro {
			return errDateTime
		}
		v.i64 = append(v.i64, us)
		v.present(8)
	case UUID:
		id, err := uuid.ParseBytes(c.B)
		if err != nil {
			return errUUID
		}
		v.uuids = append(v.uuids, id)
		v.present(16)
	case Decimal:
		return v.appendDecimal(c.B, from.Scale)
	case Array:
		for i := range c.Elems {
			if err := v.elems.append(&c.Elems[i], from.Elem); err != nil {
				// The elements before stay until the row is cut back.
				return fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		v.ends = append(v.ends, v.elems.rows())
		v.present(8)
	default:
		if from.Logical == bitsName {
			return v.appendBits(c.B, from.Length)
		}
		v.appendBytes(c.B)
	}
	return nil
}

// appendBits adds the digits of Debezium's Bits, bytes of which the first is the
// lowest: as many as the schema says, for the zeros in front are digits too.
func (v *vector) appendBits(b []byte, length int) error {
	digit := func(i int) byte { return b[i/8] >> (i % 8) & 1 }
	have := 8 * len(b)
	switch {
	case length == 0:
		length = have
	case length == math.MaxInt32: // a bit varying of Debezium's, whose length is lost
		for length = have; length > 0 && digit(length-1) == 0; {
			length--
		}
	case length > have:
		return errBits
	}
	for i := length; i < have; i++ {
		if digit(i) != 0 {
			return errBits
		}
	}
	for i := length - 1; i >= 0; i-- {
		v.data = append(v.data, '0'+digit(i))
	}
	v.ends = append(v.ends, len(v.data))
	v.present(length + 8)
	return nil
}

// appendDecimal adds an unscaled number of the given scale, which the column's
// scale is at least.
func (v *vector) appendDecimal(unscaled []byte, scale int) error {
	shift := v.typ.Scale - scale
	if v.typ.narrow() && len(unscaled) <= 8 {
		n := int64(0)
		if len(unscaled) > 0 && unscaled[0] >= 0x80 {
			n = -1
		}
		for _, b := range unscaled {
			n = n<<8 | int64(b)
		}
		limit := pow10[v.typ.Precision-shift]
		if n >= limit || n <= -limit {
			return errNumber
		}
		v.i64 = append(v.i64, n*pow10[shift])
		v.present(8)
		return nil
	}
	n := bigFromBytes(unscaled)
	if shift > 0 {
		n.Mul(n, bigPow10(shift))
	}
	if n.CmpAbs(bigPow10(v.typ.Precision)) >= 0 {
		return errNumber
	}
	if v.typ.narrow() {
		v.i64 = append(v.i64, n.Int64())
		v.present(8)
		return nil
	}
	v.data = appendTwosComplement(v.data, n)
	v.ends = append(v.ends, len(v.data))
	v.present(16)
	return nil
}

var pow10 = func() (p [narrowDecimal + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func appendTwosComplement(dst []byte, n *big.Int) []byte {
	size := n.BitLen()/8 + 1
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size)*8))
	}
	at := len(dst)
	dst = append(dst, make([]byte, size)...)
	n.FillBytes(dst[at:])
	return dst
}

// parseZoned reads "2020-01-31T23:59:59.123456Z", the form of a
// ZonedTimestamp, as microseconds since 1970-01-01 UTC.
func parseZoned(b []byte) (int64, error) {
	if string(b) == "infinity" || string(b) == "-infinity" {
		return 0, errDateTime
	}
	if us, ok := parseZonedFast(b); ok {
		return us, nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
			return 0, errDateTime // ISO 8601 gives years outside of 0000 to 9999 a sign
		}
		return 0, errZoned
	}
	return t.UnixMicro(), nil
}

// parseZonedFast reads the common form, a four-digit year and a Z, without
// time.Parse, which is most of the work of a row otherwise.
func parseZonedFast(b []byte) (int64, bool) {
	n := len(b)
	if n < 20 || b[n-1] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	fraction := int64(0)
	if n > 20 {
		if b[19] != '.' || n-21 < 1 || n-21 > 6 {
			return 0, false
		}
		f, ok := digits(b[20 : n-1])
		if !ok {
			return 0, false
		}
		fraction = f * pow10[6-(n-21)]
	}
	if day > int64(time.Date(int(year), time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()) {
		return 0, false
	}
	return time.Date(int(year), time.Month(month), int(day), int(hour), int(minute), int(second), 0, time.UTC).Unix()*1e6 + fraction, true
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
