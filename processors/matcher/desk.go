package matcher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/identity/review"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// pairKey is the key of identity.decision and identity.review: the records of
// the pair in order, as names of records have it (avro.AppendRecordID), which
// hold tokens where a key is an identifier (P11).
var pairKey = []avro.FlatField{
	{Name: "record_a", Type: "string", Doc: "The source record that is first by name: <source>.<table>:<key>"},
	{Name: "record_b", Type: "string", Doc: "The other one"},
}

// decisionValue are the fields of identity.decision, which is compacted: what
// counts of all that was said of a pair.
var decisionValue = []avro.FlatField{
	{Name: "record_a", Type: "string", Doc: "The source record that is first by name"},
	{Name: "record_b", Type: "string", Doc: "The other one"},
	{Name: "version", Type: "long", Doc: "Counts what was said of the pair; the greatest counts"},
	{Name: "verdict", Type: "string", Doc: "In force: same, different or unsaid"},
	{Name: "who", Type: "string", Nullable: true, Doc: "Who said so; null when nobody did"},
	{Name: "at", Type: "long", Nullable: true, Doc: "When, in milliseconds since 1970-01-01 UTC"},
	{Name: "reason", Type: "string", Nullable: true, Doc: "Why"},
	{Name: "approved_by", Type: "string", Nullable: true, Doc: "The second person; null where one was enough"},
	{Name: "approved_at", Type: "long", Nullable: true, Doc: "When the second person approved"},
	{Name: "model_version", Type: "string", Nullable: true, Doc: "The version of the model when it was decided; the decision outlives it"},
	{Name: "proposed_verdict", Type: "string", Nullable: true, Doc: "What waits for a second person; null when nothing does"},
	{Name: "proposed_by", Type: "string", Nullable: true, Doc: "Who proposed it"},
	{Name: "proposed_at", Type: "long", Nullable: true, Doc: "When"},
	{Name: "proposed_reason", Type: "string", Nullable: true, Doc: "Why"},
}

// reviewValue are the fields of identity.review, which is compacted: the pairs
// that somebody should look at now.
var reviewValue = []avro.FlatField{
	{Name: "record_a", Type: "string", Doc: "The source record that is first by name"},
	{Name: "record_b", Type: "string", Doc: "The other one"},
	{Name: "rule", Type: "string", Doc: "Why it is asked: weights, forbidden, shared-number, conflict or the name of a contradiction"},
	{Name: "weight", Type: "double", Nullable: true, Doc: "The match weight in bits; null where it does not decide"},
	{Name: "rank", Type: "double", Doc: "The expected effect of a decision: greater is to be looked at first"},
	{Name: "figures", Type: "string", Doc: "Published figures that it may change, divided by commas: deaths, insured, welfare"},
	{Name: "records_a", Type: "long", Doc: "Records of the person of the first record"},
	{Name: "records_b", Type: "long", Doc: "Records of the person of the other"},
	{Name: "sectors_a", Type: "string", Doc: "Their sectors, divided by commas"},
	{Name: "sectors_b", Type: "string", Doc: "Their sectors, divided by commas"},
	{Name: "register", Type: "boolean", Doc: "One of the two persons is a citizen of the population register"},
	{Name: "died", Type: "boolean", Doc: "One of the two persons has a death that the other does not know"},
	{Name: "evidence", Type: "string", Doc: "JSON: the level of agreement of every comparison"},
	{Name: "model_version", Type: "string", Doc: "The version of the model that asks"},
}

// auditKey is the key of identity.audit, which is compacted: each line has its own.
var auditKey = []avro.FlatField{
	{Name: "line", Type: "string", Doc: "The line's own id, by which an erasure replaces it"},
}

// auditValue are the fields of identity.audit: what people did here.
var auditValue = []avro.FlatField{
	{Name: "at", Type: "long", Doc: "When, in milliseconds since 1970-01-01 UTC"},
	{Name: "who", Type: "string", Doc: "The reviewer"},
	{Name: "action", Type: "string", Doc: "list, show, decide or decisions"},
	{Name: "outcome", Type: "string", Doc: "shown, decided, proposed, approved, withdrawn, unchanged or refused"},
	{Name: "record_a", Type: "string", Nullable: true, Doc: "The pair, where the action is on one"},
	{Name: "record_b", Type: "string", Nullable: true},
	{Name: "verdict", Type: "string", Nullable: true, Doc: "What was said"},
	{Name: "reason", Type: "string", Nullable: true, Doc: "Why, or why it was refused"},
	{Name: "personal", Type: "boolean", Doc: "Columns with personal data were shown"},
	{Name: "remote", Type: "string", Doc: "The address that asked"},
}

// asked is a pair of the queue.
type asked struct {
	review *linkage.Review
	review.Ranked
}

// desk keeps what people do with pairs: the decisions, the queue, the audit.
// What it writes goes into the matcher's transaction: a decision shows together
// with the links that it changed.
type desk struct {
	producer *topic.Producer
	decoder  *decoder
	engine   *linkage.Engine

	decisions, queue, audit *flatTopic
	reader                  *flatReader
	keys                    *flatReader
	cells                   []avro.Cell

	book *review.Book
	// again are pairs whose last message is not what counts, erased those of
	// which none is to stay.
	again, erased map[[2]string]struct{}
	isErased      func(record string) bool
	open          map[[2]string]asked
	// published are the digests of what identity.review holds.
	published map[[2]string]uint64
	// fresh is true until the queue was first compared with what is published.
	fresh bool
	buf   []byte
}

func openDesk(ctx context.Context, kafka *topic.Client, schemas *registry.Client, d *decoder) (*desk, error) {
	out := &desk{
		decoder: d, reader: newFlatReader(decisionValue), keys: newFlatReader(pairKey),
		cells: make([]avro.Cell, len(decisionValue)),
	}
	var err error
	if out.decisions, err = openFlat(ctx, kafka, schemas, topic.IdentityDecision, pairKey, decisionValue); err != nil {
		return nil, err
	}
	if out.queue, err = openFlat(ctx, kafka, schemas, topic.IdentityReview, pairKey, reviewValue); err != nil {
		return nil, err
	}
	out.audit, err = openFlat(ctx, kafka, schemas, topic.IdentityAudit, auditKey, auditValue)
	return out, err
}

// reset forgets what was read, for an engine that knows nothing.
func (d *desk) reset(e *linkage.Engine) {
	d.engine, d.book = e, review.NewBook()
	d.again, d.erased = map[[2]string]struct{}{}, map[[2]string]struct{}{}
	d.begin()
}

// begin forgets what is asked and published; what was decided is known as before.
func (d *desk) begin() {
	d.fresh = true
	d.open, d.published = map[[2]string]asked{}, map[[2]string]uint64{}
}

// take takes a message of identity.decision. An *undecodableError is the
// message's own fault.
func (d *desk) take(ctx context.Context, rec *topic.Record) error {
	if rec.Key == nil {
		return undecodable("the message has no key")
	}
	cells := d.cells[:len(pairKey)]
	if err := d.keys.read(ctx, d.decoder, rec.Key, cells); err != nil {
		return prefixed("key", err)
	}
	pair := [2]string{string(cells[0].B), string(cells[1].B)}
	if rec.Value != nil && (d.isErased(pair[0]) || d.isErased(pair[1])) {
		d.erased[pair] = struct{}{} // P12: nor does anybody else read it again
		return nil
	}
	if rec.Value == nil {
		// Without it the next reader knows of no decision, so neither do we.
		if e, ok := d.book.Forget(pair); ok {
			d.engine.Decide(e.Decision())
		}
		return nil
	}
	if err := d.reader.read(ctx, d.decoder, rec.Value, d.cells); err != nil {
		return prefixed("value", err)
	}
	e, err := entryOf(d.cells)
	if err == nil {
		err = e.Check()
	}
	if err == nil && [2]string{e.A, e.B} != pair {
		err = errors.New("the key names another pair")
	}
	if err != nil {
		return undecodable("value: %w", err)
	}
	if !d.book.Take(e) {
		d.again[pair] = struct{}{}
		return nil
	}
	delete(d.again, pair)
	d.engine.Decide(e.Decision())
	return nil
}

func prefixed(what string, err error) error {
	if isUndecodable(err) {
		return undecodable("%s: %w", what, err)
	}
	return err
}

func isUndecodable(err error) bool {
	var bad *undecodableError
	return errors.As(err, &bad)
}

// Places of decisionValue's fields.
const (
	decisionA = iota
	decisionB
	decisionVersion
	decisionVerdict
	decisionWho
	decisionAt
	decisionReason
	decisionApprovedBy
	decisionApprovedAt
	decisionModel
	decisionProposedVerdict
	decisionProposedBy
	decisionProposedAt
	decisionProposedReason
	decisionFields
)

func entryOf(c []avro.Cell) (review.Entry, error) {
	e := review.Entry{
		A: string(c[decisionA].B), B: string(c[decisionB].B), Version: uint64(max(0, c[decisionVersion].N)),
		By: string(c[decisionWho].B), At: c[decisionAt].N, Reason: string(c[decisionReason].B),
		ApprovedBy: string(c[decisionApprovedBy].B), ApprovedAt: c[decisionApprovedAt].N, Model: string(c[decisionModel].B),
	}
	var err error
	if e.Verdict, err = linkage.ParseVerdict(string(c[decisionVerdict].B)); err != nil {
		return e, err
	}
	if c[decisionProposedVerdict].Null {
		return e, nil
	}
	p := &review.Proposal{By: string(c[decisionProposedBy].B), At: c[decisionProposedAt].N, Reason: string(c[decisionProposedReason].B)}
	e.Proposed = p
	p.Verdict, err = linkage.ParseVerdict(string(c[decisionProposedVerdict].B))
	return e, err
}

// write writes an entry of the book into the open transaction.
func (d *desk) write(ctx context.Context, e *review.Entry, millis int64) error {
	cells := [decisionFields]avro.Cell{
		decisionA: text(e.A), decisionB: text(e.B), decisionVersion: number(int64(e.Version)), decisionVerdict: text(e.Verdict.String()),
		decisionWho: optional(e.By), decisionAt: optionalNumber(e.At), decisionReason: optional(e.Reason),
		decisionApprovedBy: optional(e.ApprovedBy), decisionApprovedAt: optionalNumber(e.ApprovedAt), decisionModel: optional(e.Model),
		decisionProposedVerdict: {Null: true}, decisionProposedBy: {Null: true}, decisionProposedAt: {Null: true}, decisionProposedReason: {Null: true},
	}
	if p := e.Proposed; p != nil {
		cells[decisionProposedVerdict], cells[decisionProposedBy] = text(p.Verdict.String()), text(p.By)
		cells[decisionProposedAt], cells[decisionProposedReason] = number(p.At), text(p.Reason)
	}
	return d.decisions.add(ctx, d.producer, cells[:len(pairKey)], cells[:], millis)
}

// say takes what a person says and writes it. A refusal is an error of package
// review; any other error ends the matcher.
func (d *desk) say(ctx context.Context, s review.Statement, twoPersons bool) (review.Entry, review.Outcome, error) {
	e, outcome, err := review.Say(d.book.Of(s.A, s.B), s, twoPersons)
	if err != nil || outcome == review.Unchanged {
		return e, outcome, err
	}
	if err := d.write(ctx, &e, s.At); err != nil {
		return e, "", fatal(err)
	}
	d.book.Take(e)
	d.engine.Decide(e.Decision())
	return e, outcome, nil
}

// fatalError is one after which the matcher cannot go on.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

func fatal(err error) error { return &fatalError{err} }

// restore takes note of what identity.review holds. What is no pair of ours is
// left alone.
func (d *desk) restore(ctx context.Context, kafka *topic.Client) error {
	cells := make([]avro.Cell, len(pairKey))
	return kafka.ReadAll(ctx, topic.IdentityReview, func(rec topic.Record) error {
		if err := d.keys.read(ctx, d.decoder, rec.Key, cells); err != nil {
			return fmt.Errorf("%s, offset %d: the message is none of this program (%w): delete topic identity.review and create it anew, the matcher fills it again", rec.Partition, rec.Offset, err)
		}
		pair := [2]string{string(cells[0].B), string(cells[1].B)}
		if rec.Value == nil {
			delete(d.published, pair)
			return nil
		}
		d.published[pair] = xxhash.Sum64(rec.Value)
		return nil
	})
}

// publish writes what changed in the queue since the last time, and again the
// decisions whose last message is not what counts, into the open transaction.
// The first time, what is published and not asked any more is withdrawn.
func (d *desk) publish(ctx context.Context, millis int64) error {
	for pair := range d.again {
		e := d.book.Of(pair[0], pair[1])
		if err := d.write(ctx, &e, millis); err != nil {
			return err
		}
	}
	clear(d.again)
	for pair := range d.erased {
		if err := d.decisions.add(ctx, d.producer, []avro.Cell{text(pair[0]), text(pair[1])}, nil, millis); err != nil {
			return err
		}
	}
	clear(d.erased)
	err := d.engine.Reviews(func(pair [2]string, r *linkage.Review) error {
		if r == nil {
			delete(d.open, pair)
			return d.withdraw(ctx, pair, millis)
		}
		a := asked{r, review.Rank(r)}
		d.open[pair] = a
		return d.ask(ctx, pair, &a, millis)
	})
	if err != nil || !d.fresh {
		return err
	}
	d.fresh = false
	for pair := range d.published {
		if _, ok := d.open[pair]; !ok {
			if err := d.withdraw(ctx, pair, millis); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *desk) withdraw(ctx context.Context, pair [2]string, millis int64) error {
	if _, ok := d.published[pair]; !ok {
		return nil
	}
	delete(d.published, pair)
	return d.queue.add(ctx, d.producer, []avro.Cell{text(pair[0]), text(pair[1])}, nil, millis)
}

func (d *desk) ask(ctx context.Context, pair [2]string, a *asked, millis int64) error {
	r := a.review
	weight := avro.Cell{Null: true}
	if r.Weight != 0 {
		weight = avro.Cell{F: r.Weight}
	}
	value := []avro.Cell{
		text(r.A), text(r.B), text(r.Rule), weight, {F: a.Rank}, text(strings.Join(a.Figures, ",")),
		number(int64(r.Effect.Records[0])), number(int64(r.Effect.Records[1])),
		text(strings.Join(r.Effect.Sectors[0], ",")), text(strings.Join(r.Effect.Sectors[1], ",")),
		boolean(r.Effect.Register), boolean(r.Effect.Died), text(r.Evidence), text(d.engine.Model()),
	}
	var err error
	if d.buf, err = d.queue.value.Append(d.buf[:0], d.queue.valueID, value); err != nil {
		return err
	}
	digest := xxhash.Sum64(d.buf)
	if old, ok := d.published[pair]; ok && old == digest {
		return nil
	}
	d.published[pair] = digest
	return d.queue.add(ctx, d.producer, value[:len(pairKey)], value, millis)
}

// act is what somebody did.
type act struct {
	at                                    int64
	who, action, outcome, verdict, reason string
	a, b, remote                          string
	line                                  string // in identity.audit
	personal                              bool
}

func (d *desk) note(ctx context.Context, x *act) error {
	x.line = rand.Text()
	err := d.audit.add(ctx, d.producer, []avro.Cell{text(x.line)}, []avro.Cell{
		number(x.at), text(x.who), text(x.action), text(x.outcome), optional(x.a), optional(x.b),
		optional(x.verdict), optional(x.reason), boolean(x.personal), text(x.remote),
	}, x.at)
	if err == nil && (x.action == "decide" || x.action == "erase" || x.action == "lift-erasure") {
		err = audit.Add(ctx, d.producer, x.entry())
	}
	if err != nil {
		return fatal(err)
	}
	return nil
}

// entry is the act as the record of all operators' actions has it. It names nobody,
// but the line of identity.audit that does, until an erasure (P11, P12).
func (x *act) entry() audit.Entry {
	at := time.UnixMilli(x.at).UTC()
	e := audit.Entry{
		ID: audit.NewID(), At: at, Ended: at, Who: x.who, User: x.who + "@" + x.remote, Command: "identity decide",
		Args: []string{x.verdict, audit.Numberless(x.reason)}, Outcome: audit.Done,
		Touched: []string{"line " + x.line + " of identity.audit", "outcome " + x.outcome},
	}
	if x.action != "decide" {
		// Who it was the ledger says.
		e.Command = map[string]string{"erase": "identity erase", "lift-erasure": "identity lift"}[x.action]
		e.Args, e.Touched = []string{audit.Numberless(x.reason)}, []string{"erasure " + x.verdict, "outcome " + x.outcome}
	}
	if x.outcome == "refused" {
		e.Outcome, e.Error = audit.Failed, audit.Numberless(x.reason)
	}
	return e
}

func number(n int64) avro.Cell { return avro.Cell{N: n} }

func optionalNumber(n int64) avro.Cell { return avro.Cell{N: n, Null: n == 0} }

func boolean(b bool) avro.Cell {
	if b {
		return avro.Cell{N: 1}
	}
	return avro.Cell{}
}
