package tablefile

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// The headers of the files that are written.
var (
	linksHeader    = []string{"source_a", "id_a", "source_b", "id_b", "weight", "probability", "decision"}
	clustersHeader = []string{"source", "id", "cluster"}
)

// The decisions as they are written.
const (
	decisionLink   = "link"
	decisionReview = "review"
)

// WriteLinks writes the links and the pairs to be looked at, the strongest
// first.
func WriteLinks(to io.Writer, t *linkage.Table, links *linkage.Links) error {
	w := csv.NewWriter(to)
	if err := w.Write(linksHeader); err != nil {
		return err
	}
	row := make([]string, len(linksHeader))
	for _, l := range links.Edges {
		decision := decisionLink
		if l.Review {
			decision = decisionReview
		}
		row[0], row[1], row[2], row[3] = t.Source(l.A), t.ID(l.A), t.Source(l.B), t.ID(l.B)
		row[4] = strconv.FormatFloat(float64(l.Weight), 'f', 2, 32)
		row[5] = strconv.FormatFloat(l.Probability(), 'f', 6, 64)
		row[6] = decision
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// WriteClusters writes for each record its cluster, which has the name of its
// first record in the table's own order.
func WriteClusters(to io.Writer, t *linkage.Table, links *linkage.Links) error {
	w := csv.NewWriter(to)
	if err := w.Write(clustersHeader); err != nil {
		return err
	}
	for i, c := range links.Cluster {
		if err := w.Write([]string{t.Source(int32(i)), t.ID(int32(i)), t.Source(c) + "/" + t.ID(c)}); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
