package matcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/erase"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// erase asks for it, and gives the answer.
func (a *api) erase(who, what string, want int) (out matcher.ErasureJSON) {
	status, told := a.ask(who, http.MethodPost, "/identity/erasures", matcher.EraseJSON{Who: what, Reason: "asked in writing"}, &out)
	require.Equal(a.r.t, want, status, told)
	return out
}

// plain are the values of a vault topic as compaction would leave them.
func (r *rig) plain(name string) (all string) {
	last := map[string]string{}
	require.NoError(r.t, r.kafka.ReadAll(r.t.Context(), name, func(rec topic.Record) error {
		last[string(rec.Key)] = string(rec.Value)
		return nil
	}))
	for _, value := range last {
		all += value
	}
	return all
}

// namesNobody waits until no topic, as compaction would leave it, has a word of
// erased records; what was decided and who looked is there all the same.
func (r *rig) namesNobody(id string, records ...string) {
	r.t.Helper()
	harness.Eventually(r.t, within, func(context.Context) error {
		for _, name := range []string{topic.IdentityEdge, topic.IdentityLink, topic.IdentityEvent, topic.IdentityDecision, topic.IdentityReview, topic.IdentityAudit, topic.Audit} {
			left := r.plain(name)
			for _, record := range records {
				if strings.Contains(left, record) {
					return fmt.Errorf("%s still has a word of %s", name, record)
				}
			}
		}
		return nil
	})
	require.Contains(r.t, r.plain(topic.IdentityAudit), erasure.InItsPlace(id))
	recorded, err := audit.Read(r.t.Context(), r.kafka, time.Time{})
	require.NoError(r.t, err)
	require.True(r.t, slices.ContainsFunc(recorded, func(e audit.Entry) bool {
		return e.Command == "identity erase" && e.Who == "binh" && slices.Contains(e.Args, "asked in writing") && slices.Contains(e.Touched, "erasure "+id)
	}), "who erased, when and why: %+v", recorded)
}

// eraser is what runs beside the matcher.
func (r *rig) eraser() *erase.Eraser {
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(r.t, err)
	records, err := token.NewRecord(token.Key{Version: 1, Secret: []byte(strings.Repeat("r", 32))})
	require.NoError(r.t, err)
	c := erase.Config{Kafka: r.kafka, Registry: r.schemas, Tokens: tokens, Records: records, Log: slog.New(slog.NewTextHandler(r.t.Output(), nil))}
	for _, name := range []string{"population", "health"} {
		sector, ok := r.set.Sector(name)
		require.True(r.t, ok)
		c.Sources = append(c.Sources, erase.Source{Name: name, Sector: *sector})
	}
	return erase.New(c)
}

// P12: two persons erase somebody; the matcher forgets the records, what was
// decided of them is taken back, the vault's compaction has nothing left of them,
// who was one person through them is two, and nothing of it comes back with the
// same events, nor with a start that reads everything anew. A kill between any two
// steps changes nothing.
func TestP12ErasedInTheMatcherAndTheVault(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	citizen, patient, other := "population.citizen:1", "health.patient:11", "health.patient:12"
	r.add("population.citizen", event.Create, 1, "1", "079085001234", "024517348", "Nguyễn Văn An", "1985-02-03")
	r.add("health.patient", event.Create, 2, "11", "079085001234", "", "7912345670", "Nguyễn Văn An", "1985-02-03")
	// Another person, who gave the same insurance number by mistake.
	r.add("health.patient", event.Create, 3, "12", "079085009999", "", "7912345670", "Trần Thị Bình", "1991-05-06")
	r.commit()
	m, stop := r.start(staff(true), func(c *matcher.Config) { c.SinkGroup = "sink" })
	r.ready(m)
	a := r.serve(m)
	r.isPerson(patient, citizen)
	a.say("an", patient, other, "different")
	a.say("binh", patient, other, "different")
	require.Contains(t, r.plain(topic.IdentityEdge)+r.plain(topic.IdentityEvent)+r.plain(topic.IdentityAudit), patient)
	person := identity.PersonOf(citizen).String()

	a.erase("mai", person, http.StatusForbidden)
	a.erase("an", "health.patient:4711", http.StatusNotFound)
	var shown matcher.ErasureJSON
	status, _ := a.ask("an", http.MethodPost, "/identity/erasures", matcher.EraseJSON{Who: patient, Show: true}, &shown)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []string{patient, citizen}, shown.Records)
	for _, reason := range []string{"asked, CCCD 079085001234", "old CMND 024517348", "as " + patient + " asked", "as " + person + " asked", "k1_abcdefghijklmnopqrstuvwxyz asked"} {
		status, told := a.ask("an", http.MethodPost, "/identity/erasures", matcher.EraseJSON{Who: person, Reason: reason}, &shown)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %s", reason, told)
	}
	proposed := a.erase("an", person, http.StatusOK)
	require.Equal(t, "proposed", proposed.Outcome)
	a.erase("AN", patient, http.StatusUnauthorized)
	a.erase("an", patient, http.StatusConflict)
	approved := a.erase("binh", patient, http.StatusOK)
	require.Equal(t, "approved", approved.Outcome)
	require.Equal(t, proposed.ID, approved.ID)
	require.Equal(t, "unchanged", a.erase("an", person, http.StatusOK).Outcome, "given again it is the same erasure")

	r.isGone(citizen)
	r.isGone(patient)
	r.holds(topic.IdentityDecision, func(all map[[2]string]map[string]string) error {
		for pair, said := range all {
			if said != nil && slices.Contains(pair[:], patient) {
				return fmt.Errorf("%v is still decided: %v", pair, said)
			}
		}
		return nil
	})

	// What runs beside it, killed between any two of its steps.
	for _, killedAfter := range []int{1, 2} {
		killed, stopIt := context.WithCancel(t.Context())
		ledger, _, err := feed.Read(t.Context(), r.kafka)
		require.NoError(t, err)
		require.NotContains(t, ledger.Done(approved.ID), erasure.StepVault)
		e := r.eraser()
		e.After = func(step int) {
			if step == killedAfter {
				stopIt()
			}
		}
		require.ErrorIs(t, e.Step(killed), context.Canceled)
	}
	e := r.eraser()
	require.NoError(t, e.Step(t.Context()))
	require.NoError(t, e.Step(t.Context()), "again it does no harm")
	var open []string
	harness.Eventually(t, within, func(ctx context.Context) error {
		var all []matcher.ErasureJSON
		status, told := a.ask("an", http.MethodGet, "/identity/erasures", nil, &all)
		if status != http.StatusOK || len(all) != 1 {
			return fmt.Errorf("%d %s %v", status, told, all)
		}
		require.Equal(t, 2, all[0].Numbers, "the CCCD and the CMND; the insurance number is somebody else's too")
		if open = all[0].Open; len(open) > 2 { // logs wait for the matcher's word
			return errors.Join(fmt.Errorf("still stand: %v", open), e.Step(ctx))
		}
		return nil
	})
	require.Equal(t, []string{"clickhouse/sink", "capture/health_bv115"}, open)
	ledger, _, err := feed.Read(t.Context(), r.kafka)
	require.NoError(t, err)
	_, tokens := ledger.Names(approved.ID)
	require.Len(t, tokens, 2)
	for _, number := range tokens {
		require.True(t, strings.HasPrefix(number, "k1_"), "known by a key that is not rotated, so that no other has to be kept: %s", number)
	}
	r.namesNobody(approved.ID, citizen, patient)
	vault := r.plain(topic.Vault("population", "public", "citizen")) + r.plain(topic.Vault("health", "public", "patient"))
	require.NotContains(t, vault, "079085001234")
	require.NotContains(t, vault, "Văn An")
	require.Contains(t, vault, "079085009999", "nobody else's goes")

	// The same events again, as a replay would bring them, and a new start.
	r.add("population.citizen", event.Read, 10, "1", "079085001234", "024517348", "Nguyễn Văn An", "1985-02-03")
	r.add("health.patient", event.Update, 11, "11", "079085001234", "", "7912345670", "Nguyễn Văn An", "1985-02-03")
	r.commit()
	r.barrier(20)
	gone := func() {
		t.Helper()
		links, _, err := r.links(t.Context())
		require.NoError(t, err)
		require.NotContains(t, links, citizen)
		require.NotContains(t, links, patient)
		require.Contains(t, links, other)
	}
	gone()
	require.NoError(t, stop())
	m, stop = r.start(staff(true))
	r.ready(m)
	gone()
	r.noPlaintext()

	// A lift, and the sector's next word of the record counts.
	a = r.serve(m)
	var lifted matcher.ErasureJSON
	for _, who := range []string{"an", "binh"} {
		status, told := a.ask(who, http.MethodPost, "/identity/erasures/lift", matcher.LiftJSON{ID: approved.ID, Reason: "registered anew"}, &lifted)
		require.Equal(t, http.StatusOK, status, told)
	}
	require.Equal(t, "lifted", lifted.State)
	require.NoError(t, r.eraser().Step(t.Context()))
	harness.Eventually(t, within, func(ctx context.Context) error {
		r.add("health.patient", event.Update, 30, "11", "079085001234", "", "7912345670", "Nguyễn Văn An", "1985-02-03")
		r.commit()
		links, _, err := r.links(ctx)
		if err == nil && links[patient] == nil {
			err = errors.New("it has not come back yet")
		}
		return err
	})
	require.NoError(t, stop())
}
