package main

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/schemas/lineage"
	"github.com/hopluu/hopluu/schemas/lineage/outbox"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
	"github.com/prometheus/client_golang/prometheus"
)

// lineages tells an OpenLineage server what the stages of this process do; nil
// tells nobody. Whatever it meets, the work that it tells of goes on.
type lineages struct {
	*outbox.Outbox
	log       *slog.Logger
	namespace string
	every     time.Duration
	look      time.Duration // how often shapes are looked at
}

// flow is what a job reads and writes.
type flow struct {
	job             lineage.Job
	inputs, outputs []lineage.Dataset
	// within is the index of the flow whose run it belongs to, -1 for that of the
	// whole installation.
	within int
}

// shapeInterval is how often the shapes of data sets are looked at.
const shapeInterval = time.Minute

// lineagesOf gives nil when the configuration names no server.
func lineagesOf(c config.Config, log *slog.Logger, metrics prometheus.Registerer) (*lineages, error) {
	o := c.OpenLineage
	if o.URL == "" {
		return nil, nil
	}
	key := ""
	if o.APIKeyFile != "" {
		text, err := os.ReadFile(o.APIKeyFile)
		if err != nil {
			return nil, fmt.Errorf("openlineage.api_key_file: %w", err)
		}
		key = strings.TrimSpace(string(text))
	}
	box, err := outbox.New(outbox.Config{URL: o.URL, Key: key, Log: log, Metrics: metrics})
	if err != nil {
		return nil, err
	}
	return &lineages{Outbox: box, log: log, namespace: o.Namespace, every: o.Every, look: shapeInterval}, nil
}

// close sends what waits, for a few seconds at most.
func (l *lineages) close() {
	if l != nil {
		l.Close()
	}
}

// root is the run that all others belong to: the installation itself.
func (l *lineages) root() *lineage.Run {
	// RFC 9562, version 5: the same name has the same UUID in every process.
	id := uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(lineage.Producer+"/"+l.namespace), 5)
	return &lineage.Run{ID: id.String(), Job: lineage.Job{Namespace: l.namespace, Name: "hopluu"}}
}

// during gives run, of which START is told when it begins, RUNNING when a shape
// changes and now and then, and COMPLETE or FAIL when it ends. describe may take
// its time or fail: it is asked beside the work.
func (l *lineages) during(run func(context.Context) error, describe func(context.Context) ([]flow, error)) func(context.Context) error {
	if l == nil {
		return run
	}
	return func(ctx context.Context) error {
		t := &telling{lineages: l, describe: describe, ids: map[string]string{}}
		beside, end := context.WithCancel(ctx)
		told := make(chan struct{})
		go func() {
			defer close(told)
			t.run(beside)
		}()
		err := run(ctx)
		end()
		<-told
		t.end(stopped(ctx, err))
		return err
	}
}

// telling tells of one work.
type telling struct {
	*lineages
	describe func(context.Context) ([]flow, error)
	ids      map[string]string // of the runs, by the names of their jobs
	flows    []flow            // as they were told last
	shape    string
}

// described bounds the asking for the shapes.
const described = 30 * time.Second

func (t *telling) run(ctx context.Context) {
	t.tell(ctx, false)
	look, every := time.NewTicker(t.look), time.NewTicker(t.every)
	defer look.Stop()
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			t.tell(ctx, false)
		case <-every.C:
			t.tell(ctx, true)
		}
	}
}

// tell looks at the flows. Those of which nothing was told yet begin; when a
// shape changed, or when it is time, they all run.
func (t *telling) tell(ctx context.Context, due bool) {
	asking, cancel := context.WithTimeout(ctx, described)
	flows, err := t.describe(asking)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		t.log.Debug("what flows cannot be told of now", "error", err)
		return
	}
	text, err := json.Marshal(events(t.lineages, flows, t.ids, "", time.Time{}, ""))
	if err != nil {
		t.log.Debug("what flows cannot be told of now", "error", err)
		return
	}
	changed := t.shape != "" && t.shape != string(text)
	for _, f := range flows {
		if t.ids[f.job.Name] == "" {
			id, err := uuid.NewV7()
			if err != nil { // the system has no randomness: nothing is told
				return
			}
			t.ids[f.job.Name] = id.String()
		}
	}
	now := time.Now()
	old := map[string]bool{}
	for _, f := range t.flows {
		old[f.job.Name] = true
	}
	for i, e := range events(t.lineages, flows, t.ids, lineage.Running, now, "") {
		if !old[flows[i].job.Name] {
			e.EventType = lineage.Start
			t.Put(e)
		} else if changed || due {
			t.Put(e)
		}
	}
	t.flows = flows
	if text, err = json.Marshal(events(t.lineages, flows, t.ids, "", time.Time{}, "")); err == nil {
		t.shape = string(text)
	}
}

// end tells how all ended that was told to have begun.
func (t *telling) end(err error) {
	transition, why := lineage.Complete, ""
	if err != nil {
		transition, why = lineage.Fail, audit.Text(oneLine(err))
	}
	for _, e := range events(t.lineages, t.flows, t.ids, transition, time.Now(), why) {
		t.Put(e)
	}
}

// events gives the event of each flow.
func events(l *lineages, flows []flow, ids map[string]string, transition string, at time.Time, why string) []lineage.Event {
	runs := make([]*lineage.Run, len(flows))
	var all []lineage.Event
	for i, f := range flows {
		runs[i] = &lineage.Run{ID: ids[f.job.Name], Job: f.job, Parent: l.root()}
		if f.within >= 0 && f.within < i {
			runs[i].Parent = runs[f.within]
		}
		all = append(all, runs[i].Event(transition, at, f.inputs, f.outputs, why))
	}
	return all
}

// lineageOfAction tells of an operator's action that moves data: a replay, a
// backup or a restore is a run of its own.
func lineageOfAction(c config.Config, log *slog.Logger, command string, touched func() []string, do func() error) error {
	job := map[string]string{
		"replay run": "rows of silver written again from their events, beside silver", "replay swap": "silver and the replayed rows exchanged",
		"backup": "ClickHouse, schemas and topics saved", "restore": "ClickHouse, schemas and topics restored", "recover": "topics written again from bronze",
	}[command]
	if job == "" || c.OpenLineage.URL == "" {
		return do()
	}
	l, err := lineagesOf(c, log, nil)
	if err != nil {
		// The action matters, and not what is told of it.
		log.Warn("no lineage is told of this", "error", err)
		return do()
	}
	defer l.close()
	id, err := uuid.NewV7()
	if err != nil { // the system has no randomness: nothing is told
		return do()
	}
	ids := map[string]string{}
	flows := []flow{{job: l.job(strings.ReplaceAll(command, " ", "."), lineage.Batch, "COMMAND", job), within: -1}}
	ids[flows[0].job.Name] = id.String()
	say := func(transition, why string) {
		flows[0].outputs = nil
		for _, name := range touched() {
			if database, _, is := strings.Cut(name, "."); is && (database == tables.Silver || database == tables.Bronze) {
				flows[0].outputs = append(flows[0].outputs, lineage.Dataset{Namespace: houseNamespace(c), Name: name})
			}
		}
		for _, e := range events(l, flows, ids, transition, time.Now(), why) {
			l.Put(e)
		}
	}
	say(lineage.Start, "")
	err = do()
	if err != nil && !errors.Is(err, errFound) {
		say(lineage.Fail, audit.Text(oneLine(err)))
		return err
	}
	say(lineage.Complete, "")
	return err
}

// job is a job of the installation.
func (l *lineages) job(name, processing, kind, description string) lineage.Job {
	return lineage.Job{Namespace: l.namespace, Name: name, Processing: processing, Kind: kind, Description: description}
}
