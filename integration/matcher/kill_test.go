package matcher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/event"
)

// spawn starts a matcher as a process of its own, and gives what kills it with
// SIGKILL.
func (r *rig) spawn() (kill func()) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childEnv+"="+r.broker.Addr+" "+r.url)
	command.Stderr = r.t.Output()
	require.NoError(r.t, command.Start())
	killed := false
	kill = func() {
		if killed {
			return
		}
		killed = true
		require.NoError(r.t, command.Process.Kill())
		require.Error(r.t, command.Wait(), "it was killed, so it did not end by itself")
	}
	r.t.Cleanup(kill)
	return kill
}

// TestSIGKILL is P2 for the matcher: killed at any moment and started again, it
// ends with the links that a matcher would have that was never killed.
func TestSIGKILL(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	random := rand.New(rand.NewPCG(1, 1))
	names := []string{"Nguyễn Văn An", "Lê Thị Mai", "Trần Thị Hòa", "Phạm Văn Đức"}
	const people, rounds, events = 400, 3, 1500
	cccd := func(n int) string { return fmt.Sprintf("0790850%05d", n) }

	// What the vault holds in the end, for the oracle.
	state := map[string]*identity.Raw{}
	register := &identity.Origin{Source: "population", Sector: "population", Table: "citizen", Register: true}
	health := &identity.Origin{Source: "health", Sector: "health", Table: "patient"}
	lsn := uint64(1)
	for n := range people {
		name := names[n%len(names)]
		r.add("population.citizen", event.Read, lsn, strconv.Itoa(n), cccd(n), "", name, "1985-03-20")
		id := "population.citizen:" + strconv.Itoa(n)
		state[id] = &identity.Raw{ID: []byte(id), Origin: register, CCCD: []byte(cccd(n)), FullName: []byte(name), Birth: identity.NewDate(1985, 3, 20)}
	}
	r.commit()
	seen := 0
	for round := range rounds {
		kill := r.spawn()
		for e := range events {
			lsn++
			n := random.IntN(people * 2)
			id := "health.patient:" + strconv.Itoa(n)
			if state[id] != nil && random.IntN(4) == 0 {
				r.add("health.patient", event.Delete, lsn, strconv.Itoa(n))
				delete(state, id)
			} else {
				who := random.IntN(people)
				insurance := fmt.Sprintf("79%08d", 1000+random.IntN(people)*7)
				name := names[(who+random.IntN(5)/4)%len(names)]
				number := cccd(who)
				if random.IntN(3) == 0 {
					number = ""
				}
				r.add("health.patient", event.Update, lsn, strconv.Itoa(n), number, "", insurance, name, "1985-03-20")
				state[id] = &identity.Raw{ID: []byte(id), Origin: health, CCCD: []byte(number), Insurance: []byte(insurance), FullName: []byte(name), Birth: identity.NewDate(1985, 3, 20)}
			}
			if e%100 == 99 {
				r.commit()
			}
		}
		r.commit()
		// It dies while it loads, while it publishes what it loaded, or while it
		// follows: as soon as it wrote anything, or a little later.
		if round%3 > 0 {
			harness.Eventually(t, within, func(ctx context.Context) error {
				_, messages, err := r.links(ctx)
				if err == nil && messages <= seen {
					err = fmt.Errorf("nothing new of %d messages", seen)
				}
				return err
			})
		}
		kill()
		_, messages, err := r.links(t.Context())
		require.NoError(t, err)
		seen = messages
	}

	m, stop := r.start()
	r.ready(m)
	want := r.oracle(state)
	r.messages() // all that it published can be read
	got, messages, err := r.links(t.Context())
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for id, l := range want {
		require.Equal(t, l.Person.String(), got[id]["person_id"], id)
		require.Equal(t, l.Decision, got[id]["decision"], id)
		require.Equal(t, l.Reasons, got[id]["reasons"], id)
	}
	require.NoError(t, stop())
	again, _ := r.start()
	r.ready(again)
	require.Equal(t, messages, r.messages(), "a restart publishes nothing")
}

// oracle solves the records in this process.
func (r *rig) oracle(records map[string]*identity.Raw) map[string]identity.Link {
	model := r.model
	if model == nil {
		var err error
		model, err = linkage.Default("city")
		require.NoError(r.t, err)
	}
	known, err := linkage.DefaultFrequencies("city")
	require.NoError(r.t, err)
	e, err := linkage.NewEngine(model, known)
	require.NoError(r.t, err)
	for _, raw := range records {
		require.True(r.t, e.Upsert(raw))
	}
	links := map[string]identity.Link{}
	require.NoError(r.t, e.Solve(func(c *linkage.Change) error {
		links[c.Record] = c.Link
		return nil
	}, func(*linkage.Event) error { return nil }))
	return links
}
