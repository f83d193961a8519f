package connectors

import (
	"context"
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
)

// sink takes records and keeps nothing.
type sink struct{ *world }

func (sink) Add(context.Context, topic.Partition, []byte, []byte, int64, ...topic.Header) error {
	return nil
}
func (sink) Pending() (records, bytes int) { return 0, 0 }

// BenchmarkTakeIn is what one row costs between the queue and the producer, in
// transactions of 1000 rows.
func BenchmarkTakeIn(b *testing.B) {
	f, w := newTestFollower(b)
	f.producer = sink{w}
	const rows = 1000
	messages := [][]byte{begin(200)}
	for n := range rows {
		messages = append(messages, insert(patientOID, fmt.Sprint(n), "Nguyễn Thị Minh Khai"))
	}
	messages = append(messages, commit(200))
	batch := make([]postgres.Frame, len(messages))
	b.ReportAllocs()
	for b.Loop() {
		for i, m := range messages {
			batch[i].Data = m
		}
		f.checkpoint.LSN, f.checkpoint.Ordinal = 0, 0
		f.dirty, f.position.LSN = false, 0
		if err := f.frames(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		w.done, w.records, w.open = nil, nil, nil
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
