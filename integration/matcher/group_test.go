package matcher

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// member is a matcher of a group that is a process of its own, and what it last
// said that it has to do.
type member struct {
	t       testing.TB
	command *exec.Cmd
	said    sync.WaitGroup

	mutex  sync.Mutex
	shares string // "" before the first
	solves bool
}

func (r *rig) member() *member {
	m := &member{t: r.t, command: exec.Command(os.Args[0])}
	m.command.Env = append(os.Environ(), childEnv+"="+r.broker.Addr+" "+r.url)
	says, err := m.command.StderrPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, m.command.Start())
	m.said.Go(func() { m.listen(says) })
	r.t.Cleanup(m.kill)
	return m
}

// listen reads what it says it has to do.
func (m *member) listen(says io.Reader) {
	for lines := bufio.NewScanner(says); lines.Scan(); {
		_, err := fmt.Fprintln(m.t.Output(), m.command.Process.Pid, lines.Text())
		if err != nil {
			return // the test has ended
		}
		if _, shares, ok := strings.Cut(lines.Text(), "shares="); ok {
			m.mutex.Lock()
			m.shares, m.solves = shares, strings.Contains(shares, "solves=true")
			m.mutex.Unlock()
		}
	}
}

func (m *member) role() (shares string, solves bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.shares, m.solves
}

// stop has it do nothing more, without its knowing.
func (m *member) stop() { require.NoError(m.t, m.command.Process.Signal(syscall.SIGSTOP)) }

// kill is SIGKILL.
func (m *member) kill() {
	if m.command.ProcessState != nil {
		return
	}
	require.NoError(m.t, m.command.Process.Kill())
	m.said.Wait()
	require.Error(m.t, m.command.Wait(), "it was killed, so it did not end by itself")
}

// shared waits until two members share the work, and tells which of them solves.
func shared(t testing.TB, a, b *member) (solver, comparer *member) {
	harness.Eventually(t, within, func(context.Context) error {
		x, first := a.role()
		y, second := b.role()
		if first == second || x == "" || y == "" {
			return fmt.Errorf("one has %q, the other %q", x, y)
		}
		return nil
	})
	if _, first := a.role(); first {
		return a, b
	}
	return b, a
}

// TestTwoShareTheWork is the scale of the matcher, and P2 and P9 for it: two that
// share the comparing end with the links, and the partition, that one gives,
// though one is killed when the other has done its part of what is under way and
// it has not: first the one that solves, then the one that compares for it.
func TestTwoShareTheWork(t *testing.T) {
	r := newRig(t)
	r.citizens()
	r.patients("health")
	const people = 300
	names := []string{"Nguyễn Văn An", "Lê Thị Mai", "Trần Thị Hòa", "Phạm Văn Đức"}
	register := &identity.Origin{Source: "population", Sector: "population", Table: "citizen", Register: true}
	health := &identity.Origin{Source: "health", Sector: "health", Table: "patient"}
	state := map[string]*identity.Raw{}
	for n := range people {
		cccd, name := fmt.Sprintf("0790850%05d", n), names[n%len(names)]
		r.add("population.citizen", event.Read, 1, strconv.Itoa(n), cccd, "", name, "1985-03-20")
		id := "population.citizen:" + strconv.Itoa(n)
		state[id] = &identity.Raw{ID: []byte(id), Origin: register, CCCD: []byte(cccd), FullName: []byte(name), Birth: identity.NewDate(1985, 3, 20)}
	}
	r.commit()
	lsn := uint64(1)
	// visit corrects, moves and deletes patients, other ones in every round.
	visit := func() {
		lsn++
		for n := range 2 * people {
			id := "health.patient:" + strconv.Itoa(n)
			if state[id] != nil && (n+int(lsn))%5 == 0 {
				r.add("health.patient", event.Delete, lsn, strconv.Itoa(n))
				delete(state, id)
				continue
			}
			who := (n*7 + int(lsn)*31) % people
			cccd, insurance, name := fmt.Sprintf("0790850%05d", who), fmt.Sprintf("79%08d", 1000+n%97*7), names[who%len(names)]
			if n%3 == 0 {
				cccd = ""
			}
			r.add("health.patient", event.Update, lsn, strconv.Itoa(n), cccd, "", insurance, name, "1985-03-20")
			state[id] = &identity.Raw{ID: []byte(id), Origin: health, CCCD: []byte(cccd), Insurance: []byte(insurance), FullName: []byte(name), Birth: identity.NewDate(1985, 3, 20)}
		}
		r.commit()
	}
	visit()
	a, b := r.member(), r.member()
	solver, comparer := shared(t, a, b)
	r.ends(state)

	// Who solves does nothing more; the other compares its part, and cannot solve.
	edges := r.count(topic.IdentityEdge)
	solver.stop()
	visit()
	harness.Eventually(t, within, func(context.Context) error {
		if r.count(topic.IdentityEdge) == edges {
			return errors.New("no edge was written")
		}
		return nil
	})
	solver.kill()
	r.ends(state) // the one that stood by solves

	// Now the other way round: what one compares is not there, so that the other
	// waits with what it has.
	solver, comparer = shared(t, comparer, r.member())
	r.ends(state)
	comparer.stop()
	visit()
	comparer.kill()
	r.ends(state)
	solver.kill()

	// One that comes after them all finds nothing to do.
	links := r.messages()
	edges = r.count(topic.IdentityEdge)
	alone, _ := r.start()
	r.ready(alone)
	require.Equal(t, links, r.messages(), "links")
	require.Equal(t, edges, r.count(topic.IdentityEdge), "edges")
	r.noPlaintext()
}

// ends waits until the links are those of the records, as one process decides.
func (r *rig) ends(records map[string]*identity.Raw) {
	want := r.oracle(records)
	var hash identity.PartitionHasher
	for id, l := range want {
		hash.Add(l.Person, id)
	}
	partition := hash.Sum().String()
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		got, _, err := r.links(ctx)
		if err != nil {
			return err
		}
		var hash identity.PartitionHasher
		for id, l := range got {
			person, err := identity.ParsePersonID(l["person_id"])
			if err != nil {
				return err
			}
			hash.Add(person, id)
			if w := want[id]; l["decision"] != w.Decision || l["reasons"] != w.Reasons {
				return fmt.Errorf("%s is %s for %s, not %s for %s", id, l["decision"], l["reasons"], w.Decision, w.Reasons)
			}
		}
		if h := hash.Sum().String(); h != partition {
			return fmt.Errorf("partition %s of %d records, not %s of %d", h, len(got), partition, len(want))
		}
		return nil
	})
}
