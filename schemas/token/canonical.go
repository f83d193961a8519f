package token

import (
	"unicode"
	"unicode/utf8"
)

// AppendCanonical writes the form of an identifier that is hashed. In the
// domains cccd, cmnd, insurance, phone and tax_code white space, dots and
// dashes are left out and letters are upper case: people write one number in
// many ways. In any other domain, and when it is not UTF-8, it is the
// identifier as it is.
func AppendCanonical(dst []byte, domain string, plain []byte) []byte {
	switch domain {
	case "cccd", "cmnd", "insurance", "phone", "tax_code":
	default:
		return append(dst, plain...)
	}
	if !utf8.Valid(plain) {
		return append(dst, plain...)
	}
	for i := 0; i < len(plain); {
		c := plain[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(plain[i:])
			if !unicode.IsSpace(r) && !unicode.Is(unicode.Pd, r) {
				dst = utf8.AppendRune(dst, unicode.ToUpper(r))
			}
			i += n
			continue
		}
		i++
		switch {
		case c == ' ' || c >= '\t' && c <= '\r' || c == '.' || c == '-':
		case c >= 'a' && c <= 'z':
			dst = append(dst, c-'a'+'A')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
