package identity

import "github.com/hopluu/hopluu/schemas/event"

// Origin is the table that records come from. All records of a table share
// one, and are told apart by its address.
type Origin struct {
	Source, Sector, Table string
	// Register is true for the population register: its records are verified,
	// each is one person, and the others are matched to them.
	Register bool
}

// Raw is what a source says of a person, as it says it.
type Raw struct {
	ID       []byte // the record's name: avro.AppendRecordID
	Origin   *Origin
	Position event.Position // of the change that says so

	// Node is what the record speaks of; of AnyNode its name tells.
	Node Node

	CCCD, CMND, Insurance, TaxCode, Phone []byte

	FullName    []byte
	Birth, Died Date
	Sex         Sex
	Ward        []byte
	// Written is the day on which the source wrote the ward, 0 when it does not
	// say: codes of wards were used again for other places.
	Written    Date
	Address    []byte
	BirthPlace []byte // the province
}

// Record is what the identifiers of a record are. They are plaintext, and print
// as redacted.
type Record struct {
	CCCD, CMND, Insurance, TaxCode, Phone Number
	Notes                                 Notes
}

// Numbers reads the identifiers of what a source says: what stands in another
// one's column is put where it belongs. It refuses nothing: what cannot be read
// is missing, which is neutral evidence, and noted.
func Numbers(raw *Raw) (r Record) {
	r.set(ReadCCCD(raw.CCCD))
	r.set(ReadCMND(raw.CMND))
	r.set(ReadInsurance(raw.Insurance))
	r.setTaxCode(raw.TaxCode)
	phone := ReadPhone(raw.Phone)
	r.Phone = phone.Number
	r.Notes |= phone.Notes
	return r
}
