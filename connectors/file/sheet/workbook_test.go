package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// book makes a workbook by another library than the one under test.
func book(t testing.TB, fill func(f *excelize.File, sheet string)) []byte {
	f := excelize.NewFile()
	fill(f, "Sheet1")
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	require.NoError(t, f.Close())
	return out.Bytes()
}

func style(t testing.TB, f *excelize.File, format string) int {
	id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	require.NoError(t, err)
	return id
}

func set(t testing.TB, f *excelize.File, sheet, cell string, value any) {
	require.NoError(t, f.SetCellValue(sheet, cell, value))
}

func TestWorkbook(t *testing.T) {
	content := book(t, func(f *excelize.File, sheet string) {
		set(t, f, sheet, "A1", "DANH SÁCH")
		for i, heading := range []string{"Số định danh", "Họ tên", "Ngày sinh", "Giờ", "Số tiền", "Còn hiệu lực", "Lỗi", "Mã"} {
			cell, err := excelize.CoordinatesToCellName(i+1, 3)
			require.NoError(t, err)
			set(t, f, sheet, cell, heading)
		}
		set(t, f, sheet, "A4", "079201001234") // text keeps its zeros
		set(t, f, sheet, "B4", " Nguyễn Thị Bưởi ")
		set(t, f, sheet, "C4", time.Date(1985, 7, 20, 0, 0, 0, 0, time.UTC))
		require.NoError(t, f.SetCellStyle(sheet, "C4", "C4", style(t, f, "dd/mm/yyyy")))
		set(t, f, sheet, "D4", 0.5625)
		require.NoError(t, f.SetCellStyle(sheet, "D4", "D4", style(t, f, "hh:mm")))
		set(t, f, sheet, "E4", 1234.56)
		require.NoError(t, f.SetCellStyle(sheet, "E4", "E4", style(t, f, `#,##0.00\ "đ"`)))
		set(t, f, sheet, "F4", true)
		require.NoError(t, f.SetCellFormula(sheet, "G4", "=1/0"))
		set(t, f, sheet, "A6", 79201001234) // a number whose format shows the zero
		require.NoError(t, f.SetCellStyle(sheet, "A6", "A6", style(t, f, "000000000000")))
		set(t, f, sheet, "C6", time.Date(2024, 2, 29, 13, 30, 15, 0, time.UTC))
		require.NoError(t, f.SetCellStyle(sheet, "C6", "C6", style(t, f, "yyyy-mm-dd hh:mm:ss")))
		set(t, f, sheet, "E6", -0.1)
		require.NoError(t, f.SetCellRichText(sheet, "H6", []excelize.RichTextRun{{Text: "A_x000D_"}, {Text: "B", Font: &excelize.Font{Bold: true}}}))
	})
	f, rows, err := read(content, limits())
	require.NoError(t, err)
	require.True(t, f.Workbook)
	golden(t, "workbook.xlsx", f, rows)
}

// Only what people see is read: the first sheet that is not hidden.
func TestFirstVisibleSheet(t *testing.T) {
	content := book(t, func(f *excelize.File, sheet string) {
		set(t, f, sheet, "A1", "hidden")
		_, err := f.NewSheet("Danh sách")
		require.NoError(t, err)
		set(t, f, "Danh sách", "A1", "seen")
		f.SetActiveSheet(1)
		require.NoError(t, f.SetSheetVisible(sheet, false))
	})
	_, rows, err := read(content, limits())
	require.NoError(t, err)
	require.Equal(t, [][]string{{"seen"}}, texts1(rows))
}

// P3: rows on a second sheet are not left out in silence; an empty one is what
// Excel makes by itself.
func TestRowsOnAnotherSheet(t *testing.T) {
	fill := func(cell string, visible bool) []byte {
		return book(t, func(f *excelize.File, sheet string) {
			set(t, f, sheet, "A1", "first")
			_, err := f.NewSheet("Quý 2")
			require.NoError(t, err)
			if cell != "" {
				set(t, f, "Quý 2", cell, "more")
			}
			require.NoError(t, f.SetSheetVisible("Quý 2", visible))
		})
	}
	for _, content := range [][]byte{fill("", true), fill("B7", false)} {
		_, rows, err := read(content, limits())
		require.NoError(t, err)
		require.Equal(t, [][]string{{"first"}}, texts1(rows))
	}
	_, _, err := read(fill("B7", true), limits())
	var unreadable *UnreadableError
	require.True(t, errors.As(err, &unreadable), "%v", err)
	require.Contains(t, unreadable.En, `worksheet "Quý 2" has rows, too`)
	require.Contains(t, unreadable.Vi, `"Quý 2"`)
}

// Every way to write a cell that other programs than Excel use.
func TestCellForms(t *testing.T) {
	sheet := `<row><c t="inlineStr"><is><t>in line</t></is></c><c t="str"><f>A1</f><v>of a formula</v></c><c><v>1.10</v></c><c t="b"><v>0</v></c>` +
		`<c t="e"><v>#REF!</v></c><c><f>1+1</f></c><c t="d"><v>2024-01-31T10:00:00</v></c><c t="n"><v>1E+3</v></c><c><v>x</v></c><c s="9"/></row>` +
		`<row r="5"><c r="C5" t="inlineStr"><is><r><t>a</t></r><rPh><t>not read</t></rPh><r><t xml:space="preserve"> b</t></r></is></c></row>`
	_, rows, err := read(minimal(t, sheet), limits())
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.EqualValues(t, 1, rows[0].Line)
	require.Equal(t, []Cell{
		{Text: "in line"}, {Text: "of a formula"}, {Kind: Number, Text: "1.1"}, {Kind: Bool, Text: "f"}, {Kind: Broken, Text: "#REF!"},
		{Kind: Broken, Text: "="}, {Text: "2024-01-31T10:00:00"}, {Kind: Number, Text: "1000"}, {Kind: Broken, Text: "x"},
	}, rows[0].Cells)
	require.EqualValues(t, 5, rows[1].Line)
	require.Equal(t, []Cell{{}, {}, {Text: "a b"}}, rows[1].Cells)
}

// minimal makes the smallest workbook around the rows of a sheet.
func minimal(t testing.TB, rows string, more ...string) []byte {
	const relations = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">%s</Relationships>`
	const kind = "http://purl.oclc.org/ooxml/officeDocument/relationships/" // the strict form
	related := `<Relationship Id="rId7" Type="` + kind + `worksheet" Target="/xl/worksheets/sheet1.xml"/>`
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name, content string) {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write([]byte(content))
		require.NoError(t, err)
	}
	for i := 0; i+1 < len(more); i += 2 {
		add(more[i], more[i+1])
		related += `<Relationship Id="x" Type="` + kind + `sharedStrings" Target="sharedStrings.xml"/>`
	}
	add("_rels/.rels", fmt.Sprintf(relations, `<Relationship Id="a" Type="`+kind+`officeDocument" Target="xl/workbook.xml"/>`))
	add("xl/_rels/workbook.xml.rels", fmt.Sprintf(relations, related))
	add("xl/workbook.xml", `<workbook xmlns="http://purl.oclc.org/ooxml/spreadsheetml/main" xmlns:r="http://purl.oclc.org/ooxml/officeDocument/relationships"><workbookPr date1904="1"/><sheets><sheet name="S" sheetId="1" r:id="rId7"/></sheets></workbook>`)
	add("xl/worksheets/sheet1.xml", `<worksheet xmlns="http://purl.oclc.org/ooxml/spreadsheetml/main"><sheetData>`+rows+`</sheetData></worksheet>`)
	require.NoError(t, z.Close())
	return out.Bytes()
}

// P3: a sheet that breaks off or cannot be placed is refused whole, where
// excelize's iterator takes it for a sheet that ends there.
func TestBrokenSheet(t *testing.T) {
	for _, c := range []struct{ title, rows string }{
		{"tags that do not match", `<row><c><v>1</v></c></row><row><c><v>2</c></row>`},
		{"cut off", `<row><c><v>1</v></c></row><row><c`},
		{"no letter of XML", "<row><c><v>1</v></c></row><row><c><v>\x01</v></c></row>"},
		{"a row that goes back", `<row r="3"><c><v>1</v></c></row><row r="2"><c><v>2</v></c></row>`},
		{"a cell that goes back", `<row><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>`},
		{"a cell nowhere", `<row><c r="?"><v>1</v></c></row>`},
		{"a text that is not there", `<row><c t="s"><v>4</v></c></row>`},
	} {
		t.Run(c.title, func(t *testing.T) {
			content := minimal(t, c.rows, "xl/sharedStrings.xml", `<sst><si><t>a</t></si></sst>`)
			_, _, err := read(content, limits())
			var unreadable *UnreadableError
			require.True(t, errors.As(err, &unreadable), "%v", err)
			require.ErrorContains(t, err, "the Excel file is damaged")
		})
	}
	// Why workbooks are not read by excelize: it gives one row of three.
	f, err := excelize.OpenReader(bytes.NewReader(minimal(t, `<row><c><v>1</v></c></row><row><c><v>2</c></row><row><c><v>3</v></c></row>`)))
	require.NoError(t, err)
	rows, err := f.Rows("S")
	require.NoError(t, err)
	n := 0
	for rows.Next() {
		_, err := rows.Columns()
		require.NoError(t, err)
		n++
	}
	require.NoError(t, rows.Error())
	require.Less(t, n, 3)
	require.NoError(t, f.Close())
}

// A workbook that was not copied to its end is refused wherever it was cut.
func TestTruncatedWorkbook(t *testing.T) {
	content := book(t, func(f *excelize.File, sheet string) {
		for i := range 100 {
			set(t, f, sheet, fmt.Sprintf("A%d", i+1), fmt.Sprintf("row %d", i))
		}
	})
	for cut := 8; cut < len(content)-1; cut += 97 {
		_, _, err := read(content[:cut], limits())
		var unreadable *UnreadableError
		require.True(t, errors.As(err, &unreadable), "cut at %d: %v", cut, err)
	}
	// A bit that fell over is found by the check sum.
	changed := 0
	for at := 40; at < len(content); at += 131 {
		broken := bytes.Clone(content)
		broken[at] ^= 0x10
		_, rows, err := read(broken, limits())
		var unreadable *UnreadableError
		if errors.As(err, &unreadable) {
			changed++
			continue
		}
		require.NoError(t, err)
		require.Len(t, rows, 100)
		require.Equal(t, "row 99", rows[99].Cells[0].Text)
	}
	require.Positive(t, changed)
}

// P8: texts beyond what memory may hold come back from the temporary file, and
// a temporary file that fails is not the workbook's fault.
func TestTextsSpill(t *testing.T) {
	const n = 300
	var texts, rows strings.Builder
	texts.WriteString(`<sst>`)
	for i := range n {
		fmt.Fprintf(&texts, `<si><t>%d %s</t></si>`, i, strings.Repeat("ễ", 20_000))
		fmt.Fprintf(&rows, `<row><c t="s"><v>%d</v></c></row>`, n-1-i)
	}
	texts.WriteString(`</sst>`)
	content := minimal(t, rows.String(), "xl/sharedStrings.xml", texts.String())
	spill := &memory{}
	l := Limits{RowBytes: 1 << 20, Spill: func() (Spill, error) { return spill, nil }}
	_, got, err := read(content, l)
	require.NoError(t, err)
	require.Len(t, got, n)
	require.Greater(t, n*60_000, memoryTexts)
	require.NotZero(t, spill.Len())
	require.True(t, spill.closed)
	for i, r := range got {
		require.Equal(t, fmt.Sprintf("%d %s", n-1-i, strings.Repeat("ễ", 20_000)), r.Cells[0].Text)
	}

	full := errors.New("no space left on device")
	l.Spill = func() (Spill, error) { return nil, full }
	_, _, err = read(content, l)
	require.ErrorIs(t, err, full)
	var unreadable *UnreadableError
	require.False(t, errors.As(err, &unreadable))
}

// failing is a file on a disk that can be read no more from some place on.
type failing struct {
	*bytes.Reader
	from int64
}

var errDisk = errors.New("input/output error")

func (f *failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.from && at < f.Size()-1000 {
		return 0, errDisk
	}
	return f.Reader.ReadAt(p, at)
}

// A disk that fails does not make a workbook a damaged one, which would be
// refused until it changes.
func TestDiskThatFails(t *testing.T) {
	content := book(t, func(f *excelize.File, sheet string) {
		for i := range 2000 {
			set(t, f, sheet, fmt.Sprintf("A%d", i+1), fmt.Sprintf("row %d", i*i))
		}
	})
	for from := int64(0); from < int64(len(content))-2000; from += 1000 {
		in, err := Format{Workbook: true}.Open(&failing{bytes.NewReader(content), from}, limits())
		for err == nil {
			_, err = in.Next()
		}
		require.ErrorIs(t, err, errDisk, "from %d", from)
	}
}

// P8: a part that unpacks to more than a row may have is not unpacked whole.
func TestZipBomb(t *testing.T) {
	_, _, err := read(minimal(t, `<row><c t="inlineStr"><is><t>`+strings.Repeat("x", 8<<20)+`</t></is></c></row>`), limits())
	require.ErrorContains(t, err, "larger than")
	var cells strings.Builder
	for range 200 {
		cells.WriteString(`<c t="inlineStr"><is><t>` + strings.Repeat("x", 10_000) + `</t></is></c>`)
	}
	_, rows, err := read(minimal(t, `<row>`+cells.String()+`</row><row><c><v>2</v></c></row>`), limits())
	require.NoError(t, err)
	require.Equal(t, &faultRow, rows[0].Fault)
	require.Nil(t, rows[1].Fault)
}

func TestNumberFormats(t *testing.T) {
	for code, want := range map[string]numberFormat{
		"General":                 {},
		"0.00":                    {},
		"#,##0":                   {},
		`#,##0\ "đ"`:              {},
		`#,##0\ [$₫-42A]`:         {},
		"[Red]0":                  {zeros: 1},
		"000000000000":            {zeros: 12},
		"00000;-00000":            {zeros: 5},
		"dd/mm/yyyy":              {moment: true, day: true},
		"[$-42A]d mmmm, yyyy;@":   {moment: true, day: true},
		`"ngày "dd" tháng "mm`:    {moment: true, day: true},
		"mmm":                     {moment: true, day: true},
		"[h]:mm:ss":               {moment: true},
		"hh:mm AM/PM":             {moment: true},
		"yyyy-mm-dd hh:mm:ss":     {moment: true, day: true},
		"0.00E+00":                {},
		"@":                       {},
		`"d"0`:                    {zeros: 1},
		"0%":                      {},
		`_-* #,##0_-;\-* #,##0_-`: {},
	} {
		require.Equal(t, want, parseNumberFormat(code), code)
	}
}

// The serial numbers of ECMA-376 part 1, 18.17.4.1, and around the day that
// Excel invented.
func TestMoments(t *testing.T) {
	for _, c := range []struct {
		serial       float64
		day, from904 bool
		want         string
	}{
		{1, true, false, "1900-01-01"},
		{59, true, false, "1900-02-28"},
		{60, true, false, ""}, // 29 February 1900
		{61, true, false, "1900-03-01"},
		{45322, true, false, "2024-01-31"},
		{45322.5, true, false, "2024-01-31 12:00:00"},
		{45322.999999999, true, false, "2024-02-01"}, // nearer than a millisecond
		{45322.123456789, true, false, "2024-01-31 02:57:46.667"},
		{2958465, true, false, "9999-12-31"},
		{2958466, true, false, ""},
		{0, true, false, ""},
		{0.75, false, false, "18:00:00"},
		{0, false, false, "00:00:00"},
		{1.25, false, false, "1900-01-01 06:00:00"},
		{-1, true, false, ""},
		{0, true, true, "1904-01-01"},
		{43860, true, true, "2024-01-31"},
		{2958465, true, true, ""},
	} {
		got, ok := moment(c.serial, c.day, c.from904)
		require.Equal(t, c.want, got, "%v", c)
		require.Equal(t, c.want != "", ok)
	}
	_, rows, err := read(minimal(t, `<row><c><v>43860</v></c></row>`), limits())
	require.NoError(t, err)
	require.Equal(t, "43860", rows[0].Cells[0].Text, "without a format it is a number")
}

// No input makes the reader panic or take more than its limits; and a sheet
// gives its rows in order or none.
func FuzzWorkbook(f *testing.F) {
	f.Add(`<row><c t="s"><v>0</v></c></row>`, `<sst><si><t>a</t></si></sst>`)
	f.Add(`<row r="2"><c r="B2"><v>1</v></c></row><row><c t="b"><v>1</v></c></row>`, `<sst><si><r><t>_x0041_</t></r></si></sst>`)
	f.Add(`<row><c t="inlineStr"><is><t>a</t></is></c><c><f>1</f></c></row>`, ``)
	f.Add(`<row`, `<sst`)
	f.Fuzz(func(t *testing.T, rows, texts string) {
		_, got, err := read(minimal(t, rows, "xl/sharedStrings.xml", texts), Limits{RowBytes: 1 << 10, Spill: func() (Spill, error) { return &memory{}, nil }})
		var unreadable *UnreadableError
		require.True(t, err == nil || errors.As(err, &unreadable), "%v", err)
		last := uint32(0)
		for _, r := range got {
			require.Greater(t, r.Line, last)
			last = r.Line
		}
	})
}

// FuzzZip tries what is no zip, or nearly one.
func FuzzZip(f *testing.F) {
	f.Add(minimal(f, `<row><c><v>1</v></c></row>`))
	f.Add(book(f, func(file *excelize.File, sheet string) { set(f, file, sheet, "A1", "a") }))
	f.Fuzz(func(t *testing.T, content []byte) {
		if !bytes.HasPrefix(content, magicZip) {
			return
		}
		_, _, err := read(content, limits())
		var unreadable *UnreadableError
		require.True(t, err == nil || errors.As(err, &unreadable), "%v", err)
	})
}
