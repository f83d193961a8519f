package event

import "strconv"

// Range is the part of a table whose rows have, in the first column of their
// key, a value from From to To, both included; an end that is nil is open. The
// ends are in the source's own text output format, as a Value is. Integers and
// dates compare by their value, texts byte by byte.
type Range struct {
	Column string  `json:"column"`
	From   *string `json:"from,omitempty"`
	To     *string `json:"to,omitempty"`
}

// String is for people, and no two ranges have the same: "id" from "1" to "9".
func (r Range) String() string {
	s := strconv.Quote(r.Column)
	if r.From != nil {
		s += " from " + strconv.Quote(*r.From)
	}
	if r.To != nil {
		s += " to " + strconv.Quote(*r.To)
	}
	return s
}
