package avro

import "strings"

// SafeName makes an Avro name of any identifier, as Debezium does: what is not
// a letter of ASCII, a digit or an underscore becomes an underscore, and a
// leading digit gets one before it. Two identifiers may fall together;
// Compile refuses a table in which they do.
func SafeName(s string) string {
	if validName(s) {
		return s
	}
	var b strings.Builder
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		b.WriteByte('_')
	}
	for _, r := range s {
		if r < 0x80 && nameByte(byte(r)) {
			b.WriteByte(byte(r))
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

func nameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// validName tells whether s is one part of an Avro name.
func validName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return true
}

// validFullName tells whether s is Avro names joined by dots.
func validFullName(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !validName(part) {
			return false
		}
	}
	return true
}
