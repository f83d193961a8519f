package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// sourceStatus is what `hopluu connector status` says of a source.
type sourceStatus struct {
	Kind string `json:"kind"`
	connectors.Status
	// Reasons of the quarantines, by table.
	Reasons map[string]string `json:"reasons"`
	// Paused says who holds the source still, nil when nobody does.
	Paused *pause.Pause `json:"paused"`
	// Error says why the database or Kafka could not be asked; empty when both
	// could.
	Error string `json:"error,omitempty"`
	// NoDatabase is true when what the database says is not known.
	NoDatabase bool `json:"database_unreachable"`
}

// attention tells whether a person has something to do.
func (s sourceStatus) attention() bool {
	return s.Error != "" || slices.ContainsFunc(s.Quarantined, s.unwell) || s.Gap != "" || s.Budget.Level != walbudget.Within.String()
}

// unwell tells of a table that is set aside whether that is for a fault, and not
// a pause that somebody wants.
func (s sourceStatus) unwell(name string) bool {
	_, paused := connectors.PausedTable(s.Reasons[name])
	return !paused
}

// afterAGap says what follows when changes are lost.
func (s sourceStatus) afterAGap() string {
	if s.State != "gap" && s.Budget.Policy == string(walbudget.Release) {
		return "as wal.policy is release, a connector that runs reads all tables anew"
	}
	return "read all tables anew: hopluu connector resnapshot " + s.Source + ", and start the connector if it stands"
}

func (a *app) connectorStatus() *cobra.Command {
	var asJSON bool
	var interval time.Duration
	command := &cobra.Command{
		Use:   "status [SOURCE...]",
		Short: "Show how far each source is, what its slot holds back, which files were refused",
		Long: `Show the state of each source: never captured, snapshot, streaming, stopped, slot
lost, slot missing, gap (it is another server's, or was made anew or moved by
someone), unreachable (its database), or unknown (Kafka is away); how much
WAL was written since what is confirmed, and how old what is not in Kafka may be; how
much WAL the slot keeps on the server's disk, how much more it may before the server
gives it up, and how long that takes at the rate of this moment, which is measured
over --interval; how it stands in its WAL budget (wal in the configuration); the
snapshots that are taken, with the time left; and the tables that are quarantined,
with the reason. What does not depend on a part that is away is told all the same.

Of a source of files: never captured, waiting for files, taking in, or stopped
(its connector has not written for three minutes); how many files of each table
were taken in and refused; the last one, its time, and what became of its rows.

Exits with 1 when a source needs a person: changes are lost, a slot is beyond its
WAL budget, a table is quarantined, a database or Kafka does not answer, or the
last file of a table, or rows of it, were refused.`,
		Example: `  hopluu connector status
  hopluu connector status --json | jq '.[] | select(.quarantined != [])'`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			databases, files, err := a.status(cmd.Context(), args, max(interval, 0))
			if err != nil {
				return err
			}
			if asJSON {
				all := []any{}
				for _, s := range databases {
					all = append(all, s)
				}
				for _, s := range files {
					all = append(all, s)
				}
				err = printJSON(cmd.OutOrStdout(), all)
			} else {
				if len(databases) > 0 {
					printStatus(cmd.OutOrStdout(), databases)
				}
				if len(files) > 0 {
					printFileStatus(cmd.OutOrStdout(), files)
				}
			}
			if err == nil && (slices.ContainsFunc(databases, sourceStatus.attention) || slices.ContainsFunc(files, fileStatus.attention)) {
				err = errFound
			}
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	command.Flags().DurationVar(&interval, "interval", time.Second, "measure the rate of WAL over this time")
	return command
}

func (a *app) status(ctx context.Context, names []string, interval time.Duration) (databases []sourceStatus, files []fileStatus, err error) {
	c, _, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	sources, err := reachable(c, names)
	if err != nil {
		return nil, nil, err
	}
	looks := lookAll(ctx, sources, c.Budget(), interval)
	kafka, away := dialKafka(ctx, c)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if away == nil {
		defer func() { err = errors.Join(err, kafka.Close()) }()
	}
	var pauses map[string]pause.Pause
	if away == nil {
		pauses, away = pause.Read(ctx, kafka)
	}
	for i, s := range sources {
		if s.files() {
			files = append(files, statusOfFiles(ctx, kafka, away, s))
			continue
		}
		status := sourceStatus{Kind: s.Kind, Reasons: map[string]string{}}
		var known checkpoint.Checkpoint
		unread := away
		if away == nil {
			known, unread = connectors.Checkpoint(ctx, kafka, s.Name)
		}
		if p, ok := pauses[pause.Connector(s.Name)]; ok {
			status.Paused = &p
		}
		status.Status = connectors.StatusOf(s.Name, known, looks[i].Look)
		for _, name := range status.Quarantined {
			status.Reasons[name] = known.Tables[name].Quarantined
		}
		// What can be told without the one that is away is told, also of the
		// other sources.
		if unread != nil {
			status.State, status.Error = "unknown", oneLine(unread)
		}
		if status.Paused != nil && status.State == "stopped" {
			status.State = "paused"
		}
		if looks[i].err != nil {
			status.State, status.NoDatabase, status.Gap = "unreachable", true, ""
			status.Error = strings.TrimPrefix(status.Error+"; "+oneLine(looks[i].err), "; ")
		}
		databases = append(databases, status)
	}
	return databases, files, ctx.Err()
}

// snapshotText says how far a table's snapshot is, and how long it may take.
func snapshotText(p connectors.TableProgress, now time.Time) string {
	if len(p.Ranges) > 0 || p.Keys > 0 {
		return p.Table + ": " + p.String()
	}
	if p.Blocks == 0 && p.Part == 0 {
		return p.Table + ": waits for its turn"
	}
	text := fmt.Sprintf("%s: %s, %.0f rows/s", p.Table, p, p.Rate(now))
	if left, ok := p.Left(now); ok {
		text += ", about " + left.String() + " left"
	}
	return text
}

// looked is what was seen of one source's database, or why not.
type looked struct {
	connectors.Look
	err error
}

// lookAll looks at all databases at once, so that one that does not answer
// holds up no other.
func lookAll(ctx context.Context, sources []source, budget walbudget.Budget, interval time.Duration) []looked {
	looks := make([]looked, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		if !s.files() {
			all.Go(func() { looks[i] = look(ctx, s, budget, interval) })
		}
	}
	all.Wait()
	return looks
}

// look asks for the slot twice, an interval apart: that gives the rate at which
// the server writes its log.
func look(ctx context.Context, s source, budget walbudget.Budget, interval time.Duration) (seen looked) {
	seen.Budget, seen.At = budget, time.Now()
	bound, cancel := context.WithTimeout(ctx, startBound+interval)
	defer cancel()
	conn, err := connectSource(bound, s)
	if err != nil {
		seen.err = err
		return seen
	}
	defer func() { seen.err = errors.Join(seen.err, conn.Close(ctx)) }()
	if seen.SystemID, seen.err = postgres.SystemID(bound, conn); seen.err != nil {
		return seen
	}
	for wait := time.Duration(0); ; wait = interval {
		select {
		case <-bound.Done():
			seen.err = bound.Err()
			return seen
		case <-time.After(wait):
		}
		if seen.Slot, seen.err = postgres.ReadSlotStatus(bound, conn, s.Slot); seen.err != nil {
			return seen
		}
		seen.At = time.Now()
		seen.Rate.Add(uint64(seen.Slot.WrittenTo), seen.At)
		if !seen.Slot.Exists || wait == interval {
			return seen
		}
	}
}

func printStatus(w io.Writer, all []sourceStatus) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "state", "epoch", "confirmed", "behind", "lag", "retained WAL", "WAL/s", "left until lost", "tables", "quarantined"})
	for _, s := range all {
		behind, retained, left, lag, rate := connectors.Bytes(s.BehindBytes), connectors.Bytes(s.RetainedBytes), s.LeftText(), "?", "?"
		if s.LagSeconds != nil {
			lag = connectors.Seconds(*s.LagSeconds)
		}
		if s.WALPerSecond != nil {
			rate = connectors.Bytes(int64(*s.WALPerSecond))
		}
		if s.NoDatabase {
			behind, retained, left = "?", "?", "?"
		}
		t.AppendRow(table.Row{s.Source, s.State, s.Epoch, s.Confirmed, behind, lag, retained, rate, left, fmt.Sprintf("%d/%d", s.TablesComplete, s.Tables), strings.Join(s.Quarantined, ", ")})
	}
	t.Render()
	for _, s := range all {
		for _, p := range s.Snapshots {
			fmt.Fprintf(w, "%s: snapshot of %s\n", s.Source, snapshotText(p, time.Now()))
		}
		if s.Erased > 0 {
			fmt.Fprintf(w, "%s: %d changes of erased people were kept out so far; see 'hopluu identity erasures'\n", s.Source, s.Erased)
		}
		if s.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", s.Source, s.Error)
		}
		if s.Gap != "" {
			fmt.Fprintf(w, "%s: changes are lost: %s; %s\n", s.Source, s.Gap, s.afterAGap())
		}
		if b := s.Budget; b.Level != walbudget.Within.String() {
			limit := "no limit"
			if b.LimitBytes > 0 {
				limit = "the limit is " + connectors.Bytes(b.LimitBytes)
			}
			fmt.Fprintf(w, "%s: the slot keeps %s of WAL, beyond its budget (%s): it warns at %s, %s, the policy is %s; see why capture does not keep up\n",
				s.Source, connectors.Bytes(s.RetainedBytes), b.Level, connectors.Bytes(b.WarnBytes), limit, b.Policy)
		}
		if s.Paused != nil {
			fmt.Fprintf(w, "%s: %s; what is written meanwhile stays in its log: hopluu resume connector %s\n", s.Source, *s.Paused, s.Source)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Reasons)) {
			if !s.unwell(name) {
				fmt.Fprintf(w, "%s: %s is %s; then: hopluu resume connector %s %s\n", s.Source, name, s.Reasons[name], s.Source, name)
				continue
			}
			fmt.Fprintf(w, "%s: quarantined: %s; remove the cause, then: hopluu connector resnapshot %s %s\n", s.Source, s.Reasons[name], s.Source, name)
		}
	}
}
