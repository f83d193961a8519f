package erase

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// rawJudge tells whose the letters of a connector are: changes of a quarantined
// table, with the description of the table before the first of a session, and
// in parts when they are large.
type rawJudge struct {
	*judge
	columns []pgoutput.RelationColumn
	parts   []place
	frame   []byte
}

// take judges a letter once its last part is there.
func (r *rawJudge) take(rec *topic.Record, s *sorted) error {
	l, err := connectors.ReadLetter(rec, r.e.Vault)
	if err != nil {
		return fmt.Errorf("offset %d: %w", rec.Offset, err)
	}
	part, of, divided := strings.Cut(l.Part, "/")
	if !divided || part == "1" {
		s.note(untold, r.parts...) // of one that has no end
		r.parts, r.frame = r.parts[:0], r.frame[:0]
	}
	r.parts, r.frame = append(r.parts, place{rec.Partition, rec.Offset}), append(r.frame, l.Value...)
	if divided && part != of {
		return nil
	}
	s.note(r.judgeChange(l), r.parts...)
	r.parts, r.frame = r.parts[:0], r.frame[:0]
	return nil
}

func (r *rawJudge) judgeChange(l connectors.Letter) verdict {
	var decoder pgoutput.Decoder
	message, err := decoder.Decode(r.frame)
	if err != nil {
		return untold
	}
	var rows []event.Row
	switch m := message.(type) {
	case *pgoutput.Relation:
		r.columns = m.Columns
		return somebodys
	case *pgoutput.Insert:
		rows = []event.Row{m.New}
	case *pgoutput.Update:
		rows = []event.Row{m.Old, m.New}
	case *pgoutput.Delete:
		rows = []event.Row{m.Old}
	default:
		return somebodys // it has no row
	}
	if r.columns == nil {
		return untold
	}
	redacted := strings.Split(l.Redacted, ",")
	for _, row := range rows {
		if r.row(row, redacted) {
			return theirs
		}
	}
	return somebodys
}

// row tells whether a row is the person's: by its own name, the one that it
// speaks through, or a number.
func (r *rawJudge) row(row event.Row, redacted []string) bool {
	table := r.lane.table
	var key []string
	for i := range r.columns {
		c := &r.columns[i]
		if i >= len(row) || row[i].State != event.Present {
			continue
		}
		text := string(row[i].Text)
		described, known := table.Column(c.Name)
		domain := ""
		if known {
			domain = described.TokenDomain()
		}
		if domain != "" && !slices.Contains(redacted, c.Name) {
			text = string(r.e.tokenOf(domain, row[i].Text))
		}
		if p := table.Person; p != nil {
			if p.Direct && known && slices.Contains(connectors.Personal, described.Identifier) && r.token([]byte(text)) {
				return true
			}
			if !p.Direct && c.Name == p.Via && r.erased(r.lane.source+"."+p.To+":"+nameEscape.Replace(text)) {
				return true
			}
		}
		if len(table.Key) > 0 && slices.Contains(table.Key, c.Name) || len(table.Key) == 0 && c.Key {
			key = append(key, nameEscape.Replace(text))
		}
	}
	return len(key) > 0 && r.erased(r.lane.source+"."+table.Name+":"+strings.Join(key, "|"))
}

// nameEscape writes a part of a key as the names of records do
// (avro.AppendRecordID).
var nameEscape = strings.NewReplacer(`\`, `\\`, "|", `\|`)
