package matcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/event"
)

// eraser is the matcher's part in erasing people: it forgets their records, takes
// none of them in again, and takes back what was decided of them. Links and pairs
// of theirs are withdrawn, and who was one person through them is split, as when
// any record goes (P12).
type eraser struct {
	ledger *erasure.Ledger
	end    int64     // of the ledger as it was read
	looked time.Time // for more of it
	// said are the messages of what was asked of this matcher, by erasure. Kafka
	// may show a transaction a moment after it told that it is committed, and who
	// asks again must not find the ledger of before.
	said map[string]saidErasure
}

// saidErasure is a message of the ledger that this matcher wrote.
type saidErasure struct {
	version    uint64
	key, value []byte
}

// ours has the ledger say what this matcher wrote and Kafka does not show yet.
func (e *eraser) ours() error {
	for id, said := range e.said {
		if known, ok := e.ledger.Of(id); ok && known.Version >= said.version {
			delete(e.said, id)
			continue
		}
		if err := e.ledger.Take(said.key, said.value); err != nil {
			return err
		}
	}
	return nil
}

// ledgerWait is how often the ledger is looked at.
const ledgerWait = time.Second

// readLedger reads the ledger, and forgets who is erased. It gives how many
// records and decisions went.
func (m *Matcher) readLedger(ctx context.Context) (gone int, err error) {
	e := m.erased
	if e.ledger, e.end, err = feed.Read(ctx, m.config.Kafka); err != nil {
		return 0, fmt.Errorf("matcher: %w", err)
	}
	if err := e.ours(); err != nil {
		return 0, err
	}
	e.looked = time.Now()
	return m.forgetErased(), nil
}

// forgetErased takes out of the engine and the book what the ledger has.
func (m *Matcher) forgetErased() (gone int) {
	ledger := m.erased.ledger
	m.desk.isErased = func(record string) bool { return ledger.Record([]byte(record)) }
	for _, record := range ledger.Records() {
		if m.engine.Forget(record) {
			gone++
		}
	}
	for _, pair := range m.desk.book.About(m.desk.isErased) {
		if said, ok := m.desk.book.Forget(pair); ok {
			m.engine.Decide(said.Decision())
		}
		m.desk.erased[pair] = struct{}{}
		gone++
	}
	return gone
}

// followLedger reads the ledger again when it has grown. It gives how much there
// is to be published for it.
func (m *Matcher) followLedger(ctx context.Context) (int, error) {
	e := m.erased
	if time.Since(e.looked) < ledgerWait {
		return 0, nil
	}
	e.looked = time.Now()
	end, err := feed.End(ctx, m.config.Kafka)
	if err != nil {
		return 0, fmt.Errorf("matcher: %w", err)
	}
	if end == e.end {
		return 0, nil
	}
	gone, err := m.readLedger(ctx)
	return gone + len(m.openErasures()), err
}

// isErased tells whether a message is of an erased record. Its tombstone, and
// what is said of the whole table, is taken in.
func (m *Matcher) isErased(msg *message) bool {
	return !msg.tombstone && msg.op != event.Truncate && msg.op != event.Marker && m.erased.ledger.Record(msg.raw.ID)
}

// openErasures are those that are in force, and of which the ledger does not say
// yet that the matcher did its part.
func (m *Matcher) openErasures() (ids []string) {
	for _, e := range m.erased.ledger.Erasures() {
		if _, done := m.erased.ledger.Done(e.ID)[erasure.StepMatcher]; e.Holds() && !done {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// saidErased writes into the open transaction, which withdraws the links, that
// this was done.
func (m *Matcher) saidErased(ctx context.Context) error {
	now := time.Now().UnixMilli()
	for _, id := range m.openErasures() {
		records, _ := m.erased.ledger.Names(id)
		key, value, err := m.erased.ledger.Step(id, now, int64(len(records))).Message(id, erasure.StepMatcher)
		if err == nil {
			err = m.producer.Add(ctx, feed.Partition, key, value, now)
		}
		if err == nil {
			err = m.erased.ledger.Take(key, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// personOf finds the records of a person, by the person's id or the name of a
// record.
func (d *desk) personOf(name string) (person string, records []string, err error) {
	if shown, ok := d.engine.Show(name); ok {
		return shown.Person.String(), d.engine.Members(shown.Person), nil
	}
	id, err := identity.ParsePersonID(name)
	if err == nil {
		records = d.engine.Members(id)
	}
	if err != nil || len(records) == 0 {
		return "", nil, errNobody
	}
	return name, records, nil
}

var errNobody = errors.New("there is no such person or record: name a person_id, or a record as identity.link does, <source>.<table>:<key>")
