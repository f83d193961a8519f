package identity

import "fmt"

// Field is one thing that two records are compared on.
type Field uint8

// The fields.
const (
	FieldCCCD Field = iota
	FieldCMND
	FieldInsurance
	FieldRegister
	FieldName
	FieldBirth
	FieldSex
	FieldStructure
	fields
)

var fieldNames = [fields]string{"cccd", "cmnd", "insurance", "register", "name", "birth", "sex", "structure"}

func (f Field) String() string { return fieldNames[f] }

// ParseField reads what String writes.
func ParseField(s string) (Field, error) {
	for i, name := range fieldNames {
		if name == s {
			return Field(i), nil
		}
	}
	return 0, fmt.Errorf("there is no field %q", s)
}

// Level is how far two records agree on a field.
type Level uint8

// The levels. A field has some of them: fieldLevels says which.
const (
	// Missing on one side is neutral: unknown is never agreement.
	Missing Level = iota
	Equal
	Differ

	// Of identifiers.
	Restored  // equal once the leading zeros that one side lost are put back
	Near      // one digit is other, or two neighbours changed places (of names: one letter)
	Contested // equal, but holders of the number contradict one another
	Shared    // equal, but two people of the register, or too many records, hold the number

	// Of names.
	Toneless    // equal without diacritics
	Reordered   // the same syllables in another order
	Partial     // the same but for middle names that one side leaves out
	Variant     // equal when variants of one name (Hoàng, Huỳnh) count as one
	OneSyllable // one syllable of several is another: twins, brothers and sisters

	// Of birth dates.
	Swapped    // equal with day and month exchanged
	Year       // the year is the same and one side knows no more
	Generation // so many years apart that it is not a slip

	// Of the structure of a CCCD, against the other side's sex and year of birth.
	Agrees
	Contradicts

	// Of the population register: how many of the two are its records.
	None
	One
	Both
	levels
)

var levelNames = [levels]string{"missing", "equal", "differ", "restored", "near", "contested", "shared", "toneless", "reordered", "partial",
	"variant", "one_syllable", "swapped", "year", "generation", "agrees", "contradicts", "none", "one", "both"}

func (l Level) String() string { return levelNames[l] }

// ParseLevel reads what String writes.
func ParseLevel(s string) (Level, error) {
	for i, name := range levelNames {
		if name == s {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("there is no level %q", s)
}

// levelSet is a set of levels, one bit each.
type levelSet uint32

func set(ls ...Level) levelSet {
	var s levelSet
	for _, l := range ls {
		s |= 1 << l
	}
	return s
}

func (s levelSet) has(l Level) bool { return s>>l&1 == 1 }

var idLevels = set(Missing, Equal, Differ, Restored, Near, Contested, Shared)

// fieldLevels is what Compare, and the detector of shared ids, may say of a field.
var fieldLevels = [fields]levelSet{
	FieldCCCD:      idLevels,
	FieldCMND:      idLevels,
	FieldInsurance: idLevels,
	FieldRegister:  set(None, One, Both),
	FieldName:      set(Missing, Equal, Differ, Near, Toneless, Reordered, Partial, Variant, OneSyllable),
	FieldBirth:     set(Missing, Equal, Differ, Near, Swapped, Year, Generation),
	FieldSex:       set(Missing, Equal, Differ),
	FieldStructure: set(Missing, Agrees, Contradicts),
}

// Evidence is what one field says of a pair, under a model.
type Evidence struct {
	Field Field
	Level Level
	// Weight is log2(m/u) of the level, 0 in a model without weights.
	Weight float64
}

// Comparison is the evidence of a pair: one level for each field. It is a pure
// function of the two records, the same for (a, b) and (b, a).
type Comparison [fields]Level
