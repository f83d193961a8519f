package file

import "github.com/prometheus/client_golang/prometheus"

// metrics has the names of the database connector's where it counts the same.
type metrics struct {
	events   *prometheus.CounterVec
	stopped  *prometheus.GaugeVec
	commits  prometheus.Histogram
	failures prometheus.Counter
	files    *prometheus.CounterVec
	refused  *prometheus.CounterVec
	erased   *prometheus.CounterVec
	waiting  prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer, source string) *metrics {
	labels := prometheus.Labels{"source": source}
	m := &metrics{
		events:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_events_total", Help: "Events produced to Kafka.", ConstLabels: labels}, []string{"table", "op"}),
		stopped:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_connector_quarantined", Help: "1 for a table that is quarantined.", ConstLabels: labels}, []string{"table"}),
		commits:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hopluu_connector_commit_seconds", Help: "Time of a Kafka transaction's commit.", ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "hopluu_connector_failures_total", Help: "Sessions that ended with an error.", ConstLabels: labels}),
		files:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_files_total", Help: "Files by what became of them: taken, repeated, refused, abandoned.", ConstLabels: labels}, []string{"table", "outcome"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_refused_rows_total", Help: "Rows of files that were refused and reported.", ConstLabels: labels}, []string{"table"}),
		erased:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_erased_total", Help: "Events of erased people that were kept out of Kafka.", ConstLabels: labels}, []string{"table"}),
		waiting:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_files_waiting", Help: "Files that are not taken in yet.", ConstLabels: labels}),
	}
	registerer.MustRegister(m.events, m.stopped, m.commits, m.failures, m.files, m.refused, m.erased, m.waiting)
	return m
}
