package matcher

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
)

// BenchmarkThroughTopics takes a tenth of a city through the topics: what a
// start reads, solves and publishes, then what a running matcher follows. The
// broker shares the machine.
func BenchmarkThroughTopics(b *testing.B) {
	const citizens, patients = 60_000, 140_000
	r := newRig(b)
	r.citizens()
	r.patients("health")
	write := func(lsn uint64) {
		for n := range patients {
			who := (n*7919 + int(lsn)) % citizens
			r.add("health.patient", event.Update, lsn, strconv.Itoa(n), fmt.Sprintf("0790850%05d", who), "", fmt.Sprintf("79%08d", who*3+11), "Nguyễn Văn An", "1985-03-20")
		}
		r.commit()
	}
	for n := range citizens {
		r.add("population.citizen", event.Read, 1, strconv.Itoa(n), fmt.Sprintf("0790850%05d", n), "", "Nguyễn Văn An", "1985-03-20")
	}
	write(1)
	for b.Loop() {
		started, used := time.Now(), cpu(b)
		m, stop := r.start()
		r.ready(m)
		report(b, "load", citizens+patients, started, used)

		lsn := uint64(time.Now().Unix())
		started, used = time.Now(), cpu(b)
		write(lsn)
		b.ReportMetric(float64(patients)/time.Since(started).Seconds(), "written-rows/s")
		harness.Eventually(b, 5*time.Minute, func(context.Context) error {
			if n := r.gauge("hopluu_matcher_events_total"); n < citizens+2*patients {
				return fmt.Errorf("%.0f events so far", n)
			}
			return nil
		})
		report(b, "follow", patients, started, used)
		require.NoError(b, stop())
	}
}

// cpu is the time that this process used: matcher and generator, not the broker.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(b *testing.B, what string, rows int, started time.Time, used time.Duration) {
	b.ReportMetric(float64(rows)/time.Since(started).Seconds(), what+"-rows/s")
	b.ReportMetric((cpu(b)-used).Seconds()/float64(rows)*1e6, what+"-cpu-s/Mrow")
}

// gauge sums a metric of the running matcher over its labels.
func (r *rig) gauge(name string) float64 {
	families, err := r.registry.Gather()
	require.NoError(r.t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.Metric {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
