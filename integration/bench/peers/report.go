package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// report is all that a run of the bench found.
type report struct {
	Machine machine  `json:"machine"`
	Rows    int      `json:"rows"`
	BigRows int      `json:"big_rows"`
	Runs    int      `json:"runs"`
	Notes   []string `json:"notes"`
	Results []result `json:"results"`
	// Medians over the runs, field by field.
	Medians []result `json:"medians"`
	Targets []target `json:"targets"`
}

type machine struct {
	At         time.Time `json:"at"`
	Processors int       `json:"processors"`
	Model      string    `json:"model"`
	MemoryMB   int       `json:"memory_mb"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	LoadBefore string    `json:"load_before"`
}

// target is one line of what capture is to reach.
type target struct {
	Name  string  `json:"name"`
	Want  string  `json:"want"`
	Found float64 `json:"found"`
	Met   bool    `json:"met"`
}

func newReport(o options) *report {
	m := machine{At: time.Now().UTC(), Processors: runtime.NumCPU(), Go: runtime.Version()}
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			m.Model = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			break
		}
	}
	// The first line is MemTotal, in kB; what does not parse stays 0.
	_, _ = fmt.Sscanf(read("/proc/meminfo"), "MemTotal: %d", &m.MemoryMB)
	m.MemoryMB /= 1024
	m.Kernel = strings.TrimSpace(read("/proc/sys/kernel/osrelease"))
	m.LoadBefore = strings.TrimSpace(read("/proc/loadavg"))
	return &report{Machine: m, Rows: o.rows, BigRows: o.bigRows, Runs: o.runs}
}

// read gives a file's content, or nothing: the report says less then.
func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// add keeps a result and shows it to whoever watches.
func (rep *report) add(res result) {
	rep.Results = append(rep.Results, res)
	if res.Median > 0 {
		say("    median %.1f ms, p99 %.1f ms, max %.0f ms at %.0f changes/s; CPU %.2f; others %.0f%%", res.Median, res.P99, res.Max, res.ChangesPerSecond, res.CPU, 100*res.Others)
		return
	}
	say("    %d rows in %.2f s: %.0f rows/s (steady %.0f), CPU s/M %.2f (kafka %.2f, postgres %.2f), peak %.0f MB, others %.0f%%",
		res.Rows, res.Seconds, res.RowsPerSecond, res.SteadyRowsPerSecond, res.CPU, res.KafkaCPU, res.PostgresCPU, res.PeakMB, 100*res.Others)
}

func (rep *report) medians() []result {
	type group struct{ load, contender string }
	var order []group
	all := map[group][]result{}
	for _, r := range rep.Results {
		g := group{r.Load, r.Contender}
		if all[g] == nil {
			order = append(order, g)
		}
		all[g] = append(all[g], r)
	}
	slices.SortStableFunc(order, func(a, b group) int { return slices.Index(allLoads, a.load) - slices.Index(allLoads, b.load) })
	var out []result
	for _, g := range order {
		of := func(field func(result) float64) float64 {
			var values []float64
			for _, r := range all[g] {
				values = append(values, field(r))
			}
			slices.Sort(values)
			n := len(values)
			return (values[(n-1)/2] + values[n/2]) / 2
		}
		m := result{Load: g.load, Contender: g.contender, Rows: all[g][0].Rows}
		m.Seconds = of(func(r result) float64 { return r.Seconds })
		m.RowsPerSecond = of(func(r result) float64 { return r.RowsPerSecond })
		m.SteadyRowsPerSecond = of(func(r result) float64 { return r.SteadyRowsPerSecond })
		m.CPU = of(func(r result) float64 { return r.CPU })
		m.KafkaCPU = of(func(r result) float64 { return r.KafkaCPU })
		m.PostgresCPU = of(func(r result) float64 { return r.PostgresCPU })
		m.PeakMB = of(func(r result) float64 { return r.PeakMB })
		m.Others = of(func(r result) float64 { return r.Others })
		m.Median = of(func(r result) float64 { return r.Median })
		m.P99 = of(func(r result) float64 { return r.P99 })
		m.Max = of(func(r result) float64 { return r.Max })
		m.ChangesPerSecond = of(func(r result) float64 { return r.ChangesPerSecond })
		out = append(out, m)
	}
	return out
}

// finish works the medians and the targets out.
func (rep *report) finish() {
	rep.Medians = rep.medians()
	get := func(load, contender string) (result, bool) {
		i := slices.IndexFunc(rep.Medians, func(r result) bool { return r.Load == load && r.Contender == contender })
		if i < 0 {
			return result{}, false
		}
		return rep.Medians[i], true
	}
	atLeast := func(name string, want, found float64) {
		rep.Targets = append(rep.Targets, target{name, fmt.Sprintf("at least %g", want), found, found >= want})
	}
	atMost := func(name string, want, found float64) {
		rep.Targets = append(rep.Targets, target{name, fmt.Sprintf("at most %g", want), found, found <= want})
	}
	for _, load := range []string{inserts, mix, big} {
		ours, ok := get(load, hopluu)
		if !ok {
			continue
		}
		if f, ok := get(load, floor); ok {
			atLeast(load+": share of pg_recvlogical's rows/s", 0.6, ours.RowsPerSecond/f.RowsPerSecond)
		}
		if d, ok := get(load, debezium); ok {
			// Against its better figure.
			atLeast(load+": times Debezium's rows/s", 4, ours.RowsPerSecond/max(d.RowsPerSecond, d.SteadyRowsPerSecond))
		}
		if g, ok := get(load, goPqCDC); ok {
			atLeast(load+": times go-pq-cdc's rows/s", 2.5, ours.RowsPerSecond/max(g.RowsPerSecond, g.SteadyRowsPerSecond))
		}
		atMost(load+": CPU seconds a million rows", 5, ours.CPU)
		atMost(load+": peak resident MB", 100, ours.PeakMB)
	}
	if ours, ok := get(snapshot, hopluu); ok {
		c, okCopy := get(snapshot, copyFloor)
		p, okTool := get(snapshot, producerFloor)
		if okCopy && okTool {
			atLeast("snapshot: share of the slower of COPY and the producer tool", 0.7, ours.RowsPerSecond/min(c.RowsPerSecond, p.RowsPerSecond))
		}
	}
	if ours, ok := get(latency, hopluu); ok {
		atMost("latency: median ms", 15, ours.Median)
		atMost("latency: 99th percentile ms", 50, ours.P99)
	}
}

func (rep *report) printJSON(w io.Writer) error {
	rep.finish()
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rep)
}

func (rep *report) printTable(w io.Writer) error {
	rep.finish()
	m := rep.Machine
	if _, err := fmt.Fprintf(w, "%s, %d processors (%s), %d MB, Linux %s, %s; load before: %s\n%d runs, medians; %d rows, %d in the big transaction\n",
		m.At.Format(time.RFC3339), m.Processors, m.Model, m.MemoryMB, m.Kernel, m.Go, m.LoadBefore, rep.Runs, rep.Rows, rep.BigRows); err != nil {
		return err
	}
	t := newTable(w, table.Row{"load", "who", "rows", "seconds", "rows/s", "steady rows/s", "CPU s/M", "kafka", "postgres", "peak MB", "others %"}, 3)
	l := newTable(w, table.Row{"latency", "changes/s", "median ms", "p99 ms", "max ms", "CPU s/M", "peak MB", "others %"}, 2)
	for _, r := range rep.Medians {
		if r.Load == latency {
			l.AppendRow(table.Row{r.Contender, number(r.ChangesPerSecond, 0), number(r.Median, 1), number(r.P99, 1), number(r.Max, 0), number(r.CPU, 2), number(r.PeakMB, 0), number(100*r.Others, 0)})
			continue
		}
		t.AppendRow(table.Row{r.Load, r.Contender, r.Rows, number(r.Seconds, 2), number(r.RowsPerSecond, 0), number(r.SteadyRowsPerSecond, 0),
			number(r.CPU, 2), number(r.KafkaCPU, 2), number(r.PostgresCPU, 2), number(r.PeakMB, 0), number(100*r.Others, 0)})
	}
	g := newTable(w, table.Row{"target", "want", "found", "met"}, 3)
	for _, x := range rep.Targets {
		met := "no"
		if x.Met {
			met = "yes"
		}
		g.AppendRow(table.Row{x.Name, x.Want, number(x.Found, 2), met})
	}
	for _, each := range []table.Writer{t, l, g} {
		if each.Length() > 0 {
			each.Render()
		}
	}
	for _, note := range rep.Notes {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	return nil
}

// newTable makes a table whose columns from the given one on are numbers.
func newTable(w io.Writer, header table.Row, numbers int) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(header)
	var columns []table.ColumnConfig
	for i := numbers; i <= len(header); i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return t
}

// number is empty for what was not measured.
func number(v float64, digits int) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.*f", digits, v)
}
