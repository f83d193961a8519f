package sinks

import "github.com/prometheus/client_golang/prometheus"

// metrics of all lanes; a lane is a data set.
type metrics struct {
	records, bytes, batches *prometheus.CounterVec
	flush                   *prometheus.HistogramVec
	behind, lag             *prometheus.GaugeVec
	held                    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_records_total", Help: "Records written and committed, by data set."}, []string{"dataset"}),
		bytes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_bytes_total", Help: "Bytes of columns written, by data set."}, []string{"dataset"}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_batches_total", Help: "Batches written, by data set."}, []string{"dataset"}),
		flush: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hopluu_sink_flush_seconds", Help: "Time to write one batch, its attempts together.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"dataset"}),
		behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_sink_lag_records", Help: "Offsets between what is written and the last stable offset."}, []string{"topic", "partition"}),
		lag:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_sink_lag_seconds", Help: "At the last flush: now less the newest commit time in it."}, []string{"dataset"}),
		held:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_sink_held_bytes", Help: "Bytes of batches in memory."}),
	}
	for _, c := range []prometheus.Collector{m.records, m.bytes, m.batches, m.flush, m.behind, m.lag, m.held} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
