package matcher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// BenchmarkThroughTopics takes a city through the topics, with one matcher and
// with two that share the work: what a first start compares, solves and
// publishes, what a next start finds to be so already, then what they follow. The
// broker shares the machine, and is not counted; nor is what writes the vault.
// HOPLUU_BENCH_PEOPLE is how many live there, 200,000 where it is not set.
func BenchmarkThroughTopics(b *testing.B) {
	people := 200_000
	if n, err := strconv.Atoi(os.Getenv("HOPLUU_BENCH_PEOPLE")); err == nil {
		people = n
	}
	for _, matchers := range []int{1, 2} {
		b.Run(fmt.Sprintf("matchers=%d", matchers), func(b *testing.B) {
			for b.Loop() {
				throughTopics(b, people, matchers)
			}
		})
	}
}

// clinics see most of a city's people.
var clinics = []string{"health", "health_bv115"}

func throughTopics(b *testing.B, people, matchers int) {
	c, err := city.Build(city.Params{Seed: 3, Persons: people, Base: time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC), Rates: city.FixedRates()})
	require.NoError(b, err)
	r := newRig(b)
	columns := []string{"cccd", "cmnd", "insurance_no", "full_name", "birth_date", "sex", "phone", "ward_code", "address", "updated_at"}
	r.table("population", "citizen", append([]string{"citizen_id"}, columns...)...)
	for _, clinic := range clinics {
		r.table(clinic, "patient", append([]string{"patient_id"}, columns...)...)
	}
	add := func(table string, lsn uint64, id int64, p city.Identity, on time.Time) {
		born := ""
		if !p.Born.IsZero() {
			born = p.Born.Format(time.DateOnly)
		}
		r.add(table, event.Update, lsn, strconv.FormatInt(id, 10), p.CCCD, p.CMND, p.Insurance, p.FullName, born, p.Sex, p.Phone, p.WardCode, p.Address, on.Format(time.DateOnly))
	}
	records := 0
	started, used := time.Now(), cpu(b)
	for i := range c.People {
		p := &c.People[i]
		truth := c.True(p, c.Base)
		truth.Insurance = ""
		add("population.citizen", 1, p.ID, truth, c.Base)
		random := city.Rand(c.Seed, "bench", p.ID)
		records++
		for _, clinic := range clinics {
			if random.IntN(100) < 75 {
				on := c.Base.AddDate(0, 0, -random.IntN(700)) // half of them of before the reform of wards
				add(clinic+".patient", 1, p.ID, c.Observe(random, p, "health", on), on)
				records++
			}
		}
		if i%10_000 == 9_999 {
			r.commit()
		}
	}
	r.commit()
	writing := (cpu(b) - used).Seconds() / float64(records) // of one record
	b.Logf("%d records written in %s", records, time.Since(started).Round(time.Second))

	started, used = time.Now(), cpu(b)
	_, stop := r.several(matchers)
	report(b, "first", records, started, used, 0)
	b.ReportMetric(float64(r.count(topic.IdentityEdge))/float64(records), "edges/row")
	stop()
	started, used = time.Now(), cpu(b)
	all, stop := r.several(matchers)
	report(b, "again", records, started, used, 0)

	const follow = 100_000
	random := rand.New(rand.NewPCG(1, 1))
	starts, err := r.kafka.EndOffsets(b.Context(), partitions(topic.IdentityLink)...)
	require.NoError(b, err)
	started, used = time.Now(), cpu(b)
	for n := range follow {
		p := &c.People[random.IntN(len(c.People))]
		add(clinics[n%2]+".patient", uint64(2+n), p.ID, c.Observe(random, p, "health", c.Base), c.Base)
		if n%5000 == 4999 {
			r.commit()
		}
	}
	last := map[string]bool{}
	for n := range 12 {
		id := int64(900_000_000 + n)
		add("health.patient", follow+2, id, city.Identity{FullName: "Lê Thị Mai"}, c.Base)
		last[fmt.Sprintf("health.patient:%d", id)] = true
	}
	r.commit()
	reader := r.kafka.NewReader(starts)
	for len(last) > 0 {
		batches, err := reader.Poll(b.Context())
		require.NoError(b, err)
		for _, batch := range batches {
			for i := range batch.Records {
				for id := range last {
					if strings.HasSuffix(string(batch.Records[i].Key), id) {
						delete(last, id)
					}
				}
			}
		}
	}
	report(b, "follow", follow, started, used, writing*follow)
	require.NoError(b, reader.Close())
	for _, m := range all {
		require.NoError(b, m.Ready())
	}
	stop()
}

func partitions(name string) (all []topic.Partition) {
	for id := range int32(3) {
		all = append(all, topic.Partition{Topic: name, ID: id})
	}
	return all
}

// several runs matchers until stop, and waits until all are ready.
func (r *rig) several(n int) (all []*matcher.Matcher, stop func()) {
	var stops []func() error
	for range n {
		m, stop := r.start()
		all, stops = append(all, m), append(stops, stop)
	}
	// One that begins alone shares with those that come.
	harness.Eventually(r.t, 20*time.Minute, func(context.Context) error {
		for _, m := range all {
			if err := m.Ready(); err != nil {
				return err
			}
		}
		return nil
	})
	return all, func() {
		for _, stop := range stops {
			require.NoError(r.t, stop())
		}
	}
}

// cpu is the time that this process used: matcher and generator, not the broker.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(b *testing.B, what string, rows int, started time.Time, used time.Duration, besides float64) {
	b.ReportMetric(float64(rows)/time.Since(started).Seconds(), what+"-rows/s")
	b.ReportMetric(((cpu(b)-used).Seconds()-besides)/float64(rows)*1e6, what+"-cpu-s/Mrow")
}
