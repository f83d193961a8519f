package reconcile

import "github.com/prometheus/client_golang/prometheus"

// metrics of the comparison in the background, by source and table.
type metrics struct {
	rows, ranges, failures    *prometheus.CounterVec
	differing, waiting        *prometheus.GaugeVec
	bronze, at                *prometheus.GaugeVec
	mended                    *prometheus.CounterVec
	roundSeconds, restSeconds prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	of := []string{"source", "table"}
	m := &metrics{
		rows:         prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_reconcile_rows_total", Help: "Rows of the source and events of the topic that were compared."}, of),
		ranges:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_reconcile_ranges_total", Help: "Ranges that were compared."}, of),
		failures:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_reconcile_failures_total", Help: "Ranges that could not be compared."}, of),
		differing:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_reconcile_differing_keys", Help: "Keys of which source and silver differ: those of the running round, once it has come to the table."}, of),
		waiting:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_reconcile_waiting_keys", Help: "Keys that differ because of open dead letters: those of the running round, once it has come to the table."}, of),
		bronze:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_reconcile_bronze_faults", Help: "Events that bronze lacks, has more than once, or that are no events of the topic."}, of),
		at:           prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_reconcile_compared_timestamp_seconds", Help: "When the table was last compared to its end."}, of),
		mended:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_reconcile_repaired_keys_total", Help: "Keys that were given to be read anew."}, of),
		roundSeconds: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_reconcile_round_seconds", Help: "How long the last whole round took."}),
		restSeconds:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_reconcile_rest_seconds", Help: "How long the budget had it rest after the last range."}),
	}
	r.MustRegister(m.rows, m.ranges, m.failures, m.differing, m.waiting, m.bronze, m.at, m.mended, m.roundSeconds, m.restSeconds)
	return m
}
