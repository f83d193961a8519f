package identity

import "strings"

// organisationStarts are the words that the names of firms, household
// businesses and institutions begin with, without diacritics.
var organisationStarts = []string{
	"cong ty ", "cty ", "tong cong ty ", "tap doan ", "doanh nghiep ", "dntn ", "xi nghiep ", "hop tac xa ", "htx ",
	"ho kinh doanh ", "hkd ", "co so ", "cua hang ", "chi nhanh ", "van phong dai dien ", "trung tam ", "ngan hang ", "benh vien ",
}

// Organisation tells a name that no person bears: of a firm, a household
// business, an institution. It may share a number with the person who answers
// for it, and is another node all the same.
func (f Text) Organisation() bool {
	for _, start := range organisationStarts {
		if strings.HasPrefix(f.Toneless, start) {
			return true
		}
	}
	return strings.Contains(" "+f.Toneless+" ", " tnhh ")
}
