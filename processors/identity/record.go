package identity

import (
	"log/slog"
	"unique"

	"github.com/hopluu/hopluu/schemas/event"
)

// Origin is the table that records come from. All records of a table share
// one, and are told apart by its address.
type Origin struct {
	Source, Sector, Table string
	// Register is true for the population register: its records are verified,
	// each is one person, and the others are matched to them.
	Register bool
}

// Raw is what a source says of a person, as it says it. Slices may be reused
// after Normalise.
type Raw struct {
	ID       []byte // the record's name: avro.AppendRecordID
	Origin   *Origin
	Position event.Position // of the change that says so

	CCCD, CMND, Insurance, TaxCode, Phone []byte

	FullName    []byte
	Birth, Died Date
	BirthNotes  Notes // what ReadDate said of Birth
	Sex         Sex
	Ward        []byte
	Address     []byte
}

// Record is a normalised record of a person: a node. It is small, for millions
// are kept in memory. It holds plaintext identifiers and prints as its ID only.
type Record struct {
	ID       string
	Origin   *Origin
	Position event.Position

	CCCD, CMND, Insurance, TaxCode, Phone Number

	Name        Name
	Ward        unique.Handle[string]
	Birth, Died Date
	Notes       Notes
	Sex         Sex
}

// Normalise makes a record of what a source says. It refuses nothing: what
// cannot be read is missing, which is neutral evidence, and noted.
func Normalise(raw *Raw) Record {
	r := Record{
		ID:       string(raw.ID),
		Origin:   raw.Origin,
		Position: raw.Position,
		Name:     ParseName(raw.FullName),
		Ward:     unique.Make(string(raw.Ward)),
		Birth:    raw.Birth,
		Died:     raw.Died,
		Sex:      raw.Sex,
	}
	r.Notes = raw.BirthNotes | r.Name.notes(raw.FullName)
	r.setNumbers(raw)
	return r
}

// String is the record's ID: the rest is personal data (P11).
func (r Record) String() string { return r.ID }

// LogValue keeps personal data out of logs (P11).
func (r Record) LogValue() slog.Value { return slog.StringValue(r.ID) }

// sameEvidence tells whether a new version of a record can change no decision.
func sameEvidence(a, b *Record) bool {
	return a.Origin == b.Origin && a.CCCD == b.CCCD && a.CMND == b.CMND && a.Insurance == b.Insurance &&
		a.Notes&restored == b.Notes&restored && a.Name.Canonical == b.Name.Canonical &&
		a.Birth == b.Birth && a.Died == b.Died && a.Sex == b.Sex
}

// Numbers reads the identifiers of what a source says: what stands in another
// one's column is put where it belongs. The rest of the record is left out.
func Numbers(raw *Raw) (r Record) {
	r.setNumbers(raw)
	return r
}

func (r *Record) setNumbers(raw *Raw) {
	r.set(ReadCCCD(raw.CCCD))
	r.set(ReadCMND(raw.CMND))
	r.set(ReadInsurance(raw.Insurance))
	r.setTaxCode(raw.TaxCode)
	phone := ReadPhone(raw.Phone)
	r.Phone = phone.Number
	r.Notes |= phone.Notes
}
