package matcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// TestAPairThatChangesSharesIsNeverApart is P9 while two matchers share the work:
// what they publish is of one set of records at every moment. Each patient is its
// citizen by the one card or by the other, in turns, so that the block that tells
// whose pair it is, and with it the share, is another one each time; whatever part
// of the changes is known, they are one person. So there is no event, and no link
// to anybody else, also while the one that compares is killed and another takes
// its share.
func TestAPairThatChangesSharesIsNeverApart(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	const people, rounds = 60, 24
	cards := func(n int) (cccd, cmnd string) {
		return fmt.Sprintf("0790850%05d", n*7), fmt.Sprintf("0245%05d", 11+n*7)
	}
	name := func(n int) string { return "Trần Thị " + []string{"Hòa", "Mai", "Lan", "Cúc"}[n%4] }
	for n := range people {
		cccd, cmnd := cards(n)
		r.add("population.citizen", event.Read, 1, strconv.Itoa(n), cccd, cmnd, name(n), "1985-03-20")
	}
	lsn := uint64(1)
	change := func(n int) {
		cccd, cmnd := cards(n)
		if lsn%2 == 0 {
			cccd = ""
		} else {
			cmnd = ""
		}
		r.add("health.patient", event.Update, lsn, strconv.Itoa(n), cccd, cmnd, "", name(n), "1985-03-20")
	}
	for n := range people {
		change(n)
	}
	r.commit()
	solver, comparer := shared(t, r.member(), r.member())
	published := func(until uint64) {
		harness.Eventually(t, within, func(ctx context.Context) error {
			links, _, err := r.links(ctx)
			if err != nil {
				return err
			}
			for n := range people {
				if links[fmt.Sprintf("health.patient:%d", n)]["person_id"] == "" {
					return fmt.Errorf("patient %d has no link", n)
				}
			}
			if links["health.patient:"+strconv.FormatUint(900_000+until, 10)] == nil {
				return errors.New("not all is published")
			}
			return nil
		})
	}
	barrier := func() {
		r.add("health.patient", event.Create, lsn, strconv.FormatUint(900_000+lsn, 10), "", "", "", fmt.Sprintf("Barrier %d", lsn))
		r.commit()
		published(lsn)
	}
	barrier()
	random := rand.New(rand.NewPCG(3, 3))
	for round := range rounds {
		lsn++
		for i, n := range random.Perm(people) {
			if change(n); i%4 == 3 { // what the two have read is seldom the same
				r.commit()
			}
		}
		r.commit()
		if round == rounds/2 {
			comparer.kill()
			shared(t, solver, r.member())
		}
	}
	barrier()
	require.NoError(t, r.kafka.ReadAll(t.Context(), topic.IdentityLink, func(rec topic.Record) error {
		key, err := r.flat(t.Context(), rec.Key)
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(key["record"], "health.patient:%d", &n); err != nil || n >= people {
			return nil
		}
		require.NotNil(t, rec.Value, "the link of %s was withdrawn", key["record"])
		link, err := r.flat(t.Context(), rec.Value)
		require.Equal(t, fmt.Sprintf("population.citizen:%d", n), link["citizen"], "%s: %v", key["record"], link)
		require.Equal(t, identity.DecisionLink, link["decision"], "%s: %v", key["record"], link)
		return err
	}))
	require.Zero(t, r.count(topic.IdentityEvent), "merges and splits that no change made")
}
