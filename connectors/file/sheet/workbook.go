package sheet

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// Bounds on the parts of a workbook, uncompressed: what Excel itself can hold
// is far below them, a zip bomb is not (P8).
const (
	maxPartBytes  = 64 << 20
	maxTextsBytes = 4 << 30
	maxSheetBytes = 16 << 30
)

// workbook is an open .xlsx.
type workbook struct {
	parts    map[string]*zip.File // by lower-case name
	limits   Limits
	date1904 bool
	styles   []numberFormat // by a cell's style
	texts    *texts
	file     *watched
}

// watched is a file that remembers when it could not be read: then the
// workbook is not to blame, and reading it may work later.
type watched struct {
	File
	failed error
}

func (w *watched) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 { // a damaged directory of the archive asks for it
		return 0, errors.New("an offset before the start of the file")
	}
	n, err := w.File.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		w.failed = err
	}
	return n, err
}

// blame gives the error of the file, if there was one, in place of what it led
// to.
func (w *workbook) blame(err error) error {
	if err != nil && w.file.failed != nil {
		return w.file.failed
	}
	return err
}

// damaged is the error of a workbook that is not whole.
func damaged(what string, err error) error {
	return &UnreadableError{
		fmt.Sprintf("the Excel file is damaged (%s: %v): save it again, or as CSV UTF-8", what, err),
		fmt.Sprintf("tệp Excel bị hỏng (%s): hãy lưu lại, hoặc lưu thành CSV UTF-8", what),
	}
}

// openWorkbook begins to read the first visible worksheet; that there is none
// with rows beside it is made sure of.
func openWorkbook(file File, limits Limits) (Reader, error) {
	w := &workbook{parts: map[string]*zip.File{}, limits: limits, file: &watched{File: file}}
	archive, err := zip.NewReader(w.file, file.Size())
	if err != nil {
		return nil, w.blame(damaged("zip", err))
	}
	for _, f := range archive.File {
		w.parts[partName(f.Name)] = f
	}
	reader, err := w.open()
	if err != nil {
		return nil, errors.Join(w.blame(err), w.texts.close())
	}
	return reader, nil
}

func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// The ends of the types of relationships; what stands before them differs
// between the transitional and the strict form of the standard.
const (
	typeDocument  = "/officeDocument"
	typeWorksheet = "/worksheet"
	typeStyles    = "/styles"
	typeTexts     = "/sharedStrings"
)

type relationship struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
}

func find(all []relationship, kind string) (relationship, bool) {
	for _, r := range all {
		if strings.HasSuffix(r.Type, kind) {
			return r, true
		}
	}
	return relationship{}, false
}

func (w *workbook) open() (Reader, error) {
	top, err := w.relationships("")
	if err != nil {
		return nil, err
	}
	document, ok := find(top, typeDocument)
	if !ok {
		return nil, &UnreadableError{
			"a zip file that is no Excel workbook: save it as .xlsx or as CSV UTF-8",
			"tệp nén không phải tệp Excel: hãy lưu thành .xlsx hoặc CSV UTF-8",
		}
	}
	base := partName(document.Target)
	related, err := w.relationships(base)
	if err != nil {
		return nil, err
	}
	target := func(r relationship) string {
		if strings.HasPrefix(r.Target, "/") {
			return partName(r.Target)
		}
		return partName(path.Join(path.Dir(base), r.Target))
	}
	sheets, err := w.visibleSheets(base, related)
	if err != nil {
		return nil, err
	}
	if r, ok := find(related, typeStyles); ok {
		if err := w.readStyles(target(r)); err != nil {
			return nil, err
		}
	}
	if r, ok := find(related, typeTexts); ok {
		if err := w.readTexts(target(r)); err != nil {
			return nil, err
		}
	}
	for _, other := range sheets[1:] {
		if err := w.mustBeEmpty(target(other.relationship), other.name); err != nil {
			return nil, err
		}
	}
	return w.openSheet(target(sheets[0].relationship))
}

// mustBeEmpty refuses a workbook with rows in a worksheet that is not read: they
// would be missing, or in a full list be taken for gone, and nobody would have
// said so (P3).
func (w *workbook) mustBeEmpty(part, name string) (err error) {
	s, err := w.openSheet(part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.part.Close()) }()
	_, err = s.Next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return &UnreadableError{
		fmt.Sprintf("worksheet %q has rows, too, and only the first one is read: put all rows into the first, and hide or delete the others", name),
		fmt.Sprintf("trang tính %q cũng có dữ liệu, nhưng chỉ trang đầu tiên được đọc: hãy đưa mọi dòng vào trang đầu, ẩn hoặc xóa các trang khác", name),
	}
}

// relationships reads the relationships of a part; "" is the file's own.
func (w *workbook) relationships(of string) ([]relationship, error) {
	var all struct {
		Relationship []relationship
	}
	err := w.decode(path.Join(path.Dir(of), "_rels", path.Base("/"+of)+".rels"), &all)
	if of == "" {
		err = w.decode("_rels/.rels", &all)
	}
	return all.Relationship, err
}

// visible is a worksheet that people see.
type visible struct {
	relationship
	name string
}

// visibleSheets finds the worksheets that people see, one at least.
func (w *workbook) visibleSheets(base string, related []relationship) (sheets []visible, err error) {
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string     `xml:"name,attr"`
			State string     `xml:"state,attr"`
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := w.decode(base, &book); err != nil {
		return nil, err
	}
	w.date1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	for _, s := range book.Sheets {
		if s.State != "" && s.State != "visible" {
			continue
		}
		for _, a := range s.Attrs {
			if a.Name.Local != "id" {
				continue
			}
			for _, r := range related {
				if r.ID == a.Value && strings.HasSuffix(r.Type, typeWorksheet) {
					sheets = append(sheets, visible{r, s.Name})
					break
				}
			}
		}
	}
	if len(sheets) == 0 {
		return nil, &UnreadableError{"the workbook has no visible worksheet", "tệp Excel không có trang tính nào hiển thị"}
	}
	return sheets, nil
}

// decode reads a small part whole.
func (w *workbook) decode(name string, into any) error {
	part, err := w.part(name)
	if err != nil {
		return err
	}
	in := &bounded{in: part, left: maxPartBytes}
	if err = xml.NewDecoder(in).Decode(into); err == nil {
		_, err = io.Copy(io.Discard, in) // for the check sum at its end
	}
	if err = errors.Join(err, part.Close()); err != nil {
		return damaged(name, err)
	}
	return nil
}

var errMissing = errors.New("it is missing")

func (w *workbook) part(name string) (io.ReadCloser, error) {
	f := w.parts[partName(name)]
	if f == nil {
		return nil, damaged(name, errMissing)
	}
	part, err := f.Open()
	if err != nil {
		return nil, damaged(name, err)
	}
	return part, nil
}

// bounded refuses to read more than is left, where io.LimitedReader would
// pretend that the end is reached.
type bounded struct {
	in   io.Reader
	left int64
}

var errTooLarge = errors.New("it is larger than any workbook needs")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// readStyles learns how the number of a cell is shown, by the cell's style.
func (w *workbook) readStyles(name string) error {
	var sheet struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := w.decode(name, &sheet); err != nil {
		return err
	}
	own := map[int]numberFormat{}
	for _, f := range sheet.Formats {
		own[f.ID] = parseNumberFormat(f.Code)
	}
	for _, c := range sheet.Cells {
		format, ok := own[c.Format]
		if !ok {
			format = builtinFormat(c.Format)
		}
		w.styles = append(w.styles, format)
	}
	return nil
}

// style gives the format of a cell by the text of its attribute.
func (w *workbook) style(s string) numberFormat {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n >= len(w.styles) {
		return numberFormat{}
	}
	return w.styles[n]
}
