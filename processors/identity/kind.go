package identity

// Kind is a kind of identifier.
type Kind uint8

// The kinds. A tax code of 12 digits is a CCCD; one of 10, and a telephone
// number, are no person's own: companies and families have them.
const (
	CCCD Kind = iota
	CMND
	Insurance
	TaxCode
)

func (k Kind) String() string { return [...]string{"cccd", "cmnd", "insurance", "tax_code"}[k] }
