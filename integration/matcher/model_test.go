package matcher

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/accepted"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// waitsFor waits until a matcher tells why it does not publish.
func (r *rig) waitsFor(m *matcher.Matcher, why ...string) {
	harness.Eventually(r.t, within, func(context.Context) error {
		err := m.Ready()
		if err == nil {
			return fmt.Errorf("it is ready, and should wait for %q", why)
		}
		for _, w := range why {
			if !strings.Contains(err.Error(), w) {
				return fmt.Errorf("it says %w, nothing of %q", err, w)
			}
		}
		return nil
	})
}

// gauge gives the value of a metric of the matcher that was started last.
func (r *rig) gauge(name string) float64 {
	families, err := r.registry.Gather()
	require.NoError(r.t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].Gauge.GetValue()
		}
	}
	require.Fail(r.t, "there is no metric "+name)
	return 0
}

// TestAnotherModelWaitsToBeAccepted: a model that would move people moves nobody
// before a person says so, and keeps nobody who decides by the one in force. Then
// the links, and the partition, are its own, and the other one waits in its turn.
func TestAnotherModelWaitsToBeAccepted(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	_, err := r.kafka.Ensure(t.Context(), topic.Spec{Name: accepted.Topic, Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	require.NoError(t, err)
	city, err := linkage.Default(matcher.DefaultModel)
	require.NoError(t, err)
	known, err := linkage.DefaultFrequencies(matcher.DefaultModel)
	require.NoError(t, err)
	strict, err := linkage.Default(matcher.DefaultModel)
	require.NoError(t, err)
	strict.Version, strict.Thresholds.Link = "strict-1", 60
	byStrict := func(c *matcher.Config) { c.Model, c.Frequencies = strict, known }
	accept := func(version string) {
		require.NoError(t, accepted.Write(t.Context(), r.kafka, accepted.Model{Version: version, By: "an", Why: "it was compared", At: time.Now()}))
	}

	register := &identity.Origin{Source: "population", Sector: "population", Table: "citizen", Register: true}
	health := &identity.Origin{Source: "health", Sector: "health", Table: "patient"}
	state := map[string]*identity.Raw{}
	citizens := []string{"Nguyễn Văn An", "Lê Thị Mai", "Trần Thị Hòa"}
	for n, name := range citizens {
		cccd := fmt.Sprintf("0790850%05d", n)
		r.add("population.citizen", event.Read, 1, strconv.Itoa(n), cccd, "", name, "1985-03-20")
		id := "population.citizen:" + strconv.Itoa(n)
		state[id] = &identity.Raw{ID: []byte(id), Origin: register, CCCD: []byte(cccd), FullName: []byte(name), Birth: identity.NewDate(1985, 3, 20)}
	}
	visit := func(n int) {
		cccd, name := fmt.Sprintf("0790850%05d", n%len(citizens)), citizens[n%len(citizens)]
		r.add("health.patient", event.Read, 1, strconv.Itoa(n), cccd, "", "", name, "1985-03-20")
		id := "health.patient:" + strconv.Itoa(n)
		state[id] = &identity.Raw{ID: []byte(id), Origin: health, CCCD: []byte(cccd), FullName: []byte(name), Birth: identity.NewDate(1985, 3, 20)}
	}
	for n := range 6 {
		visit(n)
	}
	r.commit()
	// A first start needs nobody's word.
	old, stopOld := r.start()
	r.ready(old)
	r.ends(state)
	linked := r.oracle(state)
	require.Equal(t, "population.citizen:0", linked["health.patient:3"].Citizen)

	// Beside the one in force, as in an upgrade of one after the other: it waits,
	// and the other goes on.
	next, stopNext := r.start(byStrict)
	r.waitsFor(next, "identity.link has links of model "+city.Version, "'hopluu identity model accept strict-1")
	require.InDelta(t, 1, r.gauge("hopluu_matcher_model_waits"), 0)
	visit(6)
	r.commit()
	r.ends(state)
	require.NoError(t, old.Ready())
	require.NoError(t, stopOld())

	// Nor does it publish when it is alone, nor after another was accepted.
	links, edges := r.messages(), r.count(topic.IdentityEdge)
	visit(7)
	r.commit()
	accept("another-1")
	r.waitsFor(next, "model another-1 was accepted by an", "the model here is strict-1")
	require.Equal(t, links, r.messages())
	require.Equal(t, edges, r.count(topic.IdentityEdge))
	require.Zero(t, r.count(topic.IdentityEvent))

	accept("strict-1")
	r.ready(next)
	require.InDelta(t, 0, r.gauge("hopluu_matcher_model_waits"), 0)
	r.model = strict
	r.ends(state)
	require.Empty(t, r.oracle(state)["health.patient:3"].Citizen, "the strict model links nobody by one number")
	r.eventually(func(all map[string]map[string]string) error {
		for record, l := range all {
			if l["model_version"] != "strict-1" {
				return fmt.Errorf("%s is of model %s", record, l["model_version"])
			}
		}
		return nil
	})
	// What it moved is told: no record's change did.
	r.happened(linked["health.patient:3"].Person.String(), func(e map[string]string) bool {
		return e["kind"] == "split" && e["causes"] == "[]" && e["model_version"] == "strict-1"
	})
	links = r.messages()
	require.NoError(t, stopNext())
	next, _ = r.start(byStrict)
	r.ready(next)
	require.Equal(t, links, r.messages(), "a restart publishes nothing")

	// Back: the old one waits in its turn, and once it is accepted the other leaves
	// the group to it.
	old, _ = r.start()
	r.waitsFor(old, "model strict-1 was accepted by an", "'hopluu identity model accept "+city.Version)
	require.NoError(t, next.Ready())
	accept(city.Version)
	r.waitsFor(next, "model "+city.Version+" was accepted by an")
	r.ready(old)
	r.model = nil
	r.ends(state)
}

// TestLinksOfAnotherModelThatCameLater: two of two models may begin at once, when
// there are no links yet. Whoever has the work next finds what the other published,
// and waits with its own.
func TestLinksOfAnotherModelThatCameLater(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.topics(accepted.Topic)
	ours, err := linkage.Default(matcher.DefaultModel)
	require.NoError(t, err)
	ours.Version = "model-1"
	known, err := linkage.DefaultFrequencies(matcher.DefaultModel)
	require.NoError(t, err)
	r.add("population.citizen", event.Read, 1, "1", "079085001234", "", "Nguyễn Văn An", "1985-03-20")
	r.commit()
	m, _ := r.start(func(c *matcher.Config) { c.Model, c.Frequencies = ours, known })
	r.ready(m)
	isOf := func(version string) {
		r.eventually(func(links map[string]map[string]string) error {
			if got := links["population.citizen:1"]["model_version"]; got != version {
				return fmt.Errorf("the link is of model %q", got)
			}
			return nil
		})
	}
	isOf("model-1")
	var link topic.Record
	require.NoError(t, r.kafka.ReadAll(t.Context(), topic.IdentityLink, func(rec topic.Record) error {
		link = topic.Record{Partition: rec.Partition, Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)}
		return nil
	}))
	others := bytes.Replace(link.Value, []byte("model-1"), []byte("model-0"), 1)
	require.NotEqual(t, link.Value, others)
	require.NoError(t, r.producer.Add(t.Context(), link.Partition, link.Key, others, 1))
	r.commit()
	isOf("model-0")

	// One that comes to the group and goes makes it share out anew.
	group, err := r.kafka.Join(t.Context(), topic.GroupConfig{ID: "matcher", Topics: []string{topic.IdentityEdge}})
	require.NoError(t, err)
	_, err = group.Next(t.Context())
	require.NoError(t, err)
	require.NoError(t, group.Close())
	r.waitsFor(m, "identity.link has links of model model-0", "the model here is model-1")
	isOf("model-0")
	require.NoError(t, accepted.Write(t.Context(), r.kafka, accepted.Model{Version: "model-1", By: "an", Why: "it was compared", At: time.Now()}))
	r.ready(m)
	isOf("model-1")
}
