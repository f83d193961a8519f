package pause

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
)

// interval is how often the topic is asked whether it has something new.
const interval = time.Second

// Watcher knows what is held still, as of a second or two ago. While Kafka is
// away it goes on with what it knew: nothing begins to move because a broker is
// gone. It is a prometheus.Collector of the pauses, and safe for concurrent use.
type Watcher struct {
	log *slog.Logger

	mu      sync.Mutex
	pauses  map[string]Pause
	changed chan struct{} // closed and made anew with each change
}

// Watch waits until the pauses are known, and goes on watching until ctx ends.
func Watch(ctx context.Context, kafka *topic.Client, log *slog.Logger) (*Watcher, error) {
	w := &Watcher{log: log, pauses: map[string]Pause{}, changed: make(chan struct{})}
	end, err := w.look(ctx, kafka, -1)
	if err != nil {
		return nil, fmt.Errorf("what is paused: %w", err)
	}
	go func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			next, err := w.look(ctx, kafka, end)
			if err != nil {
				// Whoever works tells that Kafka is away.
				log.Debug("what is paused could not be looked at", "error", err)
				continue
			}
			end = next
		}
	}()
	return w, nil
}

// look reads the topic when it ends elsewhere than at end, and gives its end. A
// topic that is not there ends at 0.
func (w *Watcher) look(ctx context.Context, kafka *topic.Client, end int64) (int64, error) {
	counts, err := kafka.PartitionCounts(ctx, Topic)
	if err != nil || counts[Topic] == 0 {
		return 0, err
	}
	part := topic.Partition{Topic: Topic}
	ends, err := kafka.EndOffsets(ctx, part)
	if err != nil || ends[part] == end {
		return end, err
	}
	pauses, err := Read(ctx, kafka)
	if err != nil {
		return end, err
	}
	w.take(pauses)
	return ends[part], nil
}

func (w *Watcher) take(pauses map[string]Pause) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if maps.Equal(pauses, w.pauses) {
		return
	}
	w.pauses = pauses
	close(w.changed)
	w.changed = make(chan struct{})
}

// Of gives the pause of a target, nil when it is not held, and a channel that is
// closed at the next change of any.
func (w *Watcher) Of(target string) (*Pause, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.pauses[target]; ok {
		return &p, w.changed
	}
	return nil, w.changed
}

// Hold does work, but for the times in which the target is paused: then work is
// ended by its context and, once it has ended, rest is called until the pause
// ends. Work that ends by itself ends Hold, which gives its error; so does ctx.
func (w *Watcher) Hold(ctx context.Context, target string, work func(context.Context) error, rest func(context.Context, Pause)) error {
	for ctx.Err() == nil {
		if p, changed := w.Of(target); p != nil {
			w.log.Warn("paused; what comes meanwhile waits", "target", target, "by", p.By, "why", p.Why, "since", p.At)
			w.rest(ctx, target, *p, changed, rest)
			if ctx.Err() == nil {
				w.log.Info("the pause has ended; going on", "target", target)
			}
			continue
		}
		round, end := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for {
				p, changed := w.Of(target)
				if p != nil {
					end()
					return
				}
				select {
				case <-round.Done():
					return
				case <-changed:
				}
			}
		}()
		err := work(round)
		paused := round.Err() != nil && ctx.Err() == nil
		end()
		<-watched
		if !paused {
			return err
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			w.log.Warn("the work ended for a pause with an error", "target", target, "error", err)
		}
	}
	return nil
}

// rest calls rest while the target is paused.
func (w *Watcher) rest(ctx context.Context, target string, p Pause, changed <-chan struct{}, rest func(context.Context, Pause)) {
	resting, end := context.WithCancel(ctx)
	defer end()
	var done sync.WaitGroup
	defer done.Wait()
	defer end()
	done.Go(func() { rest(resting, p) })
	for still := &p; still != nil; {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		still, changed = w.Of(target)
	}
}

// held is what the metrics say of a pause.
var held = prometheus.NewDesc("hopluu_paused_since_seconds", "When a pause began, in seconds since 1970; none when nothing is paused.", []string{"target", "by", "why"}, nil)

// Describe implements prometheus.Collector.
func (w *Watcher) Describe(c chan<- *prometheus.Desc) { c <- held }

// Collect implements prometheus.Collector.
func (w *Watcher) Collect(c chan<- prometheus.Metric) {
	w.mu.Lock()
	pauses := maps.Clone(w.pauses)
	w.mu.Unlock()
	for _, target := range slices.Sorted(maps.Keys(pauses)) {
		p := pauses[target]
		c <- prometheus.MustNewConstMetric(held, prometheus.GaugeValue, float64(p.At.Unix()), target, p.By, p.Why)
	}
}
