package linkage

import "github.com/hopluu/hopluu/processors/identity"

// ColumnIntake tells what became of the values of a column when they were
// normalised.
type ColumnIntake struct {
	Column string `json:"column"`
	// Values are those that say something; Empty the rest that was nothing.
	Values int64 `json:"values"`
	Empty  int64 `json:"empty"`
	// Fillers are values that people write when they have none (000000000), and
	// Refused those that are none of the column's role.
	Fillers int64 `json:"fillers,omitempty"`
	Refused int64 `json:"refused,omitempty"`
	// Restored had lost leading zeros; Moved were another kind of number and
	// went to the column of that; Renumbered were telephone numbers of before 2018.
	Restored   int64 `json:"restored,omitempty"`
	Moved      int64 `json:"moved,omitempty"`
	Renumbered int64 `json:"renumbered,omitempty"`
	// YearOnly, Swapped and Impossible are dates.
	YearOnly   int64 `json:"year_only,omitempty"`
	Swapped    int64 `json:"swapped,omitempty"`
	Impossible int64 `json:"impossible,omitempty"`
	// Converted are texts that were written in TCVN3, in VNI, or as bytes that
	// are not UTF-8.
	Converted int64 `json:"converted,omitempty"`
	// Doubted are CCCDs that say another sex or year of birth than their record, or
	// a province that never was.
	Doubted int64 `json:"doubted,omitempty"`
	// Organisations are names of firms, household businesses and households.
	Organisations int64 `json:"organisations,omitempty"`
}

// Intake tells what became of the values, by the columns that some file has. It
// is whole once the table is closed.
func (t *Table) Intake() (all []ColumnIntake) {
	for i := range t.intake {
		if t.used[i] {
			all = append(all, t.intake[i])
		}
	}
	return all
}

// note counts what reading a value of a number or a date found out.
func (c *ColumnIntake) note(found bool, n identity.Notes) {
	count := func(into *int64, notes identity.Notes) {
		if n&notes != 0 {
			*into++
		}
	}
	if found {
		c.Values++
	}
	count(&c.Fillers, identity.FillerRefused)
	count(&c.Refused, identity.MalformedRefused|identity.BirthRefused)
	count(&c.Restored, zerosRestored)
	count(&c.Renumbered, identity.PhoneRenumbered)
	count(&c.YearOnly, identity.BirthYearOnly)
	count(&c.Swapped, identity.BirthSwapped)
	count(&c.Impossible, identity.BirthImpossible)
}
