package city

// Rates are the shares of records with each fault, 0 to 1. The population
// register has none.
type Rates struct {
	Source map[string]SourceRates // by sector

	CCCDTypo, CCCDZeros, CCCDFiller, CCCDOfKin float64 // of the numbers present; OfKin of children's only
	InsuranceTypo                              float64 // of the numbers present
	PhoneMissing, PhoneChanged                 float64 // changed: of the numbers present

	NameToneless, NameNFD, NameSpelling, NameUpper     float64
	NameNoMiddle, NameTurned, NameRegional, NameTypo   float64
	BirthFirstJanuary, BirthSwapped, BirthDay, NoBirth float64
	SexWrong, OtherAddress                             float64
}

// SourceRates are the rates that differ by sector.
type SourceRates struct {
	CCCDMissing, CMNDMissing, InsuranceMissing float64
}

// FixedRates are the rates that the generated city is made with.
func FixedRates() Rates {
	return Rates{
		Source: map[string]SourceRates{
			"health":       {CCCDMissing: 0.35, CMNDMissing: 0.45, InsuranceMissing: 0.15},
			"welfare":      {CCCDMissing: 0.25, CMNDMissing: 0.30, InsuranceMissing: 0.60},
			"tax":          {CCCDMissing: 0.12, CMNDMissing: 0.60, InsuranceMissing: 0.60},
			"construction": {CCCDMissing: 0.20, CMNDMissing: 0.60, InsuranceMissing: 0.60},
		},
		CCCDTypo: 0.012, CCCDZeros: 0.004, CCCDFiller: 0.003, CCCDOfKin: 0.007,
		InsuranceTypo: 0.01,
		PhoneMissing:  0.35, PhoneChanged: 0.20,
		NameToneless: 0.10, NameNFD: 0.04, NameSpelling: 0.03, NameUpper: 0.03,
		NameNoMiddle: 0.025, NameTurned: 0.01, NameRegional: 0.01, NameTypo: 0.015,
		BirthFirstJanuary: 0.03, BirthSwapped: 0.015, BirthDay: 0.015, NoBirth: 0.005,
		SexWrong: 0.01, OtherAddress: 0.15,
	}
}

// Times gives the rates multiplied by f, none above 1: a matcher is tried at
// half and at double the rates that it was trained on.
func (r Rates) Times(f float64) Rates {
	times := func(p float64) float64 { return min(1, p*f) }
	out := Rates{
		Source:   make(map[string]SourceRates, len(r.Source)),
		CCCDTypo: times(r.CCCDTypo), CCCDZeros: times(r.CCCDZeros), CCCDFiller: times(r.CCCDFiller), CCCDOfKin: times(r.CCCDOfKin),
		InsuranceTypo: times(r.InsuranceTypo),
		PhoneMissing:  times(r.PhoneMissing), PhoneChanged: times(r.PhoneChanged),
		NameToneless: times(r.NameToneless), NameNFD: times(r.NameNFD), NameSpelling: times(r.NameSpelling), NameUpper: times(r.NameUpper),
		NameNoMiddle: times(r.NameNoMiddle), NameTurned: times(r.NameTurned), NameRegional: times(r.NameRegional), NameTypo: times(r.NameTypo),
		BirthFirstJanuary: times(r.BirthFirstJanuary), BirthSwapped: times(r.BirthSwapped), BirthDay: times(r.BirthDay), NoBirth: times(r.NoBirth),
		SexWrong: times(r.SexWrong), OtherAddress: times(r.OtherAddress),
	}
	for sector, s := range r.Source {
		out.Source[sector] = SourceRates{CCCDMissing: times(s.CCCDMissing), CMNDMissing: times(s.CMNDMissing), InsuranceMissing: times(s.InsuranceMissing)}
	}
	return out
}
