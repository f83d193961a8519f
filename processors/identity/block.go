package identity

// Kind is a kind of identifier that records are blocked by.
type Kind uint8

// The kinds. A tax code of 12 digits is a CCCD; one of 10, and a telephone
// number, bring no records together: companies and families have them.
const (
	CCCD Kind = iota
	CMND
	Insurance
	kinds
)

func (k Kind) String() string { return [...]string{"cccd", "cmnd", "insurance"}[k] }

// BlockKey is one value of one kind of identifier: records that share a key
// are compared. It is plaintext and prints as redacted.
type BlockKey = Number

// blockKey puts the kind above the at most 12 digits of a number.
func blockKey(k Kind, n Number) BlockKey { return BlockKey(uint64(k+1)<<56 | uint64(n)) }

// number gives the record's identifier of a kind, 0 when it has none.
func (r *Record) number(k Kind) Number {
	switch k {
	case CCCD:
		return r.CCCD
	case CMND:
		return r.CMND
	default:
		return r.Insurance
	}
}

// key gives the record's block of a kind, 0 when it has none.
func (r *Record) key(k Kind) BlockKey {
	if n := r.number(k); n != 0 {
		return blockKey(k, n)
	}
	return 0
}

// Block gives the keys of a record.
func Block(r *Record) []BlockKey {
	var keys []BlockKey
	for k := range kinds {
		if key := r.key(k); key != 0 {
			keys = append(keys, key)
		}
	}
	return keys
}
