package top

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/connectors"
)

// The kinds of alarms, in the order in which they are listed.
const (
	Unreachable = "unreachable"  // what cannot be asked may be worse than all that is known
	Attention   = "source"       // a source needs a person: its slot, its log, its state
	Quarantined = "quarantined"  // tables that are set aside
	DeadLetters = "dead letters" // records that wait for a person
	Differs     = "differs"      // what a reconciliation found
	Paused      = "paused"       // held by an operator; it waits
)

// Alarm is one thing that a person should look at.
type Alarm struct {
	Kind string `json:"kind"`
	What string `json:"what"`
	Why  string `json:"why"`
}

// Alarms are what of a picture a person should look at: whether the figures can be
// trusted, and whether what waits is lost when nobody looks.
func (p Picture) Alarms() []Alarm {
	all := []Alarm{}
	add := func(kind, what, format string, args ...any) {
		all = append(all, Alarm{kind, what, fmt.Sprintf(format, args...)})
	}
	for what, why := range map[string]string{"Kafka": p.Kafka, "ClickHouse": p.ClickHouse} {
		if why != "" {
			add(Unreachable, what, "%s", why)
		}
	}
	if len(all) == 2 && all[0].What > all[1].What {
		all[0], all[1] = all[1], all[0]
	}
	for _, s := range p.Sources {
		if s.Away != "" {
			add(Unreachable, s.Name, "%s", s.Away)
		}
	}
	for _, s := range p.Sources {
		if !s.Alarm || s.Away != "" {
			continue
		}
		why := s.State
		if s.RetainedBytes != nil {
			why += ", " + connectors.Bytes(*s.RetainedBytes) + " of log kept"
		}
		if s.SecondsLeft != nil {
			why += ", " + connectors.Seconds(*s.SecondsLeft) + " until the server gives it up"
		}
		add(Attention, s.Name, "%s", why)
	}
	for _, s := range p.Sources {
		if len(s.Aside) > 0 {
			add(Quarantined, s.Name, "%s", strings.Join(s.Aside, ", "))
		}
	}
	for _, l := range p.Letters {
		add(DeadLetters, l.Topic, "%d open for %s: %s", l.Open, ago(p.At, l.Since), l.Reason)
	}
	for _, c := range p.Reconciled {
		switch {
		case c.Error != "":
			add(Differs, c.name(), "not compared: %s", c.Error)
		case !c.OK:
			add(Differs, c.name(), "%d keys, %s ago", c.Differ, ago(p.At, c.At))
		}
	}
	for _, x := range p.Pauses {
		add(Paused, x.Target, "by %s for %s: %s", x.By, ago(p.At, x.Since), x.Why)
	}
	return all
}

// MarshalJSON writes the alarms beside what they are taken from.
func (p Picture) MarshalJSON() ([]byte, error) {
	type fields Picture // without this method
	return json.Marshal(struct {
		fields
		Alarms []Alarm `json:"alarms"`
	}{fields(p), p.Alarms()})
}
