package sheet

import (
	"bytes"
	"errors"
	"io"
)

const (
	// sampleBytes is how much of a file is looked at for its delimiter.
	sampleBytes = 256 << 10
	sampleRows  = 200
)

// delimiters are the candidates; of equals the first wins, which is the one that
// texts and numbers hold least.
var delimiters = []byte{'\t', '|', ';', ','}

// guessDialect finds the line ends and the delimiter at the start of the file.
func (f *Format) guessDialect(file File) error {
	sample, err := io.ReadAll(io.LimitReader(f.decoded(file), sampleBytes))
	if err != nil {
		return err
	}
	f.Return = bytes.IndexByte(sample, '\r') >= 0 && bytes.IndexByte(sample, '\n') < 0
	end := byte('\n')
	if f.Return {
		end = '\r'
	}
	first, _, _ := bytes.Cut(sample, []byte{end})
	if first = bytes.TrimSuffix(first, []byte{'\r'}); isHint(first) {
		f.Delimiter = first[len(separatorHint)]
		return nil
	}
	if len(sample) == sampleBytes { // the last line is not whole
		if i := bytes.LastIndexByte(sample, end); i > 0 {
			sample = sample[:i]
		}
	}
	var best score
	f.Delimiter = ',' // of a file with one column
	for _, d := range delimiters {
		candidate := *f
		candidate.Delimiter = d
		s, err := candidate.score(sample)
		if err != nil {
			return err
		}
		if best.less(s) {
			best, f.Delimiter = s, d
		}
	}
	return nil
}

// score tells how well a delimiter explains a sample: the share of rows that
// have the same number of cells, then that number.
type score struct{ same, rows, cells int }

func (s score) less(o score) bool {
	if o.cells < 2 {
		return false
	}
	if a, b := s.same*o.rows, o.same*s.rows; a != b || s.cells == 0 {
		return a < b || s.cells == 0
	}
	return s.cells < o.cells
}

func (f *Format) score(sample []byte) (score, error) {
	in := newCSV(bytes.NewReader(sample), *f, len(sample))
	counts := map[int]int{}
	rows := 0
	for ; rows < sampleRows; rows++ {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return score{}, err
		}
		if row.Fault != nil {
			counts[0]++
			continue
		}
		counts[len(row.Cells)]++
	}
	s := score{rows: rows}
	for cells, n := range counts {
		if n > s.same || n == s.same && cells > s.cells {
			s.same, s.cells = n, cells
		}
	}
	return s, nil
}

// Open begins to read the rows of a file of this format.
func (f Format) Open(file File, limits Limits) (Reader, error) {
	if f.Workbook {
		return openWorkbook(file, limits)
	}
	return newCSV(f.decoded(file), f, limits.RowBytes), nil
}
