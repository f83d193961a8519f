package sheet

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

const people = "mã;họ tên;địa chỉ\r\n1;Nguyễn Thị Bưởi;12 Đường Lê Lợi, Phường Bến Nghé\r\n2;Trần Văn Đạt;Hẻm 5 – Quận Gò Vấp\r\n"

var peopleRows = [][]string{{"mã", "họ tên", "địa chỉ"}, {"1", "Nguyễn Thị Bưởi", "12 Đường Lê Lợi, Phường Bến Nghé"}, {"2", "Trần Văn Đạt", "Hẻm 5 – Quận Gò Vấp"}}

// One text, however it is written, gives one set of rows.
func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		title   string
		content []byte
		want    Encoding
	}{
		{"UTF-8", []byte(people), UTF8},
		{"UTF-8 with a mark", []byte("\ufeff" + people), UTF8},
		{"UTF-16 of Excel's Unicode text", utf16Bytes(people, true, true), UTF16LE},
		{"UTF-16, big end first", utf16Bytes(people, false, true), UTF16BE},
		{"UTF-16 without a mark", utf16Bytes(people, true, false), UTF16LE},
		{"UTF-16, big end first, without a mark", utf16Bytes(people, false, false), UTF16BE},
		{"Windows-1258", windows1258(t, people), Windows1258},
	} {
		t.Run(c.title, func(t *testing.T) {
			f, rows, err := read(c.content, limits())
			require.NoError(t, err)
			require.Equal(t, c.want, f.Encoding)
			require.Equal(t, byte(';'), f.Delimiter)
			require.Equal(t, peopleRows, texts1(rows))
			require.EqualValues(t, 3, rows[2].Line)
		})
	}
}

// The letters of Windows-1258 may stand anywhere, also across the pieces in
// which a file is read.
func TestWindows1258FarInTheFile(t *testing.T) {
	head := "id,name\n" + strings.Repeat("1,plain\n", 20_000)
	f, rows, err := read(append([]byte(head), windows1258(t, "2,Nguyễn Đệ\n")...), limits())
	require.NoError(t, err)
	require.Equal(t, Windows1258, f.Encoding)
	require.Equal(t, "Nguyễn Đệ", rows[len(rows)-1].Cells[1].Text)
	require.True(t, norm.NFC.IsNormalString(rows[len(rows)-1].Cells[1].Text))
}

// A broken letter does not make another encoding of the file: its row shows
// it, the others are right.
func TestBrokenLetterInUTF8(t *testing.T) {
	f, rows, err := read([]byte(people+"3;Ng\xf4;x\r\n"), limits())
	require.NoError(t, err)
	require.Equal(t, UTF8, f.Encoding)
	require.Equal(t, "Ng\xf4", rows[3].Cells[1].Text)
	require.Equal(t, "Nguyễn Thị Bưởi", rows[1].Cells[1].Text)
}

// tcvn3 and vni are the beginnings of "Nguyễn Thị Hồng, Quận Gò Vấp" in two old
// Vietnamese encodings that cannot be told by their bytes alone: reading them
// as Windows-1258 would give wrong names without a word.
const (
	tcvn3 = "id,ten\n1,NguyÔn ThÞ Hång\n2,QuËn Gß VÊp\n3,§êng sè n\xa8m\n4,§µo ThÞ B\xb8n\n"
	vni   = "id,ten\n1,Nguye\xe3n Th\xf2 Ho\xe0ng\n2,Qua\xe4n Go\xf8 Va\xe1p\n3,Tra\xe0n V\xe3n Ha\xfb\n4,\xd1o\xe3 Th\xf2 Hie\xeen\n"
)

func latin(s string) []byte {
	var out []byte
	for _, r := range s {
		if r < 0x100 && r != 0xfffd {
			out = append(out, byte(r))
		}
	}
	return out
}

// P3: what cannot be told for sure is refused with what to do, never guessed.
func TestUnreadable(t *testing.T) {
	for _, c := range []struct {
		title   string
		content []byte
		want    string
	}{
		{"empty", nil, "the file is empty"},
		{"old Excel or a password", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more"), "save it as .xlsx without a password"},
		{"a picture", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x01"), "neither a text file nor an Excel workbook"},
		{"TCVN3", latin(tcvn3), "the encoding is not known"},
		{"VNI", []byte(vni), "the encoding is not known"},
		{"a zip of something else", []byte("PK\x03\x04 not really"), "damaged"},
	} {
		t.Run(c.title, func(t *testing.T) {
			_, _, err := read(c.content, limits())
			var unreadable *UnreadableError
			require.True(t, errors.As(err, &unreadable), "%v", err)
			require.ErrorContains(t, err, c.want)
			require.NotEmpty(t, unreadable.Vi)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestDelimiters(t *testing.T) {
	for _, c := range []struct {
		title, content string
		want           byte
	}{
		{"comma", "a,b,c\n1,2,3\n", ','},
		{"semicolon before decimal commas", "a;b\n1,5;2,5\n3,5;4,5\n", ';'},
		{"semicolon before commas in every row", "id;tags\n1;a,b,c,d\n2;e,f,g,h\n", ';'},
		{"tab", "a\tb, c\n1\t2, 3\n", '\t'},
		{"bar", "a|b\n1|2\n", '|'},
		{"under a title", "DANH SÁCH HỘ NGHÈO\n(kèm theo Quyết định số 1, ngày 2)\na;b;c\n1;2;3\n4;5;6\n7;8;9\n", ';'},
		{"in quotes does not count", "\"a,b\";\"c,d\"\n\"1,2\";\"3,4\"\n", ';'},
		{"Excel's hint", "sep=|\na|b\n1;2|3;4\n", '|'},
		{"one column", "id\n1\n2\n", ','},
	} {
		t.Run(c.title, func(t *testing.T) {
			f, _, err := read([]byte(c.content), limits())
			require.NoError(t, err)
			require.Equal(t, string(c.want), string(f.Delimiter))
		})
	}
}
