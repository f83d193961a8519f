package matcher

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/topic"
)

// metrics are what a matcher tells of itself: counts and names of tables and
// rules, never an identifier (P11).
type metrics struct {
	lanes      map[string]*lane
	events     *prometheus.CounterVec
	stale      *prometheus.CounterVec
	letters    *prometheus.CounterVec
	erased     *prometheus.CounterVec
	changes    prometheus.Counter
	edges      prometheus.Counter
	solves     prometheus.Gauge
	shares     prometheus.Gauge
	persons    *prometheus.CounterVec
	solving    prometheus.Histogram
	records    *prometheus.GaugeVec
	share      *prometheus.GaugeVec
	decisions  *prometheus.GaugeVec
	reviews    *prometheus.GaugeVec
	lagEvents  prometheus.Gauge
	lagTime    prometheus.Gauge
	modelWaits prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, lanes map[string]*lane) (*metrics, error) {
	table := []string{"source", "table"}
	m := &metrics{
		lanes:      lanes,
		events:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_matcher_events_total", Help: "Vault messages taken in, by operation."}, append(table, "op")),
		stale:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_matcher_stale_events_total", Help: "Vault messages older than what is known of their record."}, table),
		letters:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_matcher_undecodable_total", Help: "Vault messages that cannot be decoded, seen since the start; they are in the dead letters."}, []string{"topic"}),
		erased:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_matcher_erased_total", Help: "Vault messages of erased people that were read and not taken in."}, table),
		changes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "hopluu_matcher_links_published_total", Help: "Links published or withdrawn."}),
		edges:      prometheus.NewCounter(prometheus.CounterOpts{Name: "hopluu_matcher_edges_total", Help: "Changes of edges written to identity.edge."}),
		solves:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_matcher_solves", Help: "1 for the matcher that solves and publishes links, 0 for one that compares or stands by."}),
		shares:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_matcher_shares", Help: "Shares of the comparing that this matcher has."}),
		persons:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_matcher_person_events_total", Help: "Merges, splits and moves of persons published to identity.event."}, []string{"kind"}),
		solving:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hopluu_matcher_publish_seconds", Help: "Time to solve and commit a batch.", Buckets: prometheus.ExponentialBuckets(0.002, 2.5, 12)}),
		records:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_matcher_records", Help: "Records known, by table."}, table),
		share:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_matcher_linked_share", Help: "Share of a table's records that are linked to a citizen, 0 to 1."}, table),
		decisions:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_matcher_links", Help: "Records by decision and the rule that made it."}, []string{"decision", "rule"}),
		reviews:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_matcher_reviews", Help: "Pairs that wait for a person, by the rule that asks; conflict: a decision that something forbids."}, []string{"rule"}),
		lagEvents:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_matcher_lag_messages", Help: "Vault messages that are committed and not yet matched."}),
		lagTime:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_matcher_lag_seconds", Help: "Age at its source of the latest matched change while there are later ones, else 0."}),
		modelWaits: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_matcher_model_waits", Help: "1 while the matcher publishes nothing because its model waits for a person who accepts it."}),
	}
	for _, c := range []prometheus.Collector{m.events, m.stale, m.letters, m.erased, m.changes, m.edges, m.solves, m.shares, m.persons, m.solving, m.records, m.share, m.decisions, m.reviews, m.lagEvents, m.lagTime, m.modelWaits} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("matcher: metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) event(l *lane, msg *message, fresh bool) {
	op := msg.op.String()
	if msg.tombstone {
		op = "tombstone"
	}
	m.events.WithLabelValues(l.origin.Source, l.origin.Table, op).Inc()
	if !fresh {
		m.stale.WithLabelValues(l.origin.Source, l.origin.Table).Inc()
	}
}

func (m *metrics) happened(e *linkage.Event) { m.persons.WithLabelValues(e.Kind).Inc() }

func (m *metrics) published(s *linkage.Engine, changes int, took time.Duration) {
	m.changes.Add(float64(changes))
	m.solving.Observe(took.Seconds())
	for _, l := range m.lanes {
		t := s.Table(l.origin)
		m.records.WithLabelValues(l.origin.Source, l.origin.Table).Set(float64(t.Records))
		if t.Records > 0 {
			m.share.WithLabelValues(l.origin.Source, l.origin.Table).Set(float64(t.Linked) / float64(t.Records))
		}
	}
	m.decisions.Reset()
	for _, d := range s.Decisions() {
		m.decisions.WithLabelValues(d.Decision, d.Rule).Set(float64(d.Records))
	}
}

// turn tells what a matcher has to do. One that does not solve says nothing of
// links: another does.
func (m *metrics) turn(t *turn) {
	m.shares.Set(float64(len(t.ours)))
	if t.solves {
		m.solves.Set(1)
		return
	}
	m.solves.Set(0)
	for _, g := range []*prometheus.GaugeVec{m.records, m.share, m.decisions, m.reviews} {
		g.Reset()
	}
}

func (m *metrics) lag(positions, stable map[topic.Partition]int64, asOfMicros int64) {
	behind := int64(0)
	for part, end := range stable {
		behind += max(0, end-positions[part])
	}
	m.lagEvents.Set(float64(behind))
	m.lagTime.Set(0)
	if behind > 0 && asOfMicros > 0 {
		m.lagTime.Set(max(0, time.Since(time.UnixMicro(asOfMicros)).Seconds()))
	}
}

func (m *metrics) asked(open map[[2]string]asked) {
	rules := map[string]int{}
	for _, a := range open {
		rules[a.review.Rule]++
	}
	m.reviews.Reset()
	for rule, n := range rules {
		m.reviews.WithLabelValues(rule).Set(float64(n))
	}
}
