package event

import (
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/require"
)

func TestVersionOrdersAsPositionsDo(t *testing.T) {
	less := func(h1, l1, h2, l2 uint64) int {
		switch {
		case h1 != h2 && h1 < h2, h1 == h2 && l1 < l2:
			return -1
		case h1 == h2 && l1 == l2:
			return 0
		}
		return 1
	}
	f := func(p, q Position) bool {
		h1, l1 := p.Version()
		h2, l2 := q.Version()
		return less(h1, l1, h2, l2) == p.Compare(q) && PositionOf(h1, l1) == p
	}
	require.NoError(t, quick.Check(f, nil))
}

// P5: a snapshot's rows order before the changes that commit at its
// consistent point.
func TestSnapshotOrdersBeforeTheStream(t *testing.T) {
	snapshot := Position{Epoch: 1, LSN: 100, Ordinal: 0}
	first := Position{Epoch: 1, LSN: 100, Ordinal: 1}
	require.Negative(t, snapshot.Compare(first))
	require.Positive(t, Position{Epoch: 2}.Compare(first))
}

func TestLSNText(t *testing.T) {
	for _, s := range []string{"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"} {
		l, err := ParseLSN(s)
		require.NoError(t, err)
		require.Equal(t, s, l.String())
	}
	for _, s := range []string{"", "16", "x/1", "1/x", "1/123456789"} {
		_, err := ParseLSN(s)
		require.Error(t, err, s)
	}
}

// What is read as an LSN is written as one, and read again as the same.
func FuzzParseLSN(f *testing.F) {
	for _, s := range []string{"16/B374D848", "0/0", "FFFFFFFF/ffffffff", "/", "1/2/3", "-1/0", "0x1/0", "1_0/0", "+1/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLSN(s)
		if err != nil {
			return
		}
		again, err := ParseLSN(l.String())
		if err != nil || again != l {
			t.Fatalf("%q is %s, and that is %s, %v", s, l, again, err)
		}
	})
}
