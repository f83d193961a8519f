package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/top"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) topCommand() *cobra.Command {
	var once, asJSON bool
	var every time.Duration
	var addresses []string
	command := &cobra.Command{
		Use:   "top [--once] [--metrics ADDRESS]...",
		Short: "Watch everything at once, in a terminal",
		Long: `Show how everything stands, anew every few seconds: sources with their lag, rate and
retained WAL, consumer groups, dead letters, the last comparisons with the sources,
how fresh each data set is, what is paused and by whom, what a person should look at,
and the processes whose addresses are given; how far behind the matcher is, its own
address alone tells. It asks the databases, Kafka and ClickHouse
as the status commands do, and /metrics and /readyz of the processes. What cannot be
asked is shown as away, never as zero.

Keys: q quits, h helps, s sorts the sources, arrows scroll. --once prints one
picture and ends, in any terminal or none; so does --json, for scripts.`,
		Example: `  hopluu top --metrics 127.0.0.1:9464 --metrics 127.0.0.1:9466
  hopluu top --once | mail -s "this morning" operators@example.org
  hopluu top --json | jq '.alarms[]'
  hopluu top --json | jq '.groups[] | select(.behind > 100000)'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			if len(addresses) == 0 && c.HTTP.Listen != "" {
				addresses = []string{c.HTTP.Listen}
			}
			if _, err := reachable(c, nil); err != nil {
				return err
			}
			w := &watcher{app: a, c: c, addresses: addresses}
			switch {
			case asJSON || once:
				p := w.look(cmd.Context(), time.Second)
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), p)
				}
				return printPicture(cmd.OutOrStdout(), p)
			case !term.IsTerminal(int(os.Stdout.Fd())) || os.Getenv("TERM") == "dumb":
				return errors.New("this is no terminal that can be drawn on: use 'hopluu top --once' or --json")
			}
			return stopped(cmd.Context(), top.Run(cmd.Context(), every, func(ctx context.Context) top.Picture { return w.look(ctx, 500*time.Millisecond) }))
		},
	}
	flags := command.Flags()
	flags.BoolVar(&once, "once", false, "print one picture and end")
	flags.BoolVar(&asJSON, "json", false, "print one picture as JSON and end")
	flags.DurationVar(&every, "every", 2*time.Second, "how long to wait between two pictures")
	flags.StringArrayVar(&addresses, "metrics", nil, "address of a process's /metrics and /readyz, host:port (default http.listen)")
	return command
}

// printPicture prints a picture as wide as the terminal, without colours where
// there is none.
func printPicture(w io.Writer, p top.Picture) error {
	style := top.Style{Width: 160, Plain: true}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && width > 0 {
		style = top.Style{Width: width, Plain: os.Getenv("TERM") == "dumb" || os.Getenv("NO_COLOR") != ""}
	}
	_, err := fmt.Fprintln(w, strings.Join(top.Draw(p, style), "\n"))
	return err
}

// watcher takes pictures. From one to the next it keeps how far topics and
// groups were, which gives the rates.
type watcher struct {
	app       *app
	c         config.Config
	addresses []string
	last      *standing
}

// standing is how far topics and the sink's group were at a time.
type standing struct {
	at        time.Time
	ends      map[string]int64 // by topic
	committed int64
}

// lookBound is how long one picture may take: what does not answer by then is
// away.
const lookBound = 20 * time.Second

// look asks all parts at once. Its first picture takes interval longer, for the
// rates.
func (w *watcher) look(ctx context.Context, interval time.Duration) top.Picture {
	ctx, cancel := context.WithTimeout(ctx, lookBound)
	defer cancel()
	p := top.Picture{
		Sources: []top.Source{}, Groups: []top.Group{}, Letters: []top.Letters{}, Datasets: []top.Dataset{},
		Reconciled: []top.Checked{}, Pauses: []top.Pause{}, Processes: make([]top.Process, len(w.addresses)),
	}
	var parts sync.WaitGroup
	var rates map[string]*float64
	parts.Go(func() { p.Sources = w.sources(ctx, interval) })
	parts.Go(func() {
		var err error
		if p.Groups, p.Pauses, rates, err = w.kafka(ctx, interval); err != nil {
			p.Kafka = oneLine(err)
			p.Groups = []top.Group{{Name: w.c.Sink.Group, Away: p.Kafka}}
		}
	})
	parts.Go(func() {
		if err := w.clickHouse(ctx, &p); err != nil {
			p.ClickHouse = oneLine(err)
		}
	})
	for i, address := range w.addresses {
		parts.Go(func() { p.Processes[i] = askProcess(ctx, address) })
	}
	parts.Wait()
	matchers(p.Groups, p.Processes)
	for i := range p.Sources {
		p.Sources[i].PerSecond = rates[p.Sources[i].Name]
	}
	p.At = time.Now()
	return p
}

func (w *watcher) sources(ctx context.Context, interval time.Duration) []top.Source {
	all := []top.Source{}
	databases, files, err := w.app.status(ctx, nil, interval)
	if err != nil && len(databases)+len(files) == 0 {
		for _, s := range w.c.Sources {
			all = append(all, top.Source{Name: s.Name, State: "unknown", Away: oneLine(err)})
		}
		return all
	}
	for _, s := range databases {
		out := top.Source{Name: s.Source, State: s.State, Alarm: s.attention(), LagSeconds: s.LagSeconds, SecondsLeft: s.SecondsLeft, Aside: s.Quarantined, Away: s.Error}
		if s.Gap != "" && out.Away == "" {
			out.Away = s.Gap
		}
		if !s.NoDatabase {
			out.RetainedBytes = &s.RetainedBytes
		}
		if s.State != "unknown" {
			out.Tables, out.Complete = &s.Tables, &s.TablesComplete
		}
		all = append(all, out)
	}
	for _, s := range files {
		n := len(s.Tables)
		out := top.Source{Name: s.Source, State: s.State, Alarm: s.attention(), Aside: s.Quarantined, Away: s.Error}
		if s.Error == "" {
			out.Tables, out.Complete = &n, &n
		}
		all = append(all, out)
	}
	return all
}

// kafka gives the groups, the pauses, and the events a second by source.
func (w *watcher) kafka(ctx context.Context, interval time.Duration) (groups []top.Group, pauses []top.Pause, rates map[string]*float64, err error) {
	kafka, err := dialKafka(ctx, w.c)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	held, err := allHeld(ctx, kafka, w.c)
	if err != nil {
		return nil, nil, nil, err
	}
	pauses = []top.Pause{}
	for _, h := range held {
		pauses = append(pauses, top.Pause(h))
	}
	if w.last == nil {
		if _, w.last, err = w.standings(ctx, kafka); err != nil {
			return nil, nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, nil, ctx.Err()
		case <-time.After(interval):
		}
	}
	group, now, err := w.standings(ctx, kafka)
	if err != nil {
		return nil, nil, nil, err
	}
	passed := now.at.Sub(w.last.at).Seconds()
	rates = map[string]*float64{}
	if passed > 0 {
		rate := max(0, float64(now.committed-w.last.committed)) / passed
		group.PerSecond = &rate
		for _, s := range w.c.Sources {
			var events int64
			for name, end := range now.ends {
				if strings.HasPrefix(name, s.Name+".") {
					events += max(0, end-w.last.ends[name])
				}
			}
			perSecond := float64(events) / passed
			rates[s.Name] = &perSecond
		}
	}
	w.last = now
	groups, err = w.groups(ctx, kafka, group)
	return groups, pauses, rates, err
}

// groups are the sink's group and every other one that reads topics of ours, the
// matcher's among them.
func (w *watcher) groups(ctx context.Context, kafka *topic.Client, sink top.Group) ([]top.Group, error) {
	all, err := kafka.Groups(ctx)
	if err != nil {
		return nil, err
	}
	groups := []top.Group{sink}
	groups[0].Members = new(int) // one that Kafka does not know has none
	for _, g := range all {
		if g.ID == sink.Name {
			groups[0].Members = &g.Members
			continue
		}
		var ours []topic.Partition
		for _, p := range g.Assigned {
			if w.ours(p.Topic) {
				ours = append(ours, p)
			}
		}
		if len(ours) == 0 {
			continue
		}
		other := top.Group{Name: g.ID, Members: &g.Members, Partitions: len(ours)}
		if other.Behind, other.Worst, err = behind(ctx, kafka, g.ID, ours); err != nil {
			other.Away = oneLine(err)
		}
		groups = append(groups, other)
	}
	return groups, nil
}

// ours tells whether a topic is one of hopluu's.
func (w *watcher) ours(name string) bool {
	for _, prefix := range []string{"identity.", "vault.", "hopluu."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.ContainsFunc(w.c.Sources, func(s config.Source) bool { return strings.HasPrefix(name, s.Name+".") })
}

// behind is how many records a group has not read yet, and where most of them are;
// nil when it commits no place to Kafka, as the matcher (see matchers).
func behind(ctx context.Context, kafka *topic.Client, group string, parts []topic.Partition) (*int64, string, error) {
	committed, err := kafka.Committed(ctx, group, parts...)
	if err != nil {
		return nil, "", err
	}
	ends, err := kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return nil, "", err
	}
	var sum, most int64
	known, worst := false, ""
	for _, p := range parts {
		if committed[p] < 0 {
			continue
		}
		known = true
		lag := max(0, ends[p]-committed[p])
		sum += lag
		if lag > most {
			most, worst = lag, fmt.Sprintf("%s %d", p, lag)
		}
	}
	if !known {
		return nil, "", nil
	}
	return &sum, worst, nil
}

func (w *watcher) standings(ctx context.Context, kafka *topic.Client) (top.Group, *standing, error) {
	group := top.Group{Name: w.c.Sink.Group}
	now := &standing{at: time.Now(), ends: map[string]int64{}}
	names, err := sinkTopics(w.c)
	if err != nil {
		return group, nil, err
	}
	counts, err := kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return group, nil, err
	}
	var parts []topic.Partition
	for name, n := range counts {
		for id := range n {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	all, err := sinks.Standings(ctx, kafka, w.c.Sink.Group, parts)
	if err != nil {
		return group, nil, err
	}
	behind := map[string]int64{}
	var sum int64
	for _, s := range all {
		now.ends[s.Topic] += s.End
		now.committed += max(s.Committed, s.Start)
		lag := max(0, s.End-max(s.Committed, s.Start))
		behind[s.Topic] += lag
		sum += lag
	}
	group.Partitions, group.Behind = len(parts), &sum
	var most int64
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range behind {
			if !yield(name) {
				return
			}
		}
	}) {
		if behind[name] > most {
			most, group.Worst = behind[name], fmt.Sprintf("%s %d", name, behind[name])
		}
	}
	return group, now, nil
}

func (w *watcher) clickHouse(ctx context.Context, p *top.Picture) error {
	options, err := clickhouseOptions(w.c)
	if err != nil {
		return err
	}
	seen, err := clickhouse.Look(ctx, options)
	if err != nil {
		return err
	}
	for _, l := range seen.Letters {
		p.Letters = append(p.Letters, top.Letters(l))
	}
	for _, d := range seen.Fresh {
		p.Datasets = append(p.Datasets, top.Dataset{Name: d.Dataset, AsOf: d.AsOf})
	}
	for _, r := range seen.Reconciled {
		p.Reconciled = append(p.Reconciled, top.Checked(r))
	}
	return nil
}

// askProcess reads /readyz and the memory in /metrics of a process.
func askProcess(ctx context.Context, address string) top.Process {
	p := top.Process{Address: address}
	get := func(path string) (int, string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			return 0, "", fmt.Errorf("--metrics %s: write host:port", address)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, "", err
		}
		// Of what was read to its end nothing more can be said.
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
		return response.StatusCode, string(body), err
	}
	status, text, err := get("/readyz")
	if err != nil {
		p.Away = oneLine(err)
		return p
	}
	if status != http.StatusOK {
		p.Ready = strings.TrimSpace(text)
	}
	if _, text, err = get("/metrics"); err != nil {
		p.Away = oneLine(err)
		return p
	}
	p.MemoryBytes = metric(text, "process_resident_memory_bytes")
	// One that reads its topics from the beginning knows of no lag yet.
	if solves := metric(text, "hopluu_matcher_solves"); p.Ready == "" && solves != nil && *solves == 1 {
		p.MatcherBehind = metric(text, "hopluu_matcher_lag_messages")
	}
	return p
}

// metric gives a gauge without labels, nil when the text has none.
func metric(text, name string) *float64 {
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if value, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				return &n
			}
		}
	}
	return nil
}

// matchers tells how far behind the matcher's group is: it commits no place to
// Kafka, so the process that solves says it. Others stand by.
func matchers(groups []top.Group, processes []top.Process) {
	for i := range groups {
		g := &groups[i]
		if g.Name != matcherGroup || g.Behind != nil || g.Away != "" {
			continue
		}
		g.Worst = "hỏi tiến trình/ask its process: --metrics ADDRESS"
		for _, p := range processes {
			if p.MatcherBehind != nil {
				behind := int64(*p.MatcherBehind)
				g.Behind, g.Worst = &behind, "vault, "+p.Address
			}
		}
	}
}
