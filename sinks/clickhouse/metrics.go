package clickhouse

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	deadLetters, incomplete, truncates, erased, restated *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_dead_letters_total", Help: "Events put into dead-letter topics, by data set."}, []string{"dataset"}),
		incomplete:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_incomplete_cells_total", Help: "Unchanged values of which nothing was known: NULL in silver and named in _incomplete."}, []string{"dataset"}),
		truncates:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_truncates_total", Help: "TRUNCATE events, and markers of complete new snapshots, applied, one a partition."}, []string{"dataset"}),
		erased:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_erased_total", Help: "Records of erased people that were read and left no row, by data set."}, []string{"dataset"}),
		restated:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_sink_restated_total", Help: "Figures of gold that a merge or split of persons changed, by mart."}, []string{"figure"}),
	}
	for _, c := range []prometheus.Collector{m.deadLetters, m.incomplete, m.truncates, m.erased, m.restated} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
