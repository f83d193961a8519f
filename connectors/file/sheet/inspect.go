package sheet

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Encoding is how a CSV file writes its letters.
type Encoding string

// The encodings that are recognised.
const (
	UTF8        Encoding = "UTF-8"
	UTF16LE     Encoding = "UTF-16LE"
	UTF16BE     Encoding = "UTF-16BE"
	Windows1258 Encoding = "windows-1258"
)

// Format is what Inspect found a file to be.
type Format struct {
	Workbook bool // .xlsx; the rest is then empty
	Encoding Encoding
	// Skip is how many bytes to leave out at the start: a byte order mark.
	Skip      int
	Delimiter byte
	// Return is true when lines end in a carriage return alone.
	Return bool
}

func (f Format) String() string {
	if f.Workbook {
		return "xlsx"
	}
	return fmt.Sprintf("csv, %s, delimiter %q", f.Encoding, f.Delimiter)
}

var (
	magicZip = []byte("PK\x03\x04")
	// magicOLE begins .xls and workbooks with a password.
	magicOLE = []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
)

// Inspect finds out what a file is by looking at all of it. Its name says
// nothing that could be trusted. Errors are *UnreadableError, or the file's
// own.
func Inspect(file File) (Format, error) {
	if file.Size() == 0 {
		return Format{}, &UnreadableError{"the file is empty", "tệp rỗng"}
	}
	head := make([]byte, 8)
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return Format{}, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, magicZip):
		return Format{Workbook: true}, nil
	case bytes.HasPrefix(head, magicOLE):
		return Format{}, &UnreadableError{
			"an old Excel file (.xls) or one with a password: save it as .xlsx without a password, or as CSV UTF-8",
			"tệp Excel kiểu cũ (.xls) hoặc có mật khẩu: hãy lưu thành .xlsx không mật khẩu, hoặc CSV UTF-8",
		}
	}
	f := Format{Encoding: UTF8}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		f.Skip = 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		f.Encoding, f.Skip = UTF16LE, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		f.Encoding, f.Skip = UTF16BE, 2
	default:
		if f.Encoding, err = guessEncoding(file); err != nil {
			return Format{}, err
		}
	}
	if err := f.guessDialect(file); err != nil {
		return Format{}, err
	}
	return f, nil
}

// letters counts what speaks for and against each encoding.
type letters struct {
	nulEven, nulOdd, control int
	multi, invalid           int // sequences of UTF-8
	likely, unlikely         int // bytes of Windows-1258
	before                   rune
}

func guessEncoding(file File) (Encoding, error) {
	var l letters
	if err := l.read(file); err != nil {
		return "", err
	}
	nul := l.nulEven + l.nulOdd
	switch {
	case nul > 0 && l.nulEven*20 <= l.nulOdd:
		return UTF16LE, nil
	case nul > 0 && l.nulOdd*20 <= l.nulEven:
		return UTF16BE, nil
	case nul > 0 || l.control > 0:
		return "", &UnreadableError{
			"neither a text file nor an Excel workbook: save it as CSV UTF-8 or as .xlsx",
			"không phải tệp văn bản, cũng không phải tệp Excel: hãy lưu thành CSV UTF-8 hoặc .xlsx",
		}
	case l.invalid == 0, l.multi > 4*l.invalid:
		// With a few broken letters it is still UTF-8: their rows are refused.
		return UTF8, nil
	case l.likely > l.unlikely*20:
		return Windows1258, nil
	}
	return "", &UnreadableError{
		"the encoding is not known (not UTF-8, UTF-16 or Windows-1258; TCVN3 and VNI are not read): save it as CSV UTF-8",
		"không nhận ra bảng mã (không phải UTF-8, UTF-16 hay Windows-1258; không đọc TCVN3 và VNI): hãy lưu thành CSV UTF-8",
	}
}

// read counts over the whole file.
func (l *letters) read(file File) error {
	buf := make([]byte, 64<<10)
	kept := 0 // bytes of an unfinished sequence at the start of buf
	for at := int64(0); at < file.Size(); {
		n, err := file.ReadAt(buf[kept:], at)
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		for i, b := range buf[kept : kept+n] {
			l.byte(b, at+int64(i))
		}
		at += int64(n)
		kept = l.sequences(buf[:kept+n], at == file.Size())
	}
	return nil
}

// sequences counts those of UTF-8 and moves an unfinished one to the front.
func (l *letters) sequences(b []byte, last bool) (kept int) {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !last && !utf8.FullRune(b[i:]) {
			return copy(b, b[i:])
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			l.invalid++
		} else {
			l.multi++
		}
		i += size
	}
	return 0
}

// byte judges one byte as control character and as Windows-1258.
func (l *letters) byte(b byte, at int64) {
	switch {
	case b == 0 && at%2 == 0:
		l.nulEven++
	case b == 0:
		l.nulOdd++
	case b < ' ' && b != '\t' && b != '\n' && b != '\r' && b != '\f' && b != 0x1a:
		l.control++
	}
	if b < utf8.RuneSelf {
		l.before = rune(b)
		return
	}
	r := charmap.Windows1258.DecodeByte(b)
	switch {
	case isTone(r):
		// A tone stands behind the vowel that it belongs to.
		l.judge(isVowel(l.before))
	case vietnamese[r]:
		l.judge(true)
	case isPunctuation(r):
		// It says nothing.
	default:
		l.judge(false)
	}
	l.before = r
}

func (l *letters) judge(likely bool) {
	if likely {
		l.likely++
	} else {
		l.unlikely++
	}
}

// isTone tells the five combining tones: grave, acute, tilde, hook, dot below.
func isTone(r rune) bool {
	return r == 0x300 || r == 0x301 || r == 0x303 || r == 0x309 || r == 0x323
}

func isVowel(r rune) bool {
	return bytes.ContainsRune([]byte("aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"), r)
}

// isPunctuation tells what Vietnamese texts hold besides letters. TCVN3 writes
// letters with the other symbols of this range, VNI with letters that
// Vietnamese does not have.
func isPunctuation(r rune) bool {
	return bytes.ContainsRune([]byte("–—‘’“”…•\u00a0°×₫€"), r)
}

// vietnamese are the letters beyond ASCII that Windows-1258 has whole and
// Vietnamese uses.
var vietnamese = func() map[rune]bool {
	m := map[rune]bool{}
	for _, r := range "ÀÁÂĂÈÉÊÍĐÓÔƠÙÚƯàáâăèéêíđóôơùúư" {
		m[r] = true
	}
	return m
}()
