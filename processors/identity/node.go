package identity

import (
	"slices"
	"strings"
)

// Node is what a record speaks of. Records of one kind are compared with one
// another only: what nodes of two kinds share, a household business and the
// person whose CCCD is its tax code, is a role between them and never makes them
// one.
type Node uint8

// The kinds of node. AnyNode is of a record that does not say: of one with no
// name, by which a person is told from a firm.
const (
	AnyNode Node = iota
	PersonNode
	HouseholdNode
	HouseholdBusinessNode
	OrganisationNode
)

var nodeNames = [...]string{"", "person", "household", "household_business", "organisation"}

// String is the name as sector files and topics write it, "" for AnyNode.
func (n Node) String() string { return nodeNames[n] }

// nodeWords are what systems write for each kind, without diacritics.
var nodeWords = map[string]Node{
	"person": PersonNode, "individual": PersonNode, "ca nhan": PersonNode,
	"household": HouseholdNode, "ho": HouseholdNode, "ho gia dinh": HouseholdNode,
	"household business": HouseholdBusinessNode, "ho kinh doanh": HouseholdBusinessNode, "hkd": HouseholdBusinessNode, "ho kinh doanh ca the": HouseholdBusinessNode,
	"organisation": OrganisationNode, "organization": OrganisationNode, "company": OrganisationNode, "to chuc": OrganisationNode, "doanh nghiep": OrganisationNode, "cong ty": OrganisationNode,
}

// ParseNode reads a kind as systems write it; AnyNode is of what it does not know.
func ParseNode(text []byte) Node {
	if len(text) > MaxNameBytes {
		return AnyNode
	}
	return nodeWords[Fold(string(text)).Toneless]
}

// ReadNode is ParseNode as the reading of a number.
func ReadNode(text []byte) Reading {
	n := ParseNode(text)
	if n == AnyNode && !blank(text) {
		return Reading{Notes: MalformedRefused}
	}
	return Reading{Number: Number(n)}
}

// businessStarts are the words that the names of household businesses begin
// with, and organisationStarts those of firms and institutions, without
// diacritics; householdStarts are those of households with them, as "hộ bà" and
// the name Hồ Bá are the same without.
var (
	businessStarts     = []string{"ho kinh doanh ", "hkd "}
	organisationStarts = []string{
		"cong ty ", "cty ", "tong cong ty ", "tap doan ", "doanh nghiep ", "dntn ", "xi nghiep ", "hop tac xa ", "htx ",
		"co so ", "cua hang ", "chi nhanh ", "van phong dai dien ", "trung tam ", "ngan hang ", "benh vien ",
	}
	householdStarts = []string{"hộ gia đình ", "hộ ông ", "hộ bà "}
)

// Node tells by a name what bears it: a person, unless it is a firm's, a
// household business's, an institution's or a household's. It is AnyNode of an
// empty name.
func (f Text) Node() Node {
	starts := func(s string, with []string) bool {
		return slices.ContainsFunc(with, func(start string) bool { return strings.HasPrefix(s, start) })
	}
	switch {
	case f.Toneless == "":
		return AnyNode
	case starts(f.Toneless, businessStarts):
		return HouseholdBusinessNode
	case starts(f.Toneless, organisationStarts) || strings.Contains(" "+f.Toneless+" ", " tnhh "):
		return OrganisationNode
	case starts(f.Canonical, householdStarts):
		return HouseholdNode
	}
	return PersonNode
}
