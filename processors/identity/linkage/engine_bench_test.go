package linkage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
)

var others = []*identity.Origin{health, welfare, tax, {Source: "construction", Sector: "construction", Table: "permit"}}

// raw makes the raw record of what a system says of a person.
func raw(id string, o *identity.Origin, p city.Identity, on time.Time, lsn int) *identity.Raw {
	r := &identity.Raw{
		ID: []byte(id), Origin: o, Position: event.Position{Epoch: 1, LSN: event.LSN(lsn)},
		CCCD: []byte(p.CCCD), CMND: []byte(p.CMND), Insurance: []byte(p.Insurance), Phone: []byte(p.Phone), FullName: []byte(p.FullName),
		Sex: identity.ParseSex([]byte(p.Sex)), Ward: []byte(p.WardCode), Written: identity.NewDate(on.Year(), int(on.Month()), on.Day()), Address: []byte(p.Address),
	}
	if !p.Born.IsZero() {
		r.Birth = identity.NewDate(p.Born.Year(), int(p.Born.Month()), p.Born.Day())
	}
	return r
}

func buildCity(b testing.TB, persons int) *city.City {
	c, err := city.Build(city.Params{Seed: 3, Persons: persons, Base: time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC), Rates: city.FixedRates()})
	require.NoError(b, err)
	return c
}

// writtenOn draws when a record was written: a third before the reform of wards.
func writtenOn(c *city.City, r *rand.Rand) time.Time { return c.Base.AddDate(0, 0, -r.IntN(500)) }

// load gives an engine about two and a half records of each person of a city.
func load(e *Engine, c *city.City) (records int) {
	for i := range c.People {
		p := &c.People[i]
		if p.Registered {
			truth := c.True(p, c.Base)
			truth.Insurance = ""
			e.Upsert(raw("population.citizen:"+strconv.FormatInt(p.ID, 10), register, truth, c.Base, 1))
			records++
		}
		r := city.Rand(c.Seed, "bench", p.ID)
		for n, o := range others {
			if r.IntN(100) < [...]int{78, 12, 38, 19}[n] {
				on := writtenOn(c, r)
				e.Upsert(raw(fmt.Sprintf("%s.%s:%d", o.Source, o.Table, p.ID), o, c.Observe(r, p, o.Source, on), on, 1))
				records++
			}
		}
	}
	return records
}

// BenchmarkIncremental is the way of one record at a time against a city that
// is loaded: new records and corrections, each decided at once, then in batches
// as the matcher solves them.
func BenchmarkIncremental(b *testing.B) {
	for _, persons := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("people=%d", persons), func(b *testing.B) {
			c := buildCity(b, persons)
			e := engine(b, cityModel(b))
			nothing := func(*Change) error { return nil }
			quiet := func(*Event) error { return nil }
			started, used := time.Now(), cpu(b)
			records := load(e, c)
			read := time.Since(started)
			require.NoError(b, e.Solve(nothing, quiet))
			b.Logf("%d records: read in %s, solved in %s, %.1f s of CPU", records, read, time.Since(started)-read, cpu(b).Seconds()-used.Seconds())

			r := rand.New(rand.NewPCG(1, 1))
			var changes []*identity.Raw
			for i := range 50_000 {
				p := &c.People[r.IntN(len(c.People))]
				o := others[r.IntN(len(others))]
				// Half are corrections of records that are there, half are new.
				changes = append(changes, raw(fmt.Sprintf("%s.%s:%d", o.Source, o.Table, p.ID), o, c.Observe(r, p, o.Source, c.Base), c.Base, 2+i))
			}
			c = nil
			debug.FreeOSMemory() // what made the city
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.HeapAlloc)/1e6, "MB-heap")

			var took []time.Duration
			used = cpu(b)
			for _, raw := range changes[:10_000] {
				start := time.Now()
				e.Upsert(raw)
				if err := e.Solve(nothing, quiet); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			b.ReportMetric((cpu(b)-used).Seconds()/10_000*1e6, "single-cpu-us")
			slices.Sort(took)
			b.ReportMetric(float64(len(took))/sum(took).Seconds(), "single-records/s")
			b.ReportMetric(took[len(took)/2].Seconds()*1e6, "p50-us")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1e6, "p99-us")
			b.ReportMetric(took[len(took)-1].Seconds()*1e6, "max-us")
			used = cpu(b)
			start := time.Now()
			for batch := range slices.Chunk(changes[10_000:], 5000) {
				for _, raw := range batch {
					e.Upsert(raw)
				}
				if err := e.Solve(nothing, quiet); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(changes)-10_000)/time.Since(start).Seconds(), "batch-records/s")
			b.ReportMetric((cpu(b)-used).Seconds()/float64(len(changes)-10_000)*1e6, "batch-cpu-us")
			b.ReportMetric(rss(b)/1e6, "MB-rss")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// cpu is the time that this process used: on a machine that others use too, it
// says more than the clock.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// rss is the memory that this process has of the system, in bytes.
func rss(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(b, err)
	var size, resident float64
	_, err = fmt.Sscan(string(text), &size, &resident)
	require.NoError(b, err)
	return resident * float64(os.Getpagesize())
}

func sum(all []time.Duration) (total time.Duration) {
	for _, d := range all {
		total += d
	}
	return total
}
