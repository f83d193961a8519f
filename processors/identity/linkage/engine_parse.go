package linkage

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hopluu/hopluu/processors/identity"
)

// field is what of an identity.Raw a column is.
type field uint8

const (
	fieldCCCD field = iota
	fieldCMND
	fieldInsurance
	fieldPhone
	fieldName
	fieldBorn
	fieldDied
	fieldSex
	fieldWard
	fieldAddress
	fieldBirthPlace
	fieldTaxCode
	fieldNode
)

var fieldNames = []string{"cccd", "cmnd", "insurance", "phone", "full_name", "birth_date", "died", "sex", "ward", "address", "birth_place", "tax_code", "node"}

// bind finds what each column of a model is.
func bind(m *Model) ([]field, error) {
	var all []field
	for _, c := range m.Columns {
		at := slices.Index(fieldNames, c.Name)
		if at < 0 {
			return nil, fmt.Errorf("model %s: column %q is nothing that the sectors' files match by: name the columns %s", m.Version, c.Name, join(fieldNames))
		}
		want := textKind
		switch field(at) {
		case fieldCCCD, fieldCMND, fieldInsurance, fieldPhone, fieldBirthPlace, fieldTaxCode, fieldNode:
			want = numberKind
		case fieldBorn, fieldDied:
			want = dateKind
		}
		if roles[c.Role].kind != want {
			return nil, fmt.Errorf("model %s: column %q has role %s, which does not fit what it is", m.Version, c.Name, c.Role)
		}
		all = append(all, field(at))
	}
	return all, nil
}

// parse makes the cells of a record.
func (e *Engine) parse(raw *identity.Raw, row []cell) {
	numbers := identity.Numbers(raw)
	restored := func(n identity.Number, note identity.Notes) cell {
		if numbers.Notes&note != 0 {
			return cell{a: uint64(n), b: 1}
		}
		return cell{a: uint64(n)}
	}
	for i, f := range e.fields {
		var c cell
		switch f {
		case fieldCCCD:
			c = restored(numbers.CCCD, identity.CCCDRestored)
		case fieldCMND:
			c = restored(numbers.CMND, identity.CMNDRestored)
		case fieldInsurance:
			c = restored(numbers.Insurance, identity.InsuranceRestored)
		case fieldPhone:
			c = cell{a: uint64(numbers.Phone)}
		case fieldTaxCode:
			c = restored(numbers.TaxCode, identity.TaxCodeRestored)
		case fieldBirthPlace:
			c = cell{a: uint64(identity.ReadProvince(raw.BirthPlace).Number)}
		case fieldNode:
			c = cell{a: uint64(raw.Node)}
		case fieldBorn:
			c = cell{a: uint64(raw.Birth)}
		case fieldDied:
			c = cell{a: uint64(raw.Died)}
		case fieldName:
			c = e.text(i, e.model.roles[i].form, raw.FullName)
		case fieldSex:
			c = e.text(i, e.model.roles[i].form, []byte(raw.Sex.String()))
		case fieldWard:
			form := e.model.roles[i].form
			if form == wardForm && len(e.model.spec.Columns[i].Written) > 0 && identity.WardsAt(raw.Written) == identity.WardsBefore {
				form = wardBeforeForm
			}
			c = e.text(i, form, raw.Ward)
		case fieldAddress:
			c = e.text(i, e.model.roles[i].form, raw.Address)
		}
		if c.a == 0 {
			row[i] = cell{}
			continue
		}
		if kind := e.model.roles[i].kind; kind != textKind {
			c.b |= e.t.frequencies[i].of(kind, &e.t.texts, c)
		}
		row[i] = c
	}
	e.model.finish(row)
}

// known is a text of a column, read in one form, and the cell that it became.
type known struct {
	column int
	form   form
	text   string
	cell   cell
}

// textsKnown is how many texts are remembered as they were written: names and
// wards come again and again.
const textsKnown = 1 << 16

// text makes the cell of a text of a column.
func (e *Engine) text(column int, f form, text []byte) cell {
	if len(text) == 0 {
		return cell{}
	}
	slot := &e.texts[(mix(xxhash.Sum64(text))+uint64(column)+uint64(f)<<8)%textsKnown]
	if slot.text == string(text) && slot.column == column && slot.form == f {
		return slot.cell
	}
	written := string(text)
	made := forms(f, written)
	c := e.t.texts.cell(&made)
	if c.a != 0 {
		c.b |= e.t.frequencies[column].of(textKind, &e.t.texts, c)
		e.t.noteEnds(column, c)
	}
	*slot = known{column, f, written, c}
	return c
}
