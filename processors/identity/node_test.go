package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNode(t *testing.T) {
	for text, want := range map[string]Node{
		"Nguyễn Văn An": PersonNode, "Hồ Bá Ông": PersonNode, "HO BA LAN": PersonNode, "": AnyNode, "...": AnyNode,
		"Công ty TNHH Quốc Thái": OrganisationNode, "Thương mại Quốc Thái TNHH": OrganisationNode, "CTY CP ABC": OrganisationNode,
		"Hộ kinh doanh Trương Hữu Nghĩa": HouseholdBusinessNode, "HKD Bảy": HouseholdBusinessNode,
		"Hộ bà Lê Thị Hoa": HouseholdNode, "Hộ gia đình ông Tư": HouseholdNode,
	} {
		require.Equal(t, want, Fold(text).Node(), text)
	}
	for text, want := range map[string]Node{
		"household_business": HouseholdBusinessNode, "Hộ kinh doanh": HouseholdBusinessNode, "company": OrganisationNode, "Doanh nghiệp": OrganisationNode,
		"cá nhân": PersonNode, "Hộ gia đình": HouseholdNode, "x": AnyNode, "": AnyNode,
	} {
		require.Equal(t, want, ParseNode([]byte(text)), text)
	}
	for n := AnyNode; n <= OrganisationNode; n++ {
		require.Equal(t, n, ParseNode([]byte(n.String())), "what is written is read")
	}
	require.Equal(t, Reading{Notes: MalformedRefused}, ReadNode([]byte("x")))
}

func TestTaxCode(t *testing.T) {
	for text, want := range map[string]Reading{
		"0301442989": {TaxCode, 301442989, 0}, "301442989": {TaxCode, 301442989, TaxCodeRestored}, "0301442989-001": {TaxCode, 301442989001, 0},
		"079085001234": {CCCD, 79085001234, CCCDFromTaxCode}, "0000000000": {Kind: TaxCode, Notes: FillerRefused}, "4471": {Kind: TaxCode, Notes: MalformedRefused}, "": {Kind: TaxCode},
	} {
		require.Equal(t, want, ReadTaxCode([]byte(text)), text)
	}
}
