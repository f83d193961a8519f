package identity

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// How names and streets come out of databases whose fonts had an encoding of
// their own.
func TestRepair(t *testing.T) {
	for _, c := range []struct {
		text, want string
		was        Encoding
	}{
		{"NguyÔn V¨n An", "Nguyễn Văn An", TCVN3},
		{"TrÇn ThÞ Hång H¹nh", "Trần Thị Hồng Hạnh", TCVN3},
		{"Ph¹m ®øc Dòng", "Phạm đức Dũng", TCVN3},
		{"§ç Thóy HuÖ", "Đỗ Thúy Huệ", TCVN3},
		{"Vò H\u00ad¬ng Giang", "Vũ Hương Giang", TCVN3},
		{"HuúnhTÊn Ph¸t", "HuúnhTÊn Ph¸t", Unicode}, // two words in one: nobody knows
		{"Huúnh TÊn Ph¸t", "Huỳnh Tấn Phát", TCVN3},
		{"NguyÔn thÞ quúnh nh\u00ad", "Nguyễn thị quỳnh như", TCVN3},
		{"12/3 NguyÔn HuÖ, P. BÕn NghÐ, Q.1, TP.HCM", "12/3 Nguyễn Huệ, P. Bến Nghé, Q.1, TP.HCM", TCVN3},
		{"Nguyeãn Vaên An", "Nguyễn Văn An", VNI},
		{"Traàn Thò Hoàng Haïnh", "Trần Thị Hồng Hạnh", VNI},
		{"TRAÀN THÒ HOÀNG HAÏNH", "TRẦN THỊ HỒNG HẠNH", VNI},
		{"Ñoã Thuùy Hueä", "Đỗ Thúy Huệ", VNI},
		{"Huyønh Taán Phaùt", "Huỳnh Tấn Phát", VNI},
		{"Vuõ Höông Giang", "Vũ Hương Giang", VNI},
		{"Leâ Sôn", "Lê Sơn", VNI},
		{"Buøi Quyønh Nhö", "Bùi Quỳnh Như", VNI},
		{"45 Ñöôøng Leâ Lôïi", "45 Đường Lê Lợi", VNI},
		{"Nguyá»…n VÄƒn An", "Nguyễn Văn An", UTF8Twice},
		{"Lê Äá»©c", "Lê Äá»©c", Unicode}, // half of it
		{latin1("Đặng Thị Ngọc"), "Đặng Thị Ngọc", UTF8Twice},
		{latin1(norm.NFD.String("Đặng")), "Đặng", UTF8Twice},
		{latin1("Müller"), "Müller", UTF8Twice},
		// As it stands it is right, or somebody else's.
		{"Nguyễn Văn An", "Nguyễn Văn An", Unicode}, {norm.NFD.String("Trần Ánh"), "Trần Ánh", Unicode},
		{"Lê Hà", "Lê Hà", Unicode}, {"Tô Vân Bình", "Tô Vân Bình", Unicode}, {"Lý Thông", "Lý Thông", Unicode}, {"Phan Sôn", "Phan Sôn", Unicode}, {"Phan Lâ", "Phan Lâ", Unicode},
		{"Müller", "Müller", Unicode}, {"José Nuñez", "José Nuñez", Unicode}, {"François Noël", "François Noël", Unicode}, {"Söderström", "Söderström", Unicode},
		{"Jørgen Bæk", "Jørgen Bæk", Unicode}, {"Åsa Löw", "Åsa Löw", Unicode}, {"Loïc Martin", "Loïc Martin", Unicode}, {"Strauß", "Strauß", Unicode},
		{"Y Niê Kpă", "Y Niê Kpă", Unicode}, {"plain", "plain", Unicode}, {"", "", Unicode}, {"ÿþ", "ÿþ", Unicode}, {"«»", "«»", Unicode},
		{"\xff\xfe", "ÿþ", Windows1252}, {"M\xfcller", "Müller", Windows1252}, {"Nguy\xd4n V\xa8n An", "Nguyễn Văn An", TCVN3}, {"\x81\x93", "\u0081\u201c", Windows1252},
	} {
		got, was := Repair(c.text)
		require.Equal(t, c.want, got, "%q", c.text)
		require.Equal(t, c.was.String(), was.String(), "%q", c.text)
	}
}

// latin1 takes the bytes of a text for Latin-1.
func latin1(s string) string {
	out, err := charmap.ISO8859_1.NewDecoder().String(s)
	if err != nil {
		panic(err)
	}
	return out
}

// Every letter of both encodings comes back, in words that show which it is.
func TestEveryLetterIsRepaired(t *testing.T) {
	toTCVN3, toVNI := map[rune]string{}, map[rune]string{}
	for from, to := range tcvn3 {
		toTCVN3[to] = string(from)
	}
	for from, to := range vniAlone {
		toVNI[to] = string(from)
	}
	for pair, to := range vniSigns {
		toVNI[to] = string(pair[:])
	}
	for _, letters := range toned {
		for tone, r := range letters {
			for name, table := range map[Encoding]map[rune]string{TCVN3: toTCVN3, VNI: toVNI} {
				if r < 0x80 {
					continue
				}
				written, ok := table[r]
				require.True(t, ok, "%s has no %c", name, r)
				// ễ and ă tell which encoding it is.
				text := "nguy" + table['ễ'] + "n v" + table['ă'] + "n l" + written
				if letters[noTone] == 'ă' || letters[noTone] == 'â' {
					text += "n" // these two end no syllable
				}
				got, was := Repair(text)
				require.Equal(t, name, was, "%c tone %d: %q is %q", r, tone, text, got)
				require.Contains(t, got, " l"+string(r))
			}
		}
	}
}

func TestSyllables(t *testing.T) {
	for _, s := range strings.Fields("nguyễn văn thị hoàng huỳnh phước quỳnh quốc khuya nghiêng giang gì già thuở khuỷu ngoài yến ý ươm oanh uyên xoong tuyết huệ quý thúy hòe ái út") {
		placed, right := placeTone([]byte(s))
		require.Equal(t, spelled, right, s)
		require.Equal(t, s, string(placed))
	}
	for _, s := range []string{"nguyễnn", "martin", "niê", "zin", "văă", "tạc̀", "bàt", "mảt", "hỏả", "kpă", "", "abcdefgh", "\xff"} {
		placed, right := placeTone([]byte(s))
		require.Equal(t, noSyllable, right, s)
		require.Equal(t, s, string(placed))
	}
	for s, want := range map[string]string{"vy": "vi", "ly": "li", "quy": "qui", "thuy": "thuy", "may": "may", "y": "y", "": "", "an": "an"} {
		require.Equal(t, want, FoldSyllable(s), s)
	}
}

func FuzzRepair(f *testing.F) {
	for _, s := range []string{"NguyÔn V¨n An", "Nguyeãn Vaên An", "Nguyá»…n", "Müller", "\xff\xfe", "H\u00ad¬ng", "Traàn\u00a0Thò"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, was := Repair(text)
		if (was == TCVN3 || was == VNI) && !vietnamese(got) {
			t.Fatalf("%q became %q, which is no Vietnamese", text, got)
		}
		if again, _ := Repair(got); was == TCVN3 && again != got || was == VNI && again != got {
			t.Fatalf("%q became %q and then %q", text, got, again)
		}
		if !strings.ContainsRune(text, '\uFFFD') && was != UTF8Twice && strings.ContainsRune(got, '\uFFFD') {
			t.Fatalf("%q lost letters: %q", text, got)
		}
	})
}

func FuzzSyllable(f *testing.F) {
	for _, s := range []string{"hoà", "tòan", "qúy", "gìa", "nguyễn", "ươ", "ÿ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		placed, right := placeTone([]byte(s))
		again, rightAgain := placeTone([]byte(string(placed)))
		if (right == noSyllable) != (rightAgain == noSyllable) || right != noSyllable && rightAgain != spelled || string(again) != string(placed) {
			t.Fatalf("%q became %q and then %q", s, placed, again)
		}
		if right == noSyllable && string(placed) != s {
			t.Fatalf("%q is no syllable and became %q", s, placed)
		}
		if len([]rune(string(placed))) != len([]rune(s)) {
			t.Fatalf("%q became %q", s, placed)
		}
	})
}

func BenchmarkFold(b *testing.B) {
	for name, text := range map[string]string{"vietnamese": "Nguyễn Thị Hoàng Ánh", "ascii": "NGUYEN THI HOANG ANH", "tcvn3": "NguyÔn ThÞ Hoµng ¸nh"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if Fold(text).Canonical == "" {
					b.Fatal("nothing")
				}
			}
		})
	}
}
