package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// febrlHeader are the columns of FEBRL's data sets, with the blank after each
// comma that these have.
var febrlHeader = []string{"rec_id", " given_name", " surname", " street_number", " address_1", " address_2", " suburb", " postcode", " state", " date_of_birth", " soc_sec_id"}

// Places of febrlHeader's fields, without the id.
const (
	febrlGiven = iota
	febrlSurname
	febrlNumber
	febrlStreet
	febrlPlace
	febrlSuburb
	febrlPostcode
	febrlState
	febrlBorn
	febrlSocial
	febrlFields
)

// coin makes a word that nobody need bear; few of them are common.
func coin(r *rand.Rand, parts int) string {
	starts := []string{"bra", "cor", "del", "fen", "gar", "hol", "jo", "kin", "lach", "mar", "ni", "os", "pet", "rob", "sam", "tor", "wil", "zan", "mi", "em"}
	ends := []string{"ton", "ley", "son", "ie", "a", "ard", "en", "is", "man", "wood", "er", "ina", "lyn", "ah"}
	var b strings.Builder
	for range parts {
		b.WriteString(starts[min(r.IntN(len(starts)), r.IntN(len(starts)))])
	}
	return b.String() + ends[min(r.IntN(len(ends)), r.IntN(len(ends)))]
}

func febrlPerson(r *rand.Rand) []string {
	p := make([]string, febrlFields)
	p[febrlGiven], p[febrlSurname] = coin(r, 1), coin(r, 2)
	p[febrlNumber], p[febrlStreet] = fmt.Sprint(1+r.IntN(150)), coin(r, 2)+" "+[]string{"street", "place", "crescent", "circuit"}[r.IntN(4)]
	if r.IntN(3) == 0 {
		p[febrlPlace] = coin(r, 1) + " park"
	}
	suburb := min(r.IntN(900), r.IntN(900))
	p[febrlSuburb] = coin(rand.New(rand.NewPCG(uint64(suburb), 1)), 2) + " " + []string{"heads", "bay", "hills"}[suburb%3]
	p[febrlPostcode], p[febrlState] = fmt.Sprint(2000+suburb*3), []string{"nsw", "vic", "qld", "wa", "sa"}[suburb%5]
	p[febrlBorn] = fmt.Sprintf("19%02d%02d%02d", r.IntN(100), 1+r.IntN(12), 1+r.IntN(28))
	p[febrlSocial] = fmt.Sprint(1_000_000 + r.IntN(9_000_000))
	for _, f := range []int{febrlGiven, febrlNumber, febrlBorn} { // FEBRL's originals lack some
		if r.IntN(25) == 0 {
			p[f] = ""
		}
	}
	return p
}

// febrlDuplicate makes one to four faults, as FEBRL's generator does: letters
// put in, left out, put for another or exchanged, words and fields exchanged,
// values missing or of somebody else.
func febrlDuplicate(r *rand.Rand, p []string) []string {
	out := append([]string(nil), p...)
	for range 1 + r.IntN(4) {
		f := []int{febrlGiven, febrlGiven, febrlSurname, febrlSurname, febrlNumber, febrlStreet, febrlStreet, febrlPlace, febrlSuburb, febrlPostcode, febrlBorn, febrlSocial}[r.IntN(12)]
		s := []byte(out[f])
		letter := func() byte {
			if f == febrlNumber || f == febrlPostcode || f == febrlBorn || f == febrlSocial {
				return byte('0' + r.IntN(10))
			}
			return byte('a' + r.IntN(26))
		}
		switch x := r.IntN(20); {
		case x < 2:
			out[f] = ""
		case x < 3:
			out[febrlGiven], out[febrlSurname] = out[febrlSurname], out[febrlGiven]
		case x < 4:
			out[febrlStreet], out[febrlPlace] = out[febrlPlace], out[febrlStreet]
		case x < 6:
			out[f] = febrlPerson(r)[f]
		case len(s) < 2:
		default:
			switch i := r.IntN(len(s) - 1); x % 4 {
			case 0:
				s = append(s[:i], append([]byte{letter()}, s[i:]...)...)
			case 1:
				s = append(s[:i], s[i+1:]...)
			case 2:
				s[i] = letter()
			default:
				s[i], s[i+1] = s[i+1], s[i]
			}
			out[f] = string(s)
		}
	}
	return out
}

// An outsider's first minutes: two files as FEBRL's fourth data set, 5,000
// records and a faulty duplicate of each, linked by the model that comes with
// the program, with nothing but --train.
func TestFEBRLFilesOutOfTheBox(t *testing.T) {
	const seed, people = 5, 5000
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var originals, duplicates, truth bytes.Buffer
	a, b, of := csv.NewWriter(&originals), csv.NewWriter(&duplicates), csv.NewWriter(&truth)
	b.UseCRLF = true // written on another system
	write := func(w *csv.Writer, id string, p []string) {
		row := []string{id}
		for _, v := range p {
			row = append(row, " "+v)
		}
		require.NoError(t, w.Write(row))
		require.NoError(t, of.Write([]string{id, strings.Split(id, "-")[1]}))
	}
	require.NoError(t, a.Write(febrlHeader))
	require.NoError(t, b.Write(febrlHeader))
	require.NoError(t, of.Write([]string{"id", "entity"}))
	for _, i := range r.Perm(people) {
		p := febrlPerson(r)
		write(a, fmt.Sprintf("rec-%d-org", i), p)
		write(b, fmt.Sprintf("rec-%d-dup-0", i), febrlDuplicate(r, p))
	}
	for name, w := range map[string]*csv.Writer{"a.csv": a, "b.csv": b, "truth.csv": of} {
		w.Flush()
		text := map[string]*bytes.Buffer{"a.csv": &originals, "b.csv": &duplicates, "truth.csv": &truth}[name]
		require.NoError(t, os.WriteFile(path(name), text.Bytes(), 0o600))
	}
	_, err := hopluuIdentity(t, "link", "--model", "febrl", "--train", "--input", path("a.csv"), "--input", path("b.csv"), "--output", path("links.csv"))
	require.NoError(t, err)
	out, err := hopluuIdentity(t, "evaluate", "--links", path("links.csv"), "--truth", path("truth.csv"), "--json")
	require.NoError(t, err)
	var e linkage.Evaluation
	require.NoError(t, json.Unmarshal([]byte(out), &e))
	t.Logf("precision %.4f, recall %.4f, F1 %.4f; with review recall %.4f; clusters F1 %.4f", e.Pairs.Precision, e.Pairs.Recall, e.Pairs.F1, e.Review.Recall, e.Clusters.F1)
	require.Greater(t, e.Pairs.Precision, 0.995)
	require.Greater(t, e.Pairs.Recall, 0.99)
}
