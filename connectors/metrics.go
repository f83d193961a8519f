package connectors

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	events       *prometheus.CounterVec
	letters      *prometheus.CounterVec
	erased       *prometheus.CounterVec
	quarantined  *prometheus.GaugeVec
	commits      prometheus.Histogram
	failures     prometheus.Counter
	lag          prometheus.Gauge
	confirmed    prometheus.Gauge
	inProgress   prometheus.Gauge
	spooled      *prometheus.GaugeVec
	heartbeats   *prometheus.CounterVec
	heartbeatLag prometheus.Gauge
	messages     *prometheus.CounterVec
	retained     prometheus.Gauge
	left         prometheus.Gauge
	budgetLevel  prometheus.Gauge

	snapshotRead, snapshotLeft *prometheus.GaugeVec
}

func newMetrics(registerer prometheus.Registerer, source string) *metrics {
	labels := prometheus.Labels{"source": source}
	m := &metrics{
		events:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_events_total", Help: "Events produced to Kafka.", ConstLabels: labels}, []string{"table", "op"}),
		letters:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_dead_letters_total", Help: "Events of quarantined tables that went to the dead-letter topic.", ConstLabels: labels}, []string{"table"}),
		erased:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_erased_total", Help: "Events of erased people that were kept out of Kafka.", ConstLabels: labels}, []string{"table"}),
		quarantined: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_connector_quarantined", Help: "1 for a table that is quarantined.", ConstLabels: labels}, []string{"table"}),
		commits:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hopluu_connector_commit_seconds", Help: "Time of a Kafka transaction's commit.", ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		failures:    prometheus.NewCounter(prometheus.CounterOpts{Name: "hopluu_connector_failures_total", Help: "Sessions that ended with an error.", ConstLabels: labels}),
		lag:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_lag_seconds", Help: "Age of the last produced event's commit when it was durable in Kafka.", ConstLabels: labels}),
		confirmed:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_confirmed_lsn", Help: "Last LSN confirmed to PostgreSQL, as a number.", ConstLabels: labels}),
		inProgress:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_transactions_in_progress", Help: "Transactions that are received while they are in progress.", ConstLabels: labels}),
		spooled:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_connector_spool_bytes", Help: "What transactions in progress take, in memory and on disk.", ConstLabels: labels}, []string{"where"}),
	}
	m.heartbeats = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_heartbeats_total", Help: "Heartbeats sent to the source, received from it, or failed.", ConstLabels: labels}, []string{"how"})
	m.heartbeatLag = prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_heartbeat_lag_seconds", Help: "Time from writing the last heartbeat to the source to reading it back from the slot.", ConstLabels: labels})
	m.messages = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hopluu_connector_messages_total", Help: "Logical messages of applications: produced, dead letters, or left out because their prefix is not configured.", ConstLabels: labels}, []string{"how"})
	m.retained = prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_retained_wal_bytes", Help: "WAL that the source's server keeps for the slot.", ConstLabels: labels})
	m.left = prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_slot_seconds_left", Help: "At the present rate of WAL, the time until the server gives the slot up or the budget's limit is reached; -1 when neither is in sight.", ConstLabels: labels})
	m.left.Set(-1)
	m.snapshotRead = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_connector_snapshot_read_ratio", Help: "How much of a table its snapshot has read, from 0 to 1; none when no snapshot is taken.", ConstLabels: labels}, []string{"table"})
	m.snapshotLeft = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hopluu_connector_snapshot_left_seconds", Help: "Estimated time until a table's snapshot is complete.", ConstLabels: labels}, []string{"table"})
	m.budgetLevel = prometheus.NewGauge(prometheus.GaugeOpts{Name: "hopluu_connector_wal_budget_level", Help: "How the slot stands in its WAL budget: 0 within, 1 beyond the warning, 2 beyond the limit. Alert on 1.", ConstLabels: labels})
	registerer.MustRegister(m.snapshotRead, m.snapshotLeft, m.heartbeats, m.heartbeatLag, m.messages, m.retained, m.left, m.budgetLevel, m.events, m.letters, m.erased, m.quarantined, m.commits, m.failures, m.lag, m.confirmed, m.inProgress, m.spooled)
	return m
}
