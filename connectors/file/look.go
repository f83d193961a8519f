package file

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// session is one try: place, producer and state. Everything in it is used by
// one goroutine.
type session struct {
	*Connector
	place, reports drop.Place
	scratch        scratch
	producer       *topic.Producer
	tables         []*table
	ledger         *erasure.Ledger // of erased people (P12)

	checkpoint checkpoint
	keys       connectors.Fingerprints
	taken      map[string]taken // by table and content
	names      map[string]known // by name

	// seen is the last look at files that may still be written; told are names
	// of which something was logged.
	seen map[string]drop.Entry
	told map[string]bool

	opened               time.Time // when the open transaction got its first record
	beaten               time.Time // when the checkpoint was last written
	key, value, stateKey []byte
	rowKey, rowDigest    []byte
}

// found is a file that is to be taken in.
type found struct {
	drop.Entry
	table *table
	// again made the digests of its rows when it was taken in, under a key of
	// tokens before the one in force; nil for a file that comes for the first time.
	again *token.Tokenizer
}

// heartbeat is how often an idle connector writes its checkpoint: it learns that
// another one has the source, or that Kafka is away, before the next file comes.
const heartbeat = time.Minute

// run looks for files and takes them in until something breaks.
func (s *session) run(ctx context.Context) error {
	s.told = map[string]bool{}
	if err := s.resume(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(s.Interval)
	defer tick.Stop()
	for {
		entries, err := s.place.List(ctx)
		if err != nil {
			return err
		}
		s.setState(nil)
		for _, f := range s.ready(entries) {
			if err := s.take(ctx, f); err != nil {
				return err
			}
			s.metrics.waiting.Dec()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := s.beat(ctx); err != nil {
			return err
		}
	}
}

// resume goes on with the file in whose middle the last session ended.
func (s *session) resume(ctx context.Context) error {
	c := s.checkpoint.Current
	if c == nil {
		return nil
	}
	entries, err := s.place.List(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := slices.IndexFunc(s.tables, func(t *table) bool { return t.name() == c.Table && t.stopped == nil })
		if e.Name != c.Name || i < 0 {
			continue
		}
		if err := s.take(ctx, found{Entry: e, table: s.tables[i]}); err != nil {
			return err
		}
	}
	if s.checkpoint.Current == nil {
		return nil
	}
	return s.abandon(ctx)
}

// abandon gives up a file that was removed or replaced while it was being taken
// in: what was produced of it stays, as with any file whose rows are followed by
// others.
func (s *session) abandon(ctx context.Context) error {
	c := s.checkpoint.Current
	s.Log.Error("a file was removed or replaced while it was being taken in: the rows up to the line are in Kafka, the rest is not; drop it again",
		"file", c.Name, "table", c.Table, "line", c.Line, "created", c.Counts.Created, "updated", c.Counts.Updated)
	s.metrics.files.WithLabelValues(c.Table, "abandoned").Inc()
	s.checkpoint.Current = nil
	return s.save(ctx)
}

// unfinished are the ends of names that programs give to files that they still
// write.
var unfinished = []string{".tmp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp"}

// ReportSuffix ends the name of a report of refused rows.
const ReportSuffix = ".refused.csv"

// ignored tells names that are never taken in: what is hidden, what is still
// written, Excel's lock files, our own reports.
func ignored(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || strings.HasSuffix(lower, ReportSuffix) ||
		slices.ContainsFunc(unfinished, func(end string) bool { return strings.HasSuffix(lower, end) })
}

// tableOf finds the table of a file by its name.
func (s *session) tableOf(name string) (*table, error) {
	var match *table
	for _, t := range s.tables {
		// Patterns were tried when the configuration was read.
		ok, err := path.Match(strings.ToLower(t.config.Pattern), strings.ToLower(name))
		if err != nil {
			return nil, err
		}
		if ok && match != nil {
			return nil, fmt.Errorf("its name matches the patterns of tables %s and %s: make the patterns tell them apart", match.name(), t.name())
		}
		if ok {
			match = t
		}
	}
	return match, nil
}

// later is above 0 when the rows of a supersede those of b.
func later(a, b drop.Entry) int {
	return cmp.Or(a.Modified.Compare(b.Modified), strings.Compare(a.Name, b.Name))
}

// ready gives the files that can be taken in, in the order in which their rows
// supersede one another: by their time, then by name. A file that is new or
// still grows holds back the later ones of its table.
func (s *session) ready(entries []drop.Entry) []found {
	slices.SortFunc(entries, later)
	var files []found
	waiting := 0
	growing, held := map[string]drop.Entry{}, map[*table]bool{}
	for _, e := range entries {
		if ignored(e.Name) {
			continue
		}
		t, err := s.tableOf(e.Name)
		if k, ok := s.names[e.Name]; ok && k.same(e) && (k.Refused == "" || t == nil || t.stopped != nil || k.Refused == t.shape) {
			continue
		}
		if err != nil || t == nil {
			if !s.told[e.Name] {
				s.told[e.Name] = true
				if err == nil {
					s.Log.Warn("a file is no table's: no pattern matches its name", "file", e.Name)
				} else {
					s.Log.Error("a file cannot be taken in", "file", e.Name, "error", err)
				}
			}
			continue
		}
		waiting++
		if !s.place.Whole() && !s.seen[e.Name].Same(e) {
			growing[e.Name] = e
			held[t] = true
		}
		if held[t] || t.stopped != nil {
			continue
		}
		files = append(files, found{Entry: e, table: t})
	}
	// What was seen at rest must stay so until it is taken in.
	for _, e := range entries {
		if s.seen[e.Name].Same(e) {
			growing[e.Name] = e
		}
	}
	s.seen = growing
	s.metrics.waiting.Set(float64(waiting))
	return files
}

// same tells whether nothing speaks for another content than was dealt with.
func (k known) same(e drop.Entry) bool {
	return k.Size == e.Size && k.ModifiedMicros == e.Modified.UnixMicro() && k.Tag == e.Tag
}
