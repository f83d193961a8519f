package harness

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
)

// KafkaBroker is a real Kafka of one broker; topics are not made by themselves.
type KafkaBroker struct {
	Addr string
	life
}

// Broker is one that a test has started by itself.
func Broker(k *embedded.Kafka) *KafkaBroker { return &KafkaBroker{k.Addr, k.Process} }

// Brokers is the list for a client's configuration.
func (k *KafkaBroker) Brokers() []string { return []string{k.Addr} }

// Kafka gives a running broker, the one that all tests share unless options
// ask for another. On the shared one a test has topics of its own.
func Kafka(t testing.TB, opts ...Option) *KafkaBroker {
	t.Helper()
	o := apply(opts)
	if useContainers() && o.logDir == "" {
		return get(t, "kafka", o, func(ctx context.Context, _ string) (*KafkaBroker, func() error, error) {
			return containerKafka(ctx, o)
		})
	}
	paths := Parts(t)
	// Events of tests are of any year; a broker that runs for longer than thirty
	// seconds would remove those that are older than a week.
	settings := map[string]string{"log.retention.ms": "-1"}
	if !o.own {
		// Nobody kills it and waits for its session to end; one that is starved
		// of the processor goes on where it was.
		settings["broker.session.timeout.ms"] = "60000"
	}
	maps.Copy(settings, o.settings)
	return get(t, "kafka", o, func(ctx context.Context, dir string) (*KafkaBroker, func() error, error) {
		k, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Parts: paths, Dir: dir, LogDir: o.logDir, Heap: "384m", QuickStart: true, Settings: settings})
		if err != nil {
			return nil, nil, fmt.Errorf("harness: %w", err)
		}
		return Broker(k), k.Kill, nil
	})
}
