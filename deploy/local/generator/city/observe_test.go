package city

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// The faults come at the rates that are fixed, and at their multiples.
func TestFaultsComeAtTheirRates(t *testing.T) {
	for _, times := range []float64{0.5, 1, 2} {
		c, err := Build(Params{Seed: 9, Persons: 6000, Base: base, Rates: FixedRates().Times(times)})
		require.NoError(t, err)
		var n, missing, present, wrong, filler, noCMND, cmnd, toneless, nfd, otherName, firstJanuary, otherBirth, noBirth, sex, noPhone, phones, otherPhone, otherAddress float64
		for round := range 10 {
			for i := range c.People {
				p := &c.People[i]
				id := c.Observe(Rand(9, "test", int64(round), p.ID), p, "health", base)
				n++
				switch {
				case id.CCCD == "":
					missing++
				case id.CCCD != p.CCCD:
					wrong++
					if strings.Contains(strings.Join(fillers, " "), id.CCCD) {
						filler++
					}
				}
				if id.CCCD != "" {
					present++
				}
				if p.CMND != "" {
					cmnd++
					if id.CMND == "" {
						noCMND++
					}
				}
				switch {
				case id.FullName == p.Name():
				case id.FullName == strings.ToUpper(Toneless(id.FullName)):
					toneless++
				case !norm.NFC.IsNormalString(id.FullName):
					nfd++
				default:
					otherName++
				}
				switch {
				case id.Born.IsZero():
					noBirth++
				case id.Born.Equal(p.Born):
				case id.Born.YearDay() == 1 && id.Born.Year() == p.Born.Year():
					firstJanuary++
				default:
					otherBirth++
				}
				if id.Sex != string(p.Sex) {
					sex++
				}
				if p.Phone != "" {
					phones++
					if id.Phone == "" {
						noPhone++
					} else if id.Phone != p.Phone {
						otherPhone++
					}
				}
				if !strings.HasSuffix(id.Address, p.Address[strings.Index(p.Address, " ")+1:]) {
					otherAddress++
				}
			}
		}
		within := func(want, got float64, what string) {
			t.Helper()
			require.InDelta(t, want*times, got, max(0.12*want*times, 0.002), "%s at %v times the rates", what, times)
		}
		within(0.35, missing/n, "CCCD missing")
		within(0.0203, wrong/present, "CCCD wrong")
		within(0.003, filler/present, "CCCD a filler")
		within(0.45, noCMND/cmnd, "CMND missing")
		within(0.10, toneless/n, "name without tones")
		within(0.04, nfd/n, "name decomposed")
		// Faults overlap a little at twice the rates.
		within(0.03+0.03+0.025+0.01+0.01+0.015, otherName/n/(1-0.14*times), "name otherwise other")
		within(0.03, firstJanuary/n, "born on 1 January")
		within(0.03, otherBirth/n, "born on another day")
		within(0.005, noBirth/n, "no date of birth")
		within(0.01, sex/n, "sex wrong")
		within(0.35, noPhone/phones, "phone missing")
		within(0.20, otherPhone/(phones-noPhone), "phone changed")
		within(0.15, otherAddress/n, "another address")
	}
}

func TestToneless(t *testing.T) {
	require.Equal(t, "Do Thi Thuy", Toneless("Đỗ Thị Thủy"))
	require.Equal(t, "nguyen duc huong", Toneless(norm.NFD.String("nguyễn đức hường")))
}

func TestRespell(t *testing.T) {
	for in, want := range map[string]string{
		"Trần Văn Hòa": "Trần Văn Hoà", "Trần Văn Hoà": "Trần Văn Hòa", "Lê Thị Thúy": "Lê Thị Thuý", "Ngô Tấn Vỹ": "Ngô Tấn Vĩ", "Đỗ Quý": "Đỗ Quí", "Trần Mỹ Lan": "Trần Mĩ Lan",
	} {
		got, ok := respell(in)
		require.True(t, ok, in)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"Trần Văn Hải", "Phan Thị Duyên"} {
		got, ok := respell(in)
		require.False(t, ok, "%s became %s", in, got)
	}
}

func TestRegional(t *testing.T) {
	got, ok := regional("Huỳnh Văn Long")
	require.True(t, ok)
	require.Equal(t, "Hoàng Văn Long", got)
	_, ok = regional("Trần Văn Long")
	require.False(t, ok)
}

func TestMistypeChangesTheName(t *testing.T) {
	r := Rand(3, "typo")
	same := 0
	for range 2000 {
		if mistype(r, "Nguyễn Văn An") == "Nguyễn Văn An" {
			same++
		}
	}
	require.Zero(t, same)
	for range 2000 {
		require.NotEqual(t, "079203001234", mistypeDigits(r, "079203001234"))
	}
}
