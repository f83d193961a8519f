package identity

import "strings"

// Fold makes the canonical form of a text, and that without diacritics, as
// ParseName does, and tells whether it is what hospitals write for a child
// without a name. It keeps nothing, and may be called from many goroutines.
func Fold(text string) (canonical, toneless string, none bool) {
	if len(text) > MaxNameBytes {
		text = text[:MaxNameBytes]
	}
	canonical = canonicalName(strings.ToValidUTF8(text, ""))
	toneless = tonelessName(canonical)
	return canonical, toneless, placeholder(toneless)
}
