package linkage

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
)

// queue is what a reader of the reviews has.
type queue map[[2]string]Review

func (q queue) follow(t testing.TB, e *Engine) {
	require.NoError(t, e.Reviews(func(pair [2]string, r *Review) error {
		if r == nil {
			delete(q, pair)
			return nil
		}
		require.Equal(t, pair, [2]string{r.A, r.B})
		q[pair] = *r
		return nil
	}))
	require.NoError(t, e.Reviews(func(pair [2]string, r *Review) error {
		require.Fail(t, "handed over twice", "%v", pair)
		return nil
	}))
}

// P9: what is asked depends on the records, the decisions and the model alone.
func TestReviewsKnowNoOrder(t *testing.T) {
	for name, m := range map[string]*Model{"city": cityModel(t), "tight": tight(t)} {
		t.Run(name, func(t *testing.T) {
			rules := map[string]int{}
			for seed := range uint64(100) {
				r := rand.New(rand.NewPCG(seed, 11))
				log, left, decisions := randomLog(r, 3+r.IntN(40))
				fresh, want := engine(t, m), queue{}
				for _, p := range left {
					fresh.Upsert(p.raw())
				}
				for _, d := range decisions {
					fresh.Decide(d)
				}
				solve(t, fresh)
				want.follow(t, fresh)
				for _, q := range want {
					rules[q.Rule]++
				}
				for range 3 {
					got, reviews := engine(t, m), queue{}
					shuffled := append(append([]entry{}, log...), log[:r.IntN(len(log))]...)
					r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
					for _, x := range shuffled {
						x.apply(got)
						if r.IntN(5) == 0 {
							solve(t, got)
							if r.IntN(2) == 0 {
								reviews.follow(t, got)
							}
						}
					}
					solve(t, got)
					reviews.follow(t, got)
					require.Equal(t, want, reviews, "seed %d", seed)
				}
			}
			for _, rule := range []string{RuleWeights, RuleShared, RuleConflict, RuleForbidden} {
				require.Greater(t, rules[rule], 5, "the logs bring about every rule: %v", rules)
			}
		})
	}
}

// reviewed are the pairs that e asks of, with their rules.
func reviewed(t testing.TB, e *Engine) map[[2]string]string {
	solve(t, e)
	q := queue{}
	e.reviews.marked = map[[2]string]struct{}{}
	for pair := range e.reviews.asking {
		e.reviews.marked[pair] = struct{}{}
	}
	q.follow(t, e)
	rules := map[[2]string]string{}
	for pair, r := range q {
		rules[pair] = r.Rule
	}
	return rules
}

// doubtful are two records of which nobody can tell whether they are one: a
// common name and date, and no number in common.
func doubtful() (citizen, patient person) {
	citizen = person{id: "population.citizen:1", in: register, cccd: "079085000013", name: "Nguyễn Văn An", birth: "1985-03-20", sex: "male", ward: "26734", address: "7 Pasteur"}
	patient = person{id: "health.patient:1", in: health, name: "Nguyễn An", birth: "1985-03-20", sex: "male", ward: "27460", address: "12/3 Lê Lợi"}
	return citizen, patient
}

func TestReviewIsAskedUntilDecided(t *testing.T) {
	citizen, patient := doubtful()
	pair := [2]string{patient.id, citizen.id}
	for _, verdict := range []Verdict{Same, Different} {
		e := engine(t, cityModel(t))
		e.Upsert(citizen.raw())
		e.Upsert(patient.raw())
		require.Equal(t, map[[2]string]string{pair: RuleWeights}, reviewed(t, e))
		r := e.Review(citizen.id, patient.id)
		require.Equal(t, Effect{Records: [2]int{1, 1}, Sectors: [2][]string{{"health"}, {"population"}}, Register: true}, r.Effect)
		require.Greater(t, r.Weight, e.model.spec.Thresholds.Review)
		require.Less(t, r.Weight, e.model.spec.Thresholds.Link)

		require.True(t, e.Decide(Decision{A: citizen.id, B: patient.id, Verdict: verdict, Version: 1}))
		require.Empty(t, reviewed(t, e), "decided: %s", verdict)
		require.True(t, e.Decide(Decision{A: citizen.id, B: patient.id, Verdict: Unsaid, Version: 2}))
		require.Equal(t, map[[2]string]string{pair: RuleWeights}, reviewed(t, e), "undone")
		e.Delete(patient.id, patient.in, patient.raw().Position)
		require.Empty(t, reviewed(t, e), "the record is gone")
	}
}

// Case 30: a human "no" is not asked again of whoever would link both.
func TestCase30ReviewAfterANo(t *testing.T) {
	a := person{id: "health.patient:1", in: health, insurance: "7912345671", name: "Trần Thị Hoà", birth: "1990-02-03", sex: "female", phone: "0912345678"}
	b := person{id: "tax.taxpayer:1", in: tax, cccd: "079190000017", name: "Trần Thị Hoà", birth: "1990-02-03", sex: "female", phone: "0987654321"}
	bridge := person{id: "welfare.beneficiary:1", in: welfare, cccd: "079190000017", insurance: "7912345671", name: "Trần Thị Hoà", birth: "1990-02-03", sex: "female"}
	e := engine(t, cityModel(t))
	e.Decide(Decision{A: a.id, B: b.id, Verdict: Different, Version: 1})
	for _, p := range []person{a, b, bridge} {
		e.Upsert(p.raw())
	}
	changes, _ := solve(t, e)
	require.NotEqual(t, changes[a.id].Person, changes[b.id].Person, "no is no")
	require.Contains(t, []identity.PersonID{changes[a.id].Person, changes[b.id].Person}, changes[bridge.id].Person)
	require.Empty(t, reviewed(t, e))

	e.Decide(Decision{A: b.id, B: a.id, Verdict: Unsaid, Version: 2})
	changes, _ = solve(t, e)
	require.NotEmpty(t, changes, "taken back, the bridge joins them")
	require.Equal(t, e.at(e.byID[a.id]).person, e.at(e.byID[b.id]).person)
}

// A "same" against the register is a conflict, which is asked until it is taken
// back.
func TestReviewOfAConflict(t *testing.T) {
	citizen, _ := doubtful()
	other := person{id: "population.citizen:2", in: register, cccd: "079085000026", name: "Nguyễn Văn An", birth: "1985-03-20", sex: "male"}
	e := engine(t, cityModel(t))
	e.Decide(Decision{A: other.id, B: citizen.id, Verdict: Same, Version: 1})
	require.Empty(t, reviewed(t, e), "decided before its records are there")
	e.Upsert(citizen.raw())
	e.Upsert(other.raw())
	require.Equal(t, map[[2]string]string{{citizen.id, other.id}: RuleConflict}, reviewed(t, e))
	require.Equal(t, []Conflict{{citizen.id, other.id}}, e.Conflicts())
	e.Decide(Decision{A: other.id, B: citizen.id, Verdict: Unsaid, Version: 2})
	require.Empty(t, reviewed(t, e))
	require.Empty(t, e.Conflicts())
}

// Between two clusters one pair is asked, with what both hold.
func TestReviewOfTwoClusters(t *testing.T) {
	citizen, patient := doubtful()
	taxed := citizen
	taxed.id, taxed.in = "tax.taxpayer:1", tax
	again := patient
	again.id, again.in, again.died = "welfare.beneficiary:1", welfare, "2020-02-03"
	patient.insurance, again.insurance = "7912345671", "7912345671"
	e := engine(t, cityModel(t))
	for _, p := range []person{citizen, patient, taxed, again} {
		e.Upsert(p.raw())
	}
	solve(t, e)
	require.Len(t, e.reviews.asking, 1)
	for _, all := range e.reviews.asking {
		require.Equal(t, []int{2, 2}, all[0].Effect.Records[:])
		require.ElementsMatch(t, [][]string{{"health", "welfare"}, {"population", "tax"}}, all[0].Effect.Sectors[:])
		require.True(t, all[0].Effect.Died)
	}
}

// P11: what is shown of a record and a pair holds no identifier.
func TestShowAndExplainHideIdentifiers(t *testing.T) {
	citizen, patient := doubtful()
	patient.cccd, patient.phone = citizen.cccd, "0912345678"
	e := engine(t, cityModel(t))
	e.Upsert(citizen.raw())
	e.Upsert(patient.raw())
	solve(t, e)
	shown, ok := e.Show(patient.id)
	require.True(t, ok)
	text := map[string]string{}
	for _, c := range shown.Columns {
		text[c.Name] = c.Text
		require.Equal(t, c.Identifier, c.Text == "", c.Name)
		require.NotContains(t, c.Text, "07908", c.Name)
	}
	require.Equal(t, map[string]string{"cccd": "", "phone": "", "full_name": "nguyễn an", "birth_date": "1985-03-20", "sex": "male", "ward": text["ward"], "address": text["address"]}, text)
	require.NotEmpty(t, text["ward"])
	_, ok = e.Show("health.patient:2")
	require.False(t, ok)

	x, err := e.Explain(citizen.id, patient.id)
	require.NoError(t, err)
	sum := x.Prior
	for _, s := range x.Steps {
		sum += s.Bits
		require.False(t, strings.Contains(s.Level, "079085"), s.Name)
	}
	require.InDelta(t, x.Weight, sum, 1e-3)
	require.Contains(t, strings.Join(x.Blocks, " "), "cccd")
	_, err = e.Explain(citizen.id, "health.patient:2")
	require.ErrorIs(t, err, ErrUnknownRecord)
}
