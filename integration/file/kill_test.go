package file

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/file/drop/fakes3"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// list writes a file of n rows, every one with a category, shifted so that two
// lists share a part of their keys.
func list(from, n int, category string) string {
	var b strings.Builder
	b.WriteString("code,category,amount,decided_on\n")
	for i := range n {
		fmt.Fprintf(&b, "H-%06d,%s,%d,2025-01-31\n", from+i, category, (from+i)%7)
	}
	return b.String()
}

// end gives how many records the table's topic has had, aborted ones and
// markers too.
func (r *rig) end() (n int64) {
	parts := []topic.Partition{{Topic: r.public("household"), ID: 0}, {Topic: r.public("household"), ID: 1}}
	ends, err := r.client.EndOffsets(context.Background(), parts...)
	require.NoError(r.t, err)
	for _, end := range ends {
		n += end
	}
	return n
}

// The rows of a file share one number in the place of the LSN, and a restart in
// their middle loses none (P2, P6): ended wherever it is, again and again, by a signal that it cannot
// catch or by being told to stop, the connector produces every event of two full
// lists once, each with the position that it would have had otherwise.
func TestCase02KilledInTheMiddle(t *testing.T) {
	t.Run("SIGKILL", func(t *testing.T) {
		untilCaught(t, func() bool {
			r := newRig(t).full("household")
			return endInTheMiddle(t, r, r.startProcess)
		})
	})
	t.Run("stopped", func(t *testing.T) {
		untilCaught(t, func() bool {
			r := newRig(t).full("household")
			return endInTheMiddle(t, r, func() func() {
				stop := r.start()
				return func() { require.NoError(t, stop()) }
			})
		})
	})
}

// untilCaught tries until a connector was caught in the middle of a file: on a
// busy machine the test itself may be held up until the file is in.
func untilCaught(t *testing.T, try func() bool) {
	t.Helper()
	for range 10 {
		if try() {
			return
		}
	}
	require.FailNow(t, "no end hit the middle of a file")
}

// endInTheMiddle runs the connector by start, which gives the way to end it, and
// tells whether an end hit the middle of a file.
func endInTheMiddle(t *testing.T, r *rig, start func() (end func())) bool {
	const rows, shift = 40_000, 25_000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ends := 0
	// until runs the connector, and ends it when the topic has grown by some
	// random number of records, until n files are taken in.
	until := func(n int) {
		for !r.complete(n) {
			end := start()
			target, last := int64(0), int64(0)
			harness.Eventually(t, within, func(context.Context) error {
				counts, err := r.client.PartitionCounts(t.Context(), r.public("household"))
				if err != nil || counts[r.public("household")] == 0 {
					return errors.Join(err, errors.New("no topic yet"))
				}
				records := r.end()
				if target == 0 {
					target = records + 1 + int64(random.IntN(15_000))
				}
				moved := records != last
				last = records
				if r.told() >= n || records >= target {
					return nil
				}
				// What was committed by the one that was ended before may
				// show only now: then nothing is left to say or to do.
				if !moved && r.complete(n) {
					return nil
				}
				return fmt.Errorf("%d records of %d", records, target)
			})
			if r.told() < n {
				ends++
			}
			end()
		}
	}
	r.drop("household_1.csv", list(0, rows, "poor"))
	until(1)
	r.drop("household_2.csv", list(shift, rows, "near_poor"))
	until(2)
	t.Logf("ended %d times", ends)

	seen := map[event.Position]bool{}
	all := r.messages(r.public("household"))
	for _, m := range all {
		if m.Event == nil {
			continue
		}
		require.False(t, seen[m.Event.Position], "two events at %s", m.Event.Position)
		seen[m.Event.Position] = true
		require.LessOrEqual(t, m.Event.Position.LSN, event.LSN(2))
	}
	ops := history(all, "code")
	require.Len(t, ops, rows+shift)
	for i := range rows + shift {
		want := "r" // only in the second list
		switch {
		case i < shift:
			want = "rd-"
		case i < rows:
			want = "ru"
		}
		require.Equal(t, want, ops[fmt.Sprintf("H-%06d", i)])
	}
	// Every line of both files, and the deletes behind the last line.
	require.Len(t, seen, 2*rows+shift)
	for line := uint32(2); line <= rows+1; line++ {
		require.True(t, seen[event.Position{Epoch: 1, LSN: 1, Ordinal: line}])
		require.True(t, seen[event.Position{Epoch: 1, LSN: 2, Ordinal: line}])
	}
	for i := range uint32(shift) {
		require.True(t, seen[event.Position{Epoch: 1, LSN: 2, Ordinal: rows + 2 + i}])
	}
	return ends > 0
}

// A file that is replaced while it is being taken in is given up, said loudly,
// and the new one is right.
func TestReplacedInTheMiddle(t *testing.T) {
	untilCaught(t, func() bool { return replaceInTheMiddle(t) })
}

func replaceInTheMiddle(t *testing.T) bool {
	const rows = 40_000
	r := newRig(t).full("household")
	r.drop("household_1.csv", list(0, rows, "poor"))
	stop := r.start()
	r.wait(r.public("household"), 1)
	require.NoError(t, stop())
	if r.metric("hopluu_connector_files_total", "outcome", "taken") > 0 {
		return false
	}
	if len(history(r.messages(r.public("household")), "code")) == rows {
		return false // all that was left to do was to say so
	}
	r.drop("household_1.csv", list(10, 5, "near_poor"))
	stop = r.start()
	r.done("household", "abandoned", 1)
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	require.Contains(t, r.logged.String(), "a file was removed or replaced while it was being taken in")
	left := map[string]bool{}
	for code, ops := range history(r.messages(r.public("household")), "code") {
		if !strings.HasSuffix(ops, "-") {
			left[code] = true
		}
	}
	require.Equal(t, map[string]bool{"H-000010": true, "H-000011": true, "H-000012": true, "H-000013": true, "H-000014": true}, left)
	return true
}

// Two connectors of one source: the second takes it over, the first ends and
// does not take it back.
func TestCase34SecondConnectorTakesOver(t *testing.T) {
	r := newRig(t)
	r.drop("household_1.csv", list(0, 10, "poor"))
	config := r.config
	config.Metrics, r.config.Metrics = prometheus.NewRegistry(), prometheus.NewRegistry()
	ended := make(chan error, 1)
	first := file.New(config)
	go func() { ended <- first.Run(t.Context()) }()
	r.wait(r.public("household"), 10)
	require.NoError(t, first.Ready())

	second := file.New(r.config)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	other := make(chan error, 1)
	go func() { other <- second.Run(ctx) }()
	harness.Eventually(t, within, func(context.Context) error { return second.Ready() })
	r.drop("household_2.csv", list(5, 10, "poor"))
	var err error
	select {
	case err = <-ended:
	case <-time.After(within):
		require.FailNow(t, "the first connector did not end")
	}
	var superseded *connectors.SupersededError
	require.True(t, errors.As(err, &superseded), "%v", err)
	require.True(t, file.Permanent(err))
	r.wait(r.public("household"), 15)
	cancel()
	require.NoError(t, <-other)
	all := r.messages(r.public("household"))
	for code, ops := range history(all, "code") {
		require.Equal(t, "c", ops, code)
	}
}

// What a person has to mend ends the connector with what to do.
func TestConfiguration(t *testing.T) {
	r := newRig(t)
	for want, change := range map[string]func(*file.Config){
		"no table is declared":      func(c *file.Config) { c.Tables = nil },
		"does not describe table x": func(c *file.Config) { c.Tables = []file.Table{{Name: "x", Pattern: "x"}} },
		"is declared twice":         func(c *file.Config) { c.Tables = append(c.Tables, file.Table{Name: "member", Pattern: "m*"}) },
		"pattern \"[\" is not one":  func(c *file.Config) { c.Tables = []file.Table{{Name: "member", Pattern: "["}} },
		"key column nobody": func(c *file.Config) {
			c.Tables = []file.Table{{Name: "member", Pattern: "m*", Key: []string{"nobody"}}}
		},
		"write a folder, or s3://":         func(c *file.Config) { c.Location = "ftp://host/drops" },
		"holds credentials, and locations": func(c *file.Config) { c.Location = "s3://a:b@host/drops" },
	} {
		config := r.config
		config.Metrics = prometheus.NewRegistry()
		change(&config)
		c := file.New(config)
		require.ErrorContains(t, c.Ready(), "starting")
		err := c.Run(t.Context())
		require.ErrorContains(t, err, want)
		require.True(t, file.Permanent(err))
	}
	// A folder that is away may come back.
	config := r.config
	config.Metrics = prometheus.NewRegistry()
	config.Location += "/none"
	c := file.New(config)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	harness.Eventually(t, within, func(context.Context) error {
		if err := c.Ready(); err == nil || !strings.Contains(err.Error(), "cannot be opened") {
			return fmt.Errorf("ready says %v", err)
		}
		return nil
	})
	cancel()
	require.NoError(t, <-ended)
}

// What a store refuses for good is not tried for ever: the connector ends, and
// says what a person has to do.
func TestCase21ARefusingStore(t *testing.T) {
	r := newRig(t)
	store := fakes3.New("key")
	web := httptest.NewServer(store)
	t.Cleanup(web.Close)
	r.config.Location = strings.Replace(web.URL, "http://", "s3+http://", 1) + "/drops/labour"
	r.config.Credentials = drop.Credentials{AccessKey: "other", SecretKey: "secret"}
	r.config.Metrics = prometheus.NewRegistry()
	err := file.New(r.config).Run(t.Context())
	require.ErrorContains(t, err, "cannot be listed (AccessDenied): check its name, the credentials, and their right to list and read")
	require.True(t, file.Permanent(err))
	require.NotContains(t, err.Error()+r.logged.String(), "secret")
}

// Without its state a source would make events that count as older than those
// it made before: that is refused, and said.
func TestLostState(t *testing.T) {
	r := newRig(t)
	r.drop("household_1.csv", "code,category\nA,poor\n")
	stop := r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	ask := kmsg.NewPtrDeleteTopicsRequest()
	state := file.StateTopic(r.config.Source)
	ask.TopicNames = []string{state}
	gone := kmsg.NewDeleteTopicsRequestTopic()
	gone.Topic = kmsg.StringPtr(state)
	ask.Topics = append(ask.Topics, gone)
	answer, err := ask.RequestWith(t.Context(), r.other)
	require.NoError(t, err)
	require.Zero(t, answer.Topics[0].ErrorCode)
	r.config.Metrics = prometheus.NewRegistry()
	err = file.New(r.config).Run(t.Context())
	require.ErrorContains(t, err, "has events, but "+state+" does not know of any: restore that topic if it was lost, or give the files another source name")
	require.True(t, file.Permanent(err))
}
