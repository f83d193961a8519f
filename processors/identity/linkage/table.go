package linkage

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/hopluu/hopluu/processors/identity"
)

// cell is a value of a record, of 16 bytes, so that records lie side by side
// and a pair is compared without following a pointer. The zero cell is missing.
//
//	text:   a = id | toneless id<<32, b = sorted id | node<<29 | rarity<<32 | rarity of the toneless<<48
//	date:   a = identity.Date,        b = rarity<<32
//	number: a = the number,           b = restored (0 or 1) | of a CCCD, what it says<<1 | rarity<<32
//
// Rarity is log2(the share of pairs that agree by chance / the share of records
// with this value), in steps of 1/rarityStep bits, a signed 16-bit number.
type cell struct{ a, b uint64 }

const (
	rarityStep = 512
	// nodeAt is where a name tells what bears it, in three bits; ids of texts are
	// smaller.
	nodeAt = 29
)

func (c cell) missing() bool       { return c.a == 0 }
func (c cell) id() uint32          { return uint32(c.a) }
func (c cell) toneless() uint32    { return uint32(c.a >> 32) }
func (c cell) sorted() uint32      { return uint32(c.b) & (1<<nodeAt - 1) }
func (c cell) node() identity.Node { return identity.Node(uint32(c.b) >> nodeAt) }
func (c cell) restored() bool      { return c.b&1 == 1 }
func (c cell) date() identity.Date { return identity.Date(c.a) }
func (c cell) rarity() float32     { return float32(int16(c.b>>32)) / rarityStep }
func (c cell) rarityToneless() float32 {
	return float32(int16(c.b>>48)) / rarityStep
}

// words are the syllables of a toneless text, variants of one name made one.
type words struct {
	text string
	ids  []uint32
}

// texts interns texts: equal texts have equal ids, from 1 on, over all columns.
type texts struct {
	ids    map[string]uint32
	words  []words // by id; filled for toneless forms
	sorted []uint32
	ends   [][]int16 // how rare first and last words are, by wordEnd and word
	// rarestEnd is the most that any of ends ever was.
	rarestEnd int16
	variants  map[string]string
	raw       map[rawText]uint32 // place in written, from 1
	written   []written
	scratch   []string
}

type rawText struct {
	form form
	text string
}

// written is a text as it is written, and its forms once they are known.
type written struct {
	text string
	form form
	made made
}

// normalised is what a text became.
type normalised struct {
	cell      cell
	converted bool
}

func (x *texts) intern(s string) uint32 {
	if id, ok := x.ids[s]; ok {
		return id
	}
	id := uint32(len(x.words))
	x.ids[s] = id
	x.words = append(x.words, words{text: s})
	x.sorted = append(x.sorted, 0)
	return id
}

// hold keeps a text as it is written, to be normalised when all are there, and
// gives its number, from 1 on.
func (x *texts) hold(f form, raw string) uint64 {
	key := rawText{f, raw}
	n, ok := x.raw[key]
	if !ok {
		key.text = strings.Clone(raw)
		x.written = append(x.written, written{text: key.text, form: f})
		n = uint32(len(x.written))
		x.raw[key] = n
	}
	return uint64(n)
}

// normalise makes the cells of the texts that are held, in order of their
// numbers.
func (x *texts) normalise() []normalised {
	const part = 4096
	each((len(x.written)+part-1)/part, func(i int) {
		for at := i * part; at < min((i+1)*part, len(x.written)); at++ {
			x.written[at].made = forms(x.written[at].form, x.written[at].text)
		}
	})
	all := make([]normalised, len(x.written)+1)
	for i := range x.written {
		m := &x.written[i].made
		all[i+1] = normalised{x.cell(m), m.converted}
	}
	x.raw, x.written, x.ids = nil, nil, nil
	return all
}

// cell makes the cell of a text, missing when it says nothing.
func (x *texts) cell(m *made) cell {
	if m.canonical == "" {
		return cell{}
	}
	folded := x.intern(m.toneless)
	x.analyse(folded)
	c := cell{a: uint64(x.intern(m.canonical)) | uint64(folded)<<32, b: uint64(x.sorted[folded])}
	c.b |= uint64(m.node) << nodeAt
	return c
}

// maxWords bounds the work on a text.
const maxWords = 12

// analyse finds the words of a toneless text and its sorted form, once.
func (x *texts) analyse(id uint32) {
	if x.sorted[id] != 0 {
		return
	}
	parts := x.scratch[:0]
	for part := range strings.FieldsSeq(x.words[id].text) {
		if len(parts) == maxWords {
			break
		}
		if len(x.variants) > 0 {
			part = identity.FoldSyllable(part)
		}
		if first, ok := x.variants[part]; ok {
			part = first
		}
		parts = append(parts, part)
	}
	ids := make([]uint32, len(parts))
	for i, p := range parts {
		ids[i] = x.intern(p)
	}
	x.words[id].ids = ids
	slices.Sort(parts)
	x.sorted[id] = x.intern(strings.Join(parts, " "))
	x.scratch = parts
}

// Live makes the table decide as an Engine of the same model does: sizes are
// the model's and rarities the frequencies', contradictions and shared
// identifiers count. Without frequencies all values are as rare as one another.
// Call it before Close.
func (t *Table) Live(f *Frequencies) error {
	if t.model.live == nil {
		return errNotLive
	}
	t.live, t.frequencies = true, f.bind(t.model.spec)
	for _, w := range t.wordEnds {
		var known *columnFrequencies
		if f != nil {
			known = f.columns[w.name(t.model.spec)]
		}
		t.endFrequencies = append(t.endFrequencies, known)
	}
	return nil
}

// Table is records made ready for comparing. Rows come by File and Add; Close
// ends that.
type Table struct {
	model   *compiled
	texts   texts
	cells   []cell // record after record, one cell a column
	sources []string
	source  []uint16
	ids     []byte
	ends    []int // of each record's id in ids
	keys    []uint64
	used    []bool // columns that some file has
	width   int
	closed  bool
	intake  []ColumnIntake // by column

	reference  []bool // by source: a record of it is of the reference
	referenced bool   // some record is

	// live takes sizes and rarities from the model, not from the records.
	live        bool
	frequencies []*columnFrequencies // by column

	wordEnds       []wordEnd
	endFrequencies []*columnFrequencies // by wordEnds
}

// NewTable makes an empty table.
func NewTable(m *Model) (*Table, error) {
	c, err := m.compile()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	intake := make([]ColumnIntake, len(m.Columns))
	for i := range m.Columns {
		intake[i].Column = m.Columns[i].Name
	}
	t := &Table{
		intake: intake, model: c, width: len(m.Columns), used: make([]bool, len(m.Columns)),
		texts: texts{ids: map[string]uint32{}, words: make([]words, 1), sorted: make([]uint32, 1), variants: c.variants, raw: map[rawText]uint32{}},
	}
	t.wordEnds, t.texts.ends = c.wordEnds(), make([][]int16, 2*len(m.Columns))
	for _, sex := range []identity.Sex{identity.Male, identity.Female} { // maleText, femaleText
		t.texts.intern(sex.String())
	}
	return t, nil
}

// Len is the number of records.
func (t *Table) Len() int { return len(t.ends) }

// ID gives the name of a record in its source.
func (t *Table) ID(i int32) string { return string(t.id(i)) }

func (t *Table) id(i int32) []byte {
	start := 0
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.ids[start:t.ends[i]]
}

// Source gives the table or system that a record is of.
func (t *Table) Source(i int32) string { return t.sources[t.source[i]] }

// File is a file whose rows are being added.
type File struct {
	t       *Table
	name    string
	id      int
	source  int // column, -1 without
	columns [][]int
	written []int // by column, the one that says when the value was written; -1 without
	width   int
}

// File begins a file with its header. A file may lack columns of the model,
// which are missing then, but not all.
func (t *Table) File(name string, header []string) (*File, error) {
	at := func(column string) int { return slices.Index(header, column) }
	f := &File{t: t, name: name, id: -1, source: -1, width: len(header)}
	for i, h := range header {
		if slices.Index(header, h) != i {
			return nil, fmt.Errorf("%s: column %q stands twice in the header", name, h)
		}
	}
	m := t.model.spec
	for _, column := range m.ID {
		if f.id = at(column); f.id >= 0 {
			break
		}
	}
	if f.id < 0 {
		return nil, fmt.Errorf("%s: no column names the record: the model wants %s, the file has %s", name, strings.Join(m.ID, " or "), join(header))
	}
	if m.Source != "" {
		f.source = at(m.Source)
	}
	found := 0
	for i, c := range m.Columns {
		var columns []int
		switch {
		case len(c.Join) > 0:
			for _, part := range c.Join {
				if n := at(part); n >= 0 {
					columns = append(columns, n)
				}
			}
		case len(c.From) > 0:
			for _, from := range c.From {
				if n := at(from); n >= 0 {
					columns = []int{n}
					break
				}
			}
		default:
			if n := at(c.Name); n >= 0 {
				columns = []int{n}
			}
		}
		if len(columns) > 0 {
			found++
			t.used[i] = true
		}
		f.columns = append(f.columns, columns)
		written := -1
		for _, name := range c.Written {
			if written = at(name); written >= 0 {
				break
			}
		}
		f.written = append(f.written, written)
	}
	if found == 0 {
		return nil, fmt.Errorf("%s: none of the model's columns is in the file, which has %s: write the file's names in the model, as from: [...]", name, join(header))
	}
	return f, nil
}

// maxSources bounds the sources; records keep them as 16-bit numbers.
const maxSources = 1 << 16

// maxRecords bounds the records; pairs keep them as 31-bit numbers.
const maxRecords = math.MaxInt32

// Add adds a row, whose texts may be reused after.
func (f *File) Add(row []string) error {
	t := f.t
	if t.closed {
		return fmt.Errorf("%s: the table is closed: add all rows first", f.name)
	}
	if len(row) != f.width {
		return fmt.Errorf("%s: %d fields, the header has %d", f.name, len(row), f.width)
	}
	id := row[f.id]
	if id == "" {
		return fmt.Errorf("%s: %s is empty", f.name, t.model.spec.ID[0])
	}
	name := f.name
	if f.source >= 0 {
		if name = row[f.source]; name == "" {
			return fmt.Errorf("%s: %s is empty", f.name, t.model.spec.Source)
		}
	}
	s := slices.Index(t.sources, name)
	if s < 0 {
		if len(t.sources) == maxSources {
			return fmt.Errorf("%s: more than %d sources: is %q the right column?", f.name, maxSources, t.model.spec.Source)
		}
		s = len(t.sources)
		t.sources = append(t.sources, strings.Clone(name))
	}
	if len(t.ends) == maxRecords {
		return fmt.Errorf("%s: more than %d records", f.name, maxRecords)
	}
	t.source = append(t.source, uint16(s))
	t.ids = append(t.ids, id...)
	t.ends = append(t.ends, len(t.ids))
	first := len(t.cells)
	t.cells = slices.Grow(t.cells, t.width)[:first+t.width]
	cells := t.cells[first:]
	clear(cells)
	for i := range t.model.spec.Columns {
		text := ""
		switch columns := f.columns[i]; len(columns) {
		case 0:
		case 1:
			text = row[columns[0]]
		default:
			parts := make([]string, 0, len(columns))
			for _, c := range columns {
				if row[c] != "" {
					parts = append(parts, row[c])
				}
			}
			text = strings.Join(parts, " ")
		}
		if text = strings.TrimSpace(text); text == "" {
			t.intake[i].Empty++
			continue
		}
		t.parse(f, row, cells, i, text)
	}
	return nil
}

// parse puts a value into its cell.
func (t *Table) parse(f *File, row []string, cells []cell, column int, text string) {
	c, in := &t.model.spec.Columns[column], &t.intake[column]
	switch r := &t.model.roles[column]; r.kind {
	case dateKind:
		d, notes := identity.ReadDateFrom([]byte(text), c.Order == monthFirst, t.model.earliest)
		cells[column].a = uint64(d)
		in.note(d != 0, notes)
	case numberKind:
		var x identity.Reading
		if r.read != nil {
			x = r.read([]byte(text))
		} else {
			x = readNumber(c, []byte(text))
		}
		if x.Number == 0 {
			in.note(false, x.Notes)
			return
		}
		if r.typed && x.Kind != r.id {
			// It is of another kind, whose own column counts more.
			in.Moved++
			if column = t.model.typed[x.Kind]; column < 0 || f.value(row, column) != "" {
				return
			}
			in = &t.intake[column]
			in.Empty--
		}
		cells[column] = cell{a: uint64(x.Number)}
		if x.Notes&zerosRestored != 0 {
			cells[column].b = 1
		}
		in.note(true, x.Notes)
	default:
		form := r.form
		if form == wardForm && f.written[column] >= 0 && identity.WardsAt(identity.DateWritten([]byte(row[f.written[column]]))) == identity.WardsBefore {
			form = wardBeforeForm
		}
		cells[column].a = t.texts.hold(form, text)
	}
}

// value is what a row says in a column that no columns are joined for.
func (f *File) value(row []string, column int) string {
	if len(f.columns[column]) == 0 {
		return ""
	}
	return strings.TrimSpace(row[f.columns[column][0]])
}

// Close puts the records in an order of their own, that of a hash of their
// names, so that nothing after knows in which order they came (P9), and counts
// how often each value comes.
func (t *Table) Close() error {
	if t.closed {
		return nil
	}
	if t.Len() < 2 {
		return fmt.Errorf("there is nothing to compare: the files have %d records in all", t.Len())
	}
	for i, c := range t.model.spec.Columns {
		if !t.used[i] && !c.Optional {
			want := c.From
			if len(c.Join) > 0 {
				want = c.Join
			}
			if len(want) == 0 {
				want = []string{c.Name}
			}
			return fmt.Errorf("column %s is in no file: give one %s, or take it out of the model", c.Name, strings.Join(want, " or "))
		}
	}
	t.normalise()
	if err := t.order(); err != nil {
		return err
	}
	t.markReference()
	each(t.width, t.rarities)
	t.closed = true
	return nil
}

// normalise puts the cells of texts in the place of their numbers.
func (t *Table) normalise() {
	all := t.texts.normalise()
	for i := range t.model.roles {
		if t.model.roles[i].kind != textKind {
			continue
		}
		in := &t.intake[i]
		for at := i; at < len(t.cells); at += t.width {
			held := t.cells[at].a
			n := &all[held]
			t.cells[at] = n.cell
			switch {
			case held == 0: // counted already
			case n.cell.missing():
				in.Refused++
			default:
				in.Values++
			}
			if n.converted {
				in.Converted++
			}
			if n.cell.node() > identity.PersonNode {
				in.Organisations++
			}
		}
	}
	if t.model.says == nil && len(t.model.only) == 0 {
		return
	}
	for i := range t.Len() {
		row := t.row(int32(i))
		t.model.finish(row)
		if says := t.model.says; says != nil && row[says.cccd].doubted() {
			t.intake[says.cccd].Doubted++
		}
	}
}

// order puts the records in the order of a hash of their names, and refuses
// two of one name.
func (t *Table) order() error {
	n := t.Len()
	all := make([]keyed, n)
	hashes := make([]uint64, len(t.sources))
	for i, s := range t.sources {
		hashes[i] = xxhash.Sum64String(s)
	}
	for i := range all {
		all[i] = keyed{mix(xxhash.Sum64(t.id(int32(i))) ^ hashes[t.source[i]]), int32(i)}
	}
	all = sortKeyed(all)
	byName := func(x, y keyed) int {
		return cmp.Or(cmp.Compare(x.key, y.key), bytes.Compare(t.id(x.record), t.id(y.record)), cmp.Compare(t.Source(x.record), t.Source(y.record)))
	}
	for i := 1; i < n; i++ {
		if all[i-1].key != all[i].key {
			continue
		}
		j := i + 1
		for j < n && all[j].key == all[i].key {
			j++
		}
		slices.SortStableFunc(all[i-1:j], byName)
		for k := i; k < j; k++ {
			if x, y := all[k-1].record, all[k].record; byName(all[k-1], all[k]) == 0 {
				return fmt.Errorf("%s has the id %q twice: records %d and %d of the input", t.Source(x), t.ID(x), x+1, y+1)
			}
		}
	}
	cells := make([]cell, 0, len(t.cells))
	source := make([]uint16, 0, n)
	ids := make([]byte, 0, len(t.ids))
	ends := make([]int, 0, n)
	t.keys = make([]uint64, 0, n)
	for _, p := range all {
		at := int(p.record) * t.width
		cells = append(cells, t.cells[at:at+t.width]...)
		source = append(source, t.source[p.record])
		ids = append(ids, t.id(p.record)...)
		ends = append(ends, len(ids))
		t.keys = append(t.keys, p.key)
	}
	t.cells, t.source, t.ids, t.ends = cells, source, ids, ends
	return nil
}

func (t *Table) markReference() {
	t.reference = make([]bool, len(t.sources))
	for i, s := range t.sources {
		t.reference[i] = slices.Contains(t.model.spec.Reference, s)
	}
	for _, s := range t.source {
		t.referenced = t.referenced || t.reference[s]
	}
}

func (t *Table) isReference(i int32) bool { return t.reference[t.source[i]] }

// References counts the records of the reference.
func (t *Table) References() int {
	n := 0
	for i := range t.Len() {
		if t.isReference(int32(i)) {
			n++
		}
	}
	return n
}

func (t *Table) row(i int32) []cell { return t.cells[int(i)*t.width : (int(i)+1)*t.width] }

// rarities writes into each cell of a column how rare its value is.
func (t *Table) rarities(column int) {
	if t.live {
		known, kind := t.frequencies[column], t.model.roles[column].kind
		for i := range t.Len() {
			c := &t.cells[i*t.width+column]
			c.b |= known.of(kind, &t.texts, *c)
			if kind == textKind && !c.missing() {
				t.noteEnds(column, *c)
			}
		}
		return
	}

	if t.model.roles[column].kind == textKind {
		t.countEnds(column)
		t.rarity(column, 32, func(c cell) uint64 { return uint64(c.id()) })
		t.rarity(column, 48, func(c cell) uint64 { return uint64(c.toneless()) })
		return
	}
	t.rarity(column, 32, func(c cell) uint64 { return c.a })
}

// rarity writes how rare the value of each cell of a column is, at a place in
// the cell.
func (t *Table) rarity(column, place int, value func(cell) uint64) {
	all := make([]keyed, 0, t.Len())
	for i := range t.Len() {
		if c := t.cells[i*t.width+column]; !c.missing() {
			all = append(all, keyed{mix(value(c)), int32(i)})
		}
	}
	all = sortKeyed(all)
	n := float64(len(all))
	// squares is the sum of the squares of the counts, a whole number, so that
	// it does not depend on the order of adding.
	var squares float64
	groups(all, func(same []keyed) { squares += float64(len(same)) * float64(len(same)) })
	groups(all, func(same []keyed) {
		bits := math.Log2(squares / n / float64(len(same)))
		rarity := uint64(uint16(int16(max(-30, min(30, bits)) * rarityStep)))
		for _, k := range same {
			t.cells[int(k.record)*t.width+column].b |= rarity << place
		}
	})
}

// groups calls fn with each run of equal keys.
func groups(all []keyed, fn func([]keyed)) {
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && all[j].key == all[i].key {
			j++
		}
		fn(all[i:j])
		i = j
	}
}

// mix spreads the bits of a hash (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
