package file

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// peak follows the heap until stop, which gives its greatest size in bytes.
func peak() (stop func() uint64) {
	var most atomic.Uint64
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { cancel(); <-done; return most.Load() }
}

// BenchmarkCSV takes a file of 500,000 rows in, and then the same list with one
// row in ten changed.
func BenchmarkCSV(b *testing.B) {
	const rows = 500_000
	for b.Loop() {
		b.StopTimer()
		r := newRig(b).full("household")
		first := list(0, rows, "poor")
		second := strings.ReplaceAll(first, "0,poor", "0,near_poor")
		r.drop("household_1.csv", first)
		runtime.GC()
		memory := peak()
		b.StartTimer()
		began := time.Now()
		stop := r.start()
		r.done("household", "taken", 1)
		b.ReportMetric(rows/time.Since(began).Seconds(), "rows/s-first")
		r.drop("household_2.csv", second)
		began = time.Now()
		r.done("household", "taken", 2)
		b.ReportMetric(rows/time.Since(began).Seconds(), "rows/s-again")
		b.StopTimer()
		b.ReportMetric(float64(memory())/1e6, "MB-heap")
		b.ReportMetric(float64(len(first)+len(second))/1e6, "MB-of-it-the-test's")
		require.NoError(b, stop())
		b.StartTimer()
	}
}

// BenchmarkWorkbook takes a workbook of 100,000 rows in.
func BenchmarkWorkbook(b *testing.B) {
	const rows = 100_000
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	require.NoError(b, err)
	require.NoError(b, w.SetRow("A1", []any{"code", "category", "amount", "decided_on"}))
	for i := range rows {
		require.NoError(b, w.SetRow(fmt.Sprintf("A%d", i+2), []any{fmt.Sprintf("H-%06d", i), "poor", i, "2025-01-31"}))
	}
	require.NoError(b, w.Flush())
	var book strings.Builder
	require.NoError(b, f.Write(&book))
	require.NoError(b, f.Close())
	for b.Loop() {
		b.StopTimer()
		r := newRig(b)
		r.drop("household_1.xlsx", book.String())
		runtime.GC()
		memory := peak()
		b.StartTimer()
		began := time.Now()
		stop := r.start()
		r.done("household", "taken", 1)
		b.ReportMetric(rows/time.Since(began).Seconds(), "rows/s")
		b.StopTimer()
		b.ReportMetric(float64(memory())/1e6, "MB-heap")
		require.NoError(b, stop())
		b.StartTimer()
	}
}
