package matcher

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// TestMatcher goes through the life of some records on one broker.
func TestMatcher(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	r.add("population.citizen", event.Read, 1, "1", "079085001234", "024517348", "Nguyễn Văn An", "1985-03-20")
	r.add("population.citizen", event.Read, 1, "2", "079190004321", "", "Lê Thị Mai", "1990-11-02")
	r.add("health.patient", event.Read, 1, "1", "079085001234", "", "7912345670", "NGUYEN VAN AN", "1985-03-20")
	r.add("health.patient", event.Read, 1, "2", "", "024517348", "", "Nguyễn Văn An", "1985-03-20")
	r.add("health.patient", event.Read, 1, "3", "", "", "DN4797912345670", "Nguyễn An", "1985-01-01")
	r.add("health.patient", event.Read, 1, "4", "079085001234", "", "", "Nguyễn Gia Bảo", "2019-03-20")
	r.commit()
	m, stop := r.start()
	r.ready(m)
	var links map[string]map[string]string
	var messages int
	// A transaction shows partition by partition, a moment after its commit.
	harness.Eventually(t, within, func(ctx context.Context) (err error) {
		if links, messages, err = r.links(ctx); err == nil && len(links) < 6 {
			err = fmt.Errorf("%d of 6 links", len(links))
		}
		return err
	})
	require.Len(t, links, 6)
	require.Equal(t, 6, messages)

	t.Run("links and reasons", func(t *testing.T) {
		person := identity.PersonOf("population.citizen:1").String()
		for record, rule := range map[string]string{"population.citizen:1": "register", "health.patient:1": "weights", "health.patient:2": "weights", "health.patient:3": "weights"} {
			require.Equal(t, person, links[record]["person_id"], record)
			require.Equal(t, "population.citizen:1", links[record]["citizen"], record)
			require.Equal(t, "link", links[record]["decision"], record)
			require.Equal(t, rule, links[record]["rule"], record)
			require.Equal(t, "city-5", links[record]["model_version"])
			require.Equal(t, rule == "weights", links[record]["weight"] != "", record)
		}
		require.Equal(t, "review", links["health.patient:4"]["decision"])
		require.Empty(t, links["health.patient:4"]["citizen"])
		require.Equal(t, map[string]string{"record": "health.patient:1", "source": "health", "sector": "health", "table": "patient"},
			map[string]string{"record": links["health.patient:1"]["record"], "source": links["health.patient:1"]["source"], "sector": links["health.patient:1"]["sector"], "table": links["health.patient:1"]["table"]})
		require.JSONEq(t, `{"with":"population.citizen:1","evidence":{"cccd":"contested","full_name":"unmarked","birth_date":"equal"}}`, links["health.patient:1"]["reasons"])
	})

	// P11: no identifier leaves the vault.
	t.Run("no plaintext", func(t *testing.T) { r.noPlaintext() })

	t.Run("restart publishes nothing", func(t *testing.T) {
		require.NoError(t, stop())
		require.ErrorContains(t, m.Ready(), "stopped")
		m, stop = r.start()
		r.ready(m)
		require.Equal(t, messages, r.messages())
	})

	t.Run("a correction moves a record", func(t *testing.T) {
		r.add("health.patient", event.Update, 5, "4", "079190004321", "", "", "Lê Thị Mai", "1990-11-02")
		r.commit()
		r.isPerson("health.patient:4", "population.citizen:2")
	})

	t.Run("redelivery and a re-snapshot change nothing", func(t *testing.T) {
		before := r.messages()
		r.add("health.patient", event.Update, 5, "4", "079190004321", "", "", "Lê Thị Mai", "1990-11-02")
		r.add("health.patient", event.Read, 4, "4", "079085001234", "", "", "Nguyễn Gia Bảo", "2019-03-20")
		r.add("health.patient", event.Read, 0, "1", "", "", "", "", "")
		r.barrier(6)
		require.Equal(t, before+12, r.messages(), "the barrier's records alone")
		r.isPerson("health.patient:4", "population.citizen:2")
	})

	t.Run("deletion withdraws, and what hung on it parts", func(t *testing.T) {
		r.add("health.patient", event.Delete, 10, "1")
		r.commit()
		r.isGone("health.patient:1")
		r.isPerson("health.patient:3", "health.patient:3")
		// It is told, in the transaction of the links.
		citizen := identity.PersonOf("population.citizen:1").String()
		r.happened(citizen, func(e map[string]string) bool {
			return e["kind"] == "split" && e["causes"] == `["health.patient:1"]` && e["model_version"] == "city-5" &&
				strings.Contains(e["before"], `{"person_id":"`+citizen+`","records":["health.patient:1","health.patient:2","health.patient:3","population.citizen:1"]}`) &&
				strings.Contains(e["after"], `{"person_id":"`+identity.PersonOf("health.patient:3").String()+`","records":["health.patient:3"]}`)
		})

		// Redelivered older events, and the older deletion with its tombstone
		// after a new beginning.
		r.add("health.patient", event.Update, 9, "1", "079085001234", "", "7912345670", "Nguyễn Văn An", "1985-03-20")
		r.barrier(11)
		r.isGone("health.patient:1")
		r.add("health.patient", event.Create, 20, "1", "079085001234", "", "7912345670", "Nguyễn Văn An", "1985-03-20")
		r.add("health.patient", event.Delete, 10, "1")
		r.barrier(21)
		r.isPerson("health.patient:1", "population.citizen:1")
		r.isPerson("health.patient:3", "population.citizen:1")
		r.happened(min(citizen, identity.PersonOf("health.patient:3").String()), func(e map[string]string) bool { return e["kind"] == "merge" })
	})

	t.Run("a new source's topic is read when it comes", func(t *testing.T) {
		r.patients("health_bv115")
		r.add("health_bv115.patient", event.Read, 1, "1", "079190004321", "", "", "Lê Thị Mai", "1990-11-02")
		r.commit()
		r.isPerson("health_bv115.patient:1", "population.citizen:2")
	})

	t.Run("truncation", func(t *testing.T) {
		r.add("health_bv115.patient", event.Create, 40, "2", "", "", "", "", "")
		r.add("health_bv115.patient", event.Truncate, 30)
		r.commit()
		r.isGone("health_bv115.patient:1")
		r.isPerson("health_bv115.patient:2", "health_bv115.patient:2")
		r.isPerson("health.patient:4", "population.citizen:2")
	})

	t.Run("Case35 a new snapshot's marker", func(t *testing.T) {
		for id := range 9 {
			r.add("health_bv115.patient", event.Read, 41, strconv.Itoa(100+id), "", "", "", "", "")
		}
		r.add("health_bv115.patient", event.Read, 45, "2", "", "", "", "", "")
		r.add("health_bv115.patient", event.Marker, 44)
		r.add("health_bv115.patient", event.Create, 46, "103", "", "", "", "", "")
		r.commit()
		for id := range 9 {
			if id != 3 {
				r.isGone(fmt.Sprintf("health_bv115.patient:%d", 100+id))
			}
		}
		r.isPerson("health_bv115.patient:2", "health_bv115.patient:2")
		r.isPerson("health_bv115.patient:103", "health_bv115.patient:103")
	})

	t.Run("Case35 the marker of a range", func(t *testing.T) {
		for id := range 9 {
			r.add("health_bv115.patient", event.Read, 47, strconv.Itoa(200+id), "", "", "", "", "")
		}
		from, to := "202", "206"
		r.add("health_bv115.patient", event.Read, 49, "204", "", "", "", "", "")
		r.addOf("health_bv115.patient", event.Marker, &event.Range{Column: "patient_id", From: &from, To: &to}, 48)
		r.commit()
		for id := range 9 {
			name := fmt.Sprintf("health_bv115.patient:%d", 200+id)
			if id >= 2 && id <= 6 && id != 4 {
				r.isGone(name)
			} else {
				r.isPerson(name, name)
			}
		}
		r.isPerson("health_bv115.patient:103", "health_bv115.patient:103")
	})

	t.Run("dead letters", func(t *testing.T) {
		vault := topic.Vault("health", "public", "patient")
		r.raw(vault, []byte("no wire format"), []byte("neither"))
		r.raw(vault, []byte{0, 0, 0, 0x27, 0x0f, 2}, nil) // a schema that nobody registered
		r.add("health.patient", event.Create, 50, "50", "079190004321", "", "", "Lê Thị Mai", "1990-11-02")
		r.commit()
		r.isPerson("health.patient:50", "population.citizen:2")
		// The row came by another partition than they: it may be ahead of them.
		var letters []map[string]string
		harness.Eventually(t, within, func(context.Context) error {
			if letters = r.letters(vault); len(letters) < 2 {
				return fmt.Errorf("%d of 2 dead letters", len(letters))
			}
			return nil
		})
		require.Len(t, letters, 2)
		require.NotEmpty(t, letters[0]["hopluu.reason"])
		require.Equal(t, vault, letters[0]["hopluu.topic"])

		before := r.messages()
		require.NoError(t, stop())
		m, stop = r.start()
		r.ready(m)
		require.Len(t, r.letters(vault), 2, "met again on the start, but written once")
		require.Equal(t, before, r.messages())
	})

	t.Run("metrics", func(t *testing.T) {
		families, err := r.registry.Gather()
		require.NoError(t, err)
		got := map[string]float64{}
		for _, f := range families {
			for _, metric := range f.Metric {
				name := f.GetName()
				for _, label := range metric.Label {
					name += " " + label.GetValue()
				}
				got[name] = metric.GetGauge().GetValue()
			}
		}
		require.Equal(t, 2.0, got["hopluu_matcher_records population citizen"])
		require.Equal(t, 1.0, got["hopluu_matcher_linked_share population citizen"])
		require.Equal(t, 2.0, got["hopluu_matcher_links link register"])
		require.Contains(t, got, "hopluu_matcher_lag_seconds")
	})

	t.Run("no plaintext in the end", func(t *testing.T) { r.noPlaintext() })

	t.Run("a second matcher shares the work, and takes over", func(t *testing.T) {
		second, _ := r.start()
		r.ready(second)
		r.ready(m)
		r.add("health.patient", event.Create, 60, "60", "079190004321", "", "", "Lê Thị Mai", "1990-11-02")
		r.commit()
		r.isPerson("health.patient:60", "population.citizen:2")
		require.NoError(t, stop())
		r.add("health.patient", event.Create, 61, "61", "079190004321", "", "", "Lê Thị Mai", "1990-11-02")
		r.commit()
		r.isPerson("health.patient:61", "population.citizen:2")
	})
}

// letters gives the headers of the dead letters of a vault topic, none before
// the first.
func (r *rig) letters(vault string) []map[string]string {
	counts, err := r.kafka.PartitionCounts(r.t.Context())
	require.NoError(r.t, err)
	if counts[topic.DeadLetter(vault)] == 0 {
		return nil
	}
	var letters []map[string]string
	require.NoError(r.t, r.kafka.ReadAll(r.t.Context(), topic.DeadLetter(vault), func(rec topic.Record) error {
		headers := map[string]string{}
		for _, h := range rec.Headers {
			headers[h.Key] = string(h.Value)
		}
		letters = append(letters, headers)
		return nil
	}))
	return letters
}

// TestLostTopicIsWaitedFor: a vault topic that is gone does not withdraw its
// links in silence.
func TestLostTopicIsWaitedFor(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	r.add("population.citizen", event.Read, 1, "1", "079085001234", "", "Nguyễn Văn An", "1985-03-20")
	r.add("health.patient", event.Read, 1, "7", "079085001234", "", "", "Nguyễn Văn An", "1985-03-20")
	r.commit()
	m, stop := r.start()
	r.ready(m)
	require.NoError(t, stop())
	r.deleteTopic(topic.Vault("health", "public", "patient"))

	m, _ = r.start()
	harness.Eventually(t, within, func(context.Context) error {
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "vault.health.public.patient") {
			return fmt.Errorf("ready says %v", err)
		}
		return nil
	})
	r.isPerson("health.patient:7", "population.citizen:1")
	r.topics(topic.Vault("health", "public", "patient"))
	r.ready(m)
	r.isGone("health.patient:7")
	r.isPerson("population.citizen:1", "population.citizen:1")
}

// deleteTopic deletes a topic and waits until it is gone.
func (r *rig) deleteTopic(name string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr))
	require.NoError(r.t, err)
	defer client.Close()
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TopicNames = []string{name}
	request.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}
	request.TimeoutMillis = 10_000
	response, err := request.RequestWith(r.t.Context(), client)
	require.NoError(r.t, err)
	require.Zero(r.t, response.Topics[0].ErrorCode)
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		counts, err := r.kafka.PartitionCounts(ctx, name)
		if err == nil && len(counts) > 0 {
			err = fmt.Errorf("topic %s is still there", name)
		}
		return err
	})
}
