package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProvince(t *testing.T) {
	for text, want := range map[string]Province{
		"79": 79, "079": 79, "79.0": 79, "TP. Hồ Chí Minh": 79, "Thành phố Hồ Chí Minh": 79, "tp hcm": 79, "Tỉnh Bình Dương": 74, "BA RIA - VUNG TAU": 77,
		"Phường 12, Quận 3, TP.HCM": 79, "Xã Cần Giờ, Tỉnh Đắk Lắk": 66, "3": 0, "101": 0, "1000": 0, "Paris": 0, "": 0, ",": 0,
	} {
		require.Equal(t, want, ParseProvince([]byte(text)), text)
	}
	seen := map[Province]bool{}
	for code := range Province(200) {
		if code.Known() {
			require.Equal(t, code.Now(), code.Now().Now(), "%d is part of one that is", code)
			seen[code.Now()] = true
		}
	}
	require.Len(t, seen, 34, "provinces and cities since 1 July 2025")
	require.Equal(t, Reading{Number: 79}, ReadProvince([]byte("Bình Dương")))
	require.Equal(t, Reading{Notes: MalformedRefused}, ReadProvince([]byte("Paris")))
	require.Equal(t, Reading{}, ReadProvince([]byte(" ")))
}

func TestACCCDAgainstItsRecord(t *testing.T) {
	man := Number(79_0_85_001234).Structure()
	born := NewDate(1985, 3, 20)
	require.False(t, man.Contradicts(Male, born))
	require.False(t, man.Contradicts(SexUnknown, 0))
	require.False(t, man.Contradicts(SexUnknown, NewDate(1985, 0, 0)))
	require.True(t, man.Contradicts(Female, born), "case09")
	require.True(t, man.Contradicts(Male, NewDate(2016, 7, 8)), "case11: it is the father's")
	require.True(t, Number(3_0_85_001234).Structure().Contradicts(Male, born), "no province had 003")
	require.False(t, Number(99_0_85_001234).Structure().Contradicts(Female, born), "what is no CCCD says nothing")
}
