package capture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sighting is a record as another library's read-committed consumer saw it.
type sighting struct {
	topic      string
	partition  int32
	key, value []byte // nil: null
}

// franz reads a topic to its stable end with franz-go.
func franz(ctx context.Context, client *topic.Client, brokers []string, name string, see func(sighting) error) error {
	var parts []topic.Partition
	offsets := map[int32]kgo.Offset{}
	for id := range int32(partitions) {
		parts = append(parts, topic.Partition{Topic: name, ID: id})
	}
	ends, err := client.EndOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	for p, end := range ends {
		if end == 0 {
			delete(ends, p)
			continue
		}
		offsets[p.ID] = kgo.NewOffset().AtStart()
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset may be of a marker
		kgo.FetchMaxBytes(8<<20), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: offsets}))
	if err != nil {
		return err
	}
	defer consumer.Close()
	for len(ends) > 0 {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("franz-go: %s: %w", name, err)
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() && failed == nil {
				failed = see(sighting{r.Topic, r.Partition, r.Key, r.Value})
			}
			p := topic.Partition{Topic: r.Topic, ID: r.Partition}
			if end, ok := ends[p]; ok && r.Offset+1 >= end {
				delete(ends, p)
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// hasKcat tells whether librdkafka's command-line consumer is installed.
func hasKcat() bool {
	_, err := exec.LookPath("kcat")
	return err == nil
}

// kcat reads a topic to its stable end with librdkafka. Each record comes as a
// line of partition and lengths, -1 for null, and then its bytes.
func kcat(ctx context.Context, brokers []string, name string, see func(sighting) error) (err error) {
	command := exec.CommandContext(ctx, "kcat", "-C", "-b", strings.Join(brokers, ","), "-t", name, "-o", "beginning", "-e", "-q", "-u",
		"-X", "isolation.level=read_committed", "-X", "check.crcs=true", "-f", `%p %K %S\n%k%s`)
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	if err := command.Start(); err != nil {
		return err
	}
	defer func() {
		if err != nil { // it would wait for its reader
			_ = command.Process.Kill() // it may have ended
		}
		err = errors.Join(err, command.Wait())
		if err != nil {
			err = fmt.Errorf("kcat: %s: %w: %s", name, err, complaints.String())
		}
	}()
	reader := bufio.NewReaderSize(out, 1<<20)
	bytesOf := func(n int) ([]byte, error) {
		if n < 0 {
			return nil, nil
		}
		b := make([]byte, n)
		_, err := io.ReadFull(reader, b)
		return b, err
	}
	for {
		line, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return nil
		}
		if err != nil {
			return err
		}
		s := sighting{topic: name}
		var key, value int
		if _, err := fmt.Sscanf(line, "%d %d %d\n", &s.partition, &key, &value); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if s.key, err = bytesOf(key); err != nil {
			return err
		}
		if s.value, err = bytesOf(value); err != nil {
			return err
		}
		if err := see(s); err != nil {
			return err
		}
	}
}
