package identity

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// city draws a population and records of it at about the corruption that the
// generated city has, with who each record truly is.
type city struct {
	r      *rand.Rand
	people []citizen
}

type citizen struct {
	cccd, cmnd, insurance string
	name                  string
	birth                 Date
	sex                   string
	parent                int // place of the parent, -1 for adults
}

var (
	surnames = []string{"Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Trần", "Lê", "Phạm", "Huỳnh", "Hoàng", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ"}
	middles  = []string{"Văn", "Thị", "Văn", "Thị", "Minh", "Ngọc", "Thanh", "Hữu", "Gia", "Thị Ngọc", "Đức"}
	givens   = []string{"An", "Anh", "Bảo", "Bình", "Châu", "Cúc", "Dũng", "Đức", "Giang", "Hà", "Hải", "Hạnh", "Hiếu", "Hòa", "Hùng", "Hương", "Khang", "Khánh", "Lan", "Linh", "Long", "Mai", "Minh", "My", "Nam", "Nga", "Ngân", "Nhung", "Phong", "Phúc", "Phương", "Quân", "Quỳnh", "Sơn", "Tài", "Tâm", "Thảo", "Thành", "Thủy", "Trang", "Trinh", "Tú", "Tuấn", "Vinh", "Vy", "Yến"}
)

func newCity(seed uint64, people int) *city {
	c := &city{r: rand.New(rand.NewPCG(seed, 99))}
	for i := range people {
		p := citizen{parent: -1}
		year := 1940 + c.r.IntN(65)
		if i > 100 && c.r.IntN(4) == 0 {
			p.parent = c.r.IntN(i)
			year = 2005 + c.r.IntN(20)
			if c.people[p.parent].birth.Year() > 1990 {
				p.parent = -1
			}
		}
		p.birth = NewDate(year, 1+c.r.IntN(12), 1+c.r.IntN(28))
		century := 0
		if year >= 2000 {
			century = 2
		}
		p.sex = "male"
		if c.r.IntN(2) == 0 {
			p.sex, century = "female", century+1
		}
		surname := surnames[c.r.IntN(len(surnames))]
		p.cccd = fmt.Sprintf("079%d%02d%06d", century, year%100, c.r.IntN(1_000_000))
		if year < 2010 && c.r.IntN(2) == 0 {
			p.cmnd = fmt.Sprintf("02%07d", c.r.IntN(10_000_000))
		}
		p.insurance = fmt.Sprintf("79%08d", c.r.IntN(100_000_000))
		if p.parent >= 0 && c.r.IntN(83) == 0 && c.people[i-1].parent >= 0 { // a twin
			twin := c.people[i-1]
			p.birth, p.parent = twin.birth, twin.parent
		}
		p.name = surname + " " + middles[c.r.IntN(len(middles))] + " " + givens[c.r.IntN(len(givens))]
		c.people = append(c.people, p)
	}
	return c
}

func (c *city) chance(percent float64) bool { return c.r.Float64()*100 < percent }

// typo changes one digit, or exchanges two neighbours.
func (c *city) typo(number string) string {
	b := []byte(number)
	if i := c.r.IntN(len(b) - 1); c.r.IntN(2) == 0 {
		b[i], b[i+1] = b[i+1], b[i]
	} else {
		b[i] = byte('0' + c.r.IntN(10))
	}
	return string(b)
}

// record draws a record of a person.
func (c *city) record(id string, in *Origin, who int) person {
	p := c.people[who]
	out := person{id: id, in: in, sex: p.sex}
	cccd := p.cccd
	if p.parent >= 0 && c.chance(0.7) {
		cccd = c.people[p.parent].cccd
	}
	switch {
	case c.chance(25):
	case c.chance(1.2):
		out.cccd = c.typo(cccd)
	case c.chance(0.4):
		out.cccd = cccd[1:]
	case c.chance(0.3):
		out.cccd = "999999999999"
	default:
		out.cccd = cccd
	}
	if c.chance(55) {
		out.cmnd = p.cmnd
	}
	if c.chance(60) {
		out.insurance = p.insurance
		if c.chance(1) {
			out.insurance = c.typo(p.insurance)
		}
	}
	out.name = p.name
	switch n := ParseName([]byte(p.name)); {
	case c.chance(10):
		out.name = n.Toneless.Value()
	case c.chance(1.5):
		b := []rune(p.name)
		b[c.r.IntN(len(b))] = 'x'
		out.name = string(b)
	}
	if c.chance(1) {
		out.sex = "male"
	}
	birth := p.birth
	switch {
	case c.chance(3):
		birth = NewDate(birth.Year(), 1, 1)
	case c.chance(1.5):
		birth = NewDate(birth.Year(), birth.Day(), birth.Month())
	case c.chance(1.5):
		birth = NewDate(birth.Year(), birth.Month(), 1+c.r.IntN(28))
	case c.chance(0.5):
		birth = 0
	}
	if birth != 0 {
		out.birth = fmt.Sprintf("%04d-%02d-%02d", birth.Year(), birth.Month(), birth.Day())
		if birth.Month() == 0 {
			out.birth = fmt.Sprintf("%04d", birth.Year())
		}
	}
	return out
}

func (c *city) citizen(who int) person {
	p := c.people[who]
	return person{id: fmt.Sprintf("population.citizen:%d", who), in: register, cccd: p.cccd, cmnd: p.cmnd, name: p.name, sex: p.sex,
		birth: fmt.Sprintf("%04d-%02d-%02d", p.birth.Year(), p.birth.Month(), p.birth.Day())}
}

// TestPrecisionOnACity: the rules that link must hardly ever be wrong, as
// nobody looks at a link again. Families share numbers and strangers share
// CMNDs there.
func TestPrecisionOnACity(t *testing.T) {
	c := newCity(11, 20_000)
	s := NewState(model(t))
	for who := range c.people {
		s.Upsert(c.citizen(who).record())
	}
	const records = 50_000
	truth := map[string]string{}
	withNumber := 0
	for i := range records {
		who := c.r.IntN(len(c.people))
		p := c.record(fmt.Sprintf("health.patient:%d", i), health, who)
		truth[p.id] = fmt.Sprintf("population.citizen:%d", who)
		if p.cccd != "" || p.cmnd != "" {
			withNumber++
		}
		s.Upsert(p.record())
	}
	right, wrong := 0, 0
	for id, l := range solve(t, s) {
		switch {
		case l.Citizen == "" || id == l.Citizen:
		case l.Citizen == truth[id]:
			right++
		default:
			wrong++
			t.Logf("%s is %s: %s %s", id, truth[id], l.Rule, l.Reasons)
		}
	}
	t.Logf("%d right, %d wrong of %d records, %d with a CCCD or CMND; %v", right, wrong, records, withNumber, s.Decisions())
	require.Less(t, float64(wrong)/float64(right+wrong), 0.0005)
	require.Greater(t, float64(right)/float64(withNumber), 0.98)
}

// BenchmarkUpsert is the incremental way: one record at a time against a city
// that is loaded, each solved at once.
func BenchmarkUpsert(b *testing.B) {
	for _, people := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("population=%d", people), func(b *testing.B) {
			c := newCity(1, people)
			s := NewState(model(b))
			for who := range c.people {
				s.Upsert(c.citizen(who).record())
			}
			for i := range people * 5 / 2 {
				s.Upsert(c.record(fmt.Sprintf("health.patient:%d", i), health, c.r.IntN(people)).record())
			}
			none := func(*Change) error { return nil }
			require.NoError(b, s.Solve(none))
			var records []Record
			for i := range 50_000 {
				records = append(records, c.record(fmt.Sprintf("health.patient:%d", c.r.IntN(people*3)), health, c.r.IntN(people)).record())
				records[i].Position.Epoch = 9
			}
			c.people = nil
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				s.Upsert(records[i%len(records)])
				if err := s.Solve(none); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(memory.HeapAlloc)/1e6, "MB-heap")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkNormalise is what every vault message costs before it is matched.
func BenchmarkNormalise(b *testing.B) {
	raw := Raw{ID: []byte("health.patient:123456"), Origin: health, CCCD: []byte("079085001234"), CMND: []byte("024517348"),
		Insurance: []byte("DN4797912345670"), Phone: []byte("0903123457"), FullName: []byte("Nguyễn Thị Ngọc Ánh"), Ward: []byte("26734")}
	b.ReportAllocs()
	for b.Loop() {
		Normalise(&raw)
	}
}

// BenchmarkLoad is the start: all records, then one solve.
func BenchmarkLoad(b *testing.B) {
	const people = 100_000
	c := newCity(1, people)
	var records []Record
	for who := range c.people {
		records = append(records, c.citizen(who).record())
	}
	for i := range people * 5 / 2 {
		records = append(records, c.record(fmt.Sprintf("health.patient:%d", i), health, c.r.IntN(people)).record())
	}
	b.ResetTimer()
	for b.Loop() {
		s := NewState(model(b))
		for _, r := range records {
			s.Upsert(r)
		}
		if err := s.Solve(func(*Change) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(records))/b.Elapsed().Seconds(), "records/s")
}
