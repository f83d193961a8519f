package sheet

import "io"

// Kind is what a cell holds.
type Kind uint8

// The kinds. The cells of CSV are all Text.
const (
	Text   Kind = iota
	Number      // Cell.Text has the shortest digits that give the number again, without an exponent
	Moment      // a number that its format shows as a date or time; Cell.Text is "2024-01-31", "2024-01-31 13:30:00" or "13:30:00"
	Bool        // Cell.Text is "t" or "f"
	Broken      // an error of Excel's; Cell.Text is what stands in the cell ("#REF!")
)

// Cell is one cell. An empty one has no Text.
type Cell struct {
	Kind Kind
	Text string
	// Padded is what Excel shows of a number whose format is zeros only: an
	// identity number that lost its leading zeros. Otherwise it is empty.
	Padded string
}

// Row is one row that is not blank.
type Row struct {
	// Line is where the row begins: the line of a CSV file, the row of a
	// worksheet, from 1. It grows from row to row.
	Line  uint32
	Cells []Cell
	// Fault tells why the row cannot be divided into cells; Cells then hold
	// what there is of it.
	Fault *Fault
}

// Fault is what is wrong with a row, in the languages of those who mend it.
type Fault struct{ En, Vi string }

func (f *Fault) Error() string { return f.En }

// UnreadableError says why a file as a whole cannot be read, and what to do.
type UnreadableError struct{ En, Vi string }

func (e *UnreadableError) Error() string { return e.En }

// Reader gives the rows of a file; io.EOF ends them. A row is valid until the
// next call. Errors are *UnreadableError, or those of the file that it reads.
type Reader interface {
	Next() (*Row, error)
	Close() error
}

// File is a file that does not change while it is read.
type File interface {
	io.ReaderAt
	Size() int64
}

// Limits bound the memory that reading takes (P8).
type Limits struct {
	// RowBytes is the most bytes of one row; a larger one is a Fault.
	RowBytes int
	// Spill gives a place for the texts of a workbook that exceed what memory
	// may hold. It is closed with the Reader.
	Spill func() (Spill, error)
}

// Spill is a temporary file.
type Spill interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// maxCells is how many cells a row may have: those of a worksheet
// (https://support.microsoft.com/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3).
const maxCells = 16384

// blank tells whether a row has nothing in it.
func blank(cells []Cell) bool {
	for i := range cells {
		if cells[i].Text != "" {
			return false
		}
	}
	return true
}
