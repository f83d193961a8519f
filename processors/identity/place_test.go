package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// case26: a ward's code was used again on 1 July 2025.
func TestWards(t *testing.T) {
	ward := func(text string, period WardPeriod) Ward { return ParseWard([]byte(text), period) }
	require.NotEqual(t, ward("26737", WardsBefore), ward("26737", WardsToday), "Đa Kao is not Tân Định")
	require.Equal(t, WardsBefore, WardsAt(NewDate(2025, 6, 30)))
	require.Equal(t, WardsToday, WardsAt(NewDate(2025, 7, 1)))
	require.Equal(t, WardsToday, WardsAt(0), "nobody knows")
	require.Equal(t, WardsBefore, WardsAt(NewDate(2024, 0, 0)))
	for _, c := range [][2]string{
		{"26737", "26737"}, {" 26737 ", "26737"}, {"26737.0", "26737"}, {"4", "00004"}, {"00004", "00004"}, {"Phường Bến Nghé", "ben nghe"}, {"P. Bến Nghé", "ben nghe"}, {"P.BẾN NGHÉ", "ben nghe"},
		{"Ben Nghe", "ben nghe"}, {"P. BÕn NghÐ", "ben nghe"}, {"xã Bình Hưng", "binh hung"}, {"Xuân Hòa", "xuan hoa"}, {"Phường 12", "12"}, {"", ""}, {" . ", ""}, {"00000", ""},
	} {
		require.Equal(t, c[1], ward(c[0], WardsToday).Name, "%q", c[0])
	}
	require.Equal(t, "26737 before 2025", ward("26737", WardsBefore).String())
	require.Equal(t, "26737", ward("26737", WardsToday).String())
	require.Zero(t, ward("", WardsBefore).Name)
}

func TestAddresses(t *testing.T) {
	for _, c := range [][2]string{
		{"12 Lê Lợi", "12 le loi"}, {"Số 12 đường Lê Lợi", "12 le loi"}, {"so nha 12/3A, duong Le Loi", "12 3a le loi"}, {"12 NguyÔn HuÖ", "12 nguyen hue"},
		{"12 Bình Đường", "12 binh duong"}, {"12 đường số 7", "12 7"}, {"đường", "duong"}, {"", ""},
	} {
		require.Equal(t, c[1], FoldAddress(c[0]).Toneless, "%q", c[0])
	}
	require.Equal(t, "12 lê lợi", FoldAddress("Số 12 đường Lê Lợi").Canonical)
}

// case14: what a name was written in is told, and names of which letters are
// gone are none.
func TestEncodingsOfNames(t *testing.T) {
	for _, c := range []struct {
		raw, canonical string
		was            Encoding
	}{
		{"NguyÔn V¨n An", "nguyễn văn an", TCVN3},
		{"Nguyeãn Vaên An", "nguyễn văn an", VNI},
		{"Nguyá»…n VÄƒn An", "nguyễn văn an", UTF8Twice},
		{"Nguyễn Văn An", "nguyễn văn an", Unicode},
	} {
		n := Fold(c.raw)
		require.Equal(t, c.canonical, n.Canonical)
		require.Equal(t, c.was, n.Was, c.raw)
		require.False(t, n.NoName())
	}
	require.True(t, Fold("Nguy?n V?n An").NoName())
}

func FuzzParseWard(f *testing.F) {
	for _, s := range []string{"26737", "4", "Phường Bến Nghé", "P. 12", "123456"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w := ParseWard(text, WardsBefore)
		if w.Name == "" && w != (Ward{}) {
			t.Fatalf("%q is a ward without a name", text)
		}
		FoldAddress(string(text))
	})
}

func FuzzReadPhone(f *testing.F) {
	for _, s := range []string{"0903123457", "+84 903 123 457", "01203123457", "0903123457/0912345670", "028 3829 7266"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := ReadPhone(text)
		if got.Number != 0 && got.Notes&(FillerRefused|MalformedRefused) != 0 || uint64(got.Number) >= 3e9 {
			t.Fatal("a number that is none")
		}
	})
}
