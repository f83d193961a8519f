package pause

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Topic holds the pauses, each under its target.
var Topic = topic.State("pause")

// Pause says who holds a target still.
type Pause struct {
	By  string    `json:"by"`
	Why string    `json:"why"`
	At  time.Time `json:"at"`
}

func (p Pause) String() string {
	return fmt.Sprintf("paused by %s since %s: %s", p.By, p.At.Format(time.RFC3339), p.Why)
}

// form is that of String; the time is RFC 3339 so that Parse reads it.
var form = regexp.MustCompile(`^paused by (.*?) since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)): (.*)$`)

// Parse reads what String wrote: a table that is set aside has its pause in the
// reason for that.
func Parse(text string) (Pause, bool) {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return Pause{}, false
	}
	at, err := time.Parse(time.RFC3339, m[2])
	return Pause{By: m[1], Why: m[3], At: at}, err == nil
}

// Connector is the target of a source's connector.
func Connector(source string) string { return "connector/" + source }

// Sink is the target of all sinks of a group.
func Sink(group string) string { return "sink/" + group }

// Dataset is the target of one data set, "health_patient", in the sinks of a
// group.
func Dataset(group, dataset string) string { return Sink(group) + "/" + dataset }

// Processor is the target of the matcher.
const Processor = "processor"

// Read gives the pauses by target. A cluster that never had one has none.
func Read(ctx context.Context, kafka *topic.Client) (map[string]Pause, error) {
	all := map[string]Pause{}
	counts, err := kafka.PartitionCounts(ctx, Topic)
	if err != nil || counts[Topic] == 0 {
		return all, err
	}
	err = kafka.ReadAll(ctx, Topic, func(r topic.Record) error {
		if r.Value == nil {
			delete(all, string(r.Key))
			return nil
		}
		var p Pause
		if err := json.Unmarshal(r.Value, &p); err != nil {
			return fmt.Errorf("%s, offset %d: the record is none of this program's: %w", r.Partition, r.Offset, err)
		}
		all[string(r.Key)] = p
		return nil
	})
	return all, err
}

// Set holds a target still, or with nil lets it go on. It is durable when this
// returns nil. The topic must be there.
func Set(ctx context.Context, kafka *topic.Client, target string, p *Pause) (err error) {
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: "hopluu-pause-" + rand.Text()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	var value []byte
	if p != nil {
		if value, err = json.Marshal(p); err != nil {
			return fmt.Errorf("pause: %w", err)
		}
	}
	if err := producer.Add(ctx, topic.Partition{Topic: Topic}, []byte(target), value, time.Now().UnixMilli()); err != nil {
		return err
	}
	return producer.Commit(ctx)
}
