package lineage

import "time"

const (
	// Producer is who says it.
	Producer  = "https://github.com/hopluu/hopluu"
	schemaURL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	facets    = "https://openlineage.io/spec/facets/"
)

// The transitions of a run.
const (
	Start    = "START"
	Running  = "RUNNING"
	Complete = "COMPLETE"
	Fail     = "FAIL"
)

// The ways of working of a job.
const (
	Streaming = "STREAMING"
	Batch     = "BATCH"
)

// Job is what runs.
type Job struct {
	Namespace, Name string
	Processing      string // Streaming or Batch
	Kind            string // "CONNECTOR", "VIEW", …
	Description     string
	SQL             string // of a view; else empty
}

// Run is one run of a job. ID is a UUID.
type Run struct {
	ID  string
	Job Job
	// Parent is the run that it belongs to, nil for none.
	Parent *Run
}

// Column is a column of a data set.
type Column struct{ Name, Type, Description string }

// Field is a column that another one is made of.
type Field struct {
	Namespace, Name, Column string
	// Masked says that the value cannot be read from what is made of it.
	Masked bool
	// Indirect says that it decides which rows are counted, and is not in the value.
	Indirect bool
}

// Dataset is a table, a view or a topic.
type Dataset struct {
	Namespace, Name string
	Description     string
	Columns         []Column
	// From says of each column what it is made of.
	From map[string][]Field
}

// Event is a run event, as its JSON is.
type Event struct {
	EventType string    `json:"eventType"`
	EventTime string    `json:"eventTime"`
	Run       runPart   `json:"run"`
	Job       jobPart   `json:"job"`
	Inputs    []setPart `json:"inputs"`
	Outputs   []setPart `json:"outputs"`
	Producer  string    `json:"producer"`
	SchemaURL string    `json:"schemaURL"`
}

type runPart struct {
	RunID  string         `json:"runId"`
	Facets map[string]any `json:"facets"`
}

type jobPart struct {
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Facets    map[string]any `json:"facets"`
}

type setPart struct {
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Facets    map[string]any `json:"facets"`
}

// facet begins a facet of a version of the specification.
func facet(version, name string) map[string]any {
	return map[string]any{"_producer": Producer, "_schemaURL": facets + version + "/" + name + ".json#/$defs/" + name}
}

// Event gives the event of a transition; failure says why a run failed, else it
// is empty.
func (r *Run) Event(transition string, at time.Time, inputs, outputs []Dataset, failure string) Event {
	e := Event{
		EventType: transition, EventTime: at.UTC().Format("2006-01-02T15:04:05.000Z07:00"), Producer: Producer, SchemaURL: schemaURL,
		Run: runPart{r.ID, map[string]any{}}, Job: jobPart{r.Job.Namespace, r.Job.Name, map[string]any{}},
		Inputs: parts(inputs), Outputs: parts(outputs),
	}
	if p := r.Parent; p != nil {
		f := facet("1-2-0", "ParentRunFacet")
		f["run"] = map[string]any{"runId": p.ID}
		f["job"] = map[string]any{"namespace": p.Job.Namespace, "name": p.Job.Name}
		e.Run.Facets["parent"] = f
	}
	if failure != "" {
		f := facet("1-0-1", "ErrorMessageRunFacet")
		f["message"], f["programmingLanguage"] = failure, "Go"
		e.Run.Facets["errorMessage"] = f
	}
	f := facet("2-0-4", "JobTypeJobFacet")
	f["processingType"], f["integration"], f["jobType"] = r.Job.Processing, "HOPLUU", r.Job.Kind
	e.Job.Facets["jobType"] = f
	if r.Job.Description != "" {
		f := facet("1-1-0", "DocumentationJobFacet")
		f["description"] = r.Job.Description
		e.Job.Facets["documentation"] = f
	}
	if r.Job.SQL != "" {
		f := facet("1-1-0", "SQLJobFacet")
		f["query"], f["dialect"] = r.Job.SQL, "clickhouse"
		e.Job.Facets["sql"] = f
	}
	return e
}

func parts(all []Dataset) []setPart {
	out := []setPart{}
	for _, d := range all {
		p := setPart{d.Namespace, d.Name, map[string]any{}}
		if d.Description != "" {
			f := facet("1-1-0", "DocumentationDatasetFacet")
			f["description"] = d.Description
			p.Facets["documentation"] = f
		}
		if len(d.Columns) > 0 {
			fields := []map[string]any{}
			for _, c := range d.Columns {
				field := map[string]any{"name": c.Name, "type": c.Type}
				if c.Description != "" {
					field["description"] = c.Description
				}
				fields = append(fields, field)
			}
			f := facet("1-2-0", "SchemaDatasetFacet")
			f["fields"] = fields
			p.Facets["schema"] = f
		}
		if len(d.From) > 0 {
			p.Facets["columnLineage"] = columnLineage(d.From)
		}
		out = append(out, p)
	}
	return out
}

func columnLineage(from map[string][]Field) map[string]any {
	of := map[string]any{}
	for name, sources := range from {
		inputs := []map[string]any{}
		for _, s := range sources {
			how := map[string]any{"type": "DIRECT", "subtype": "IDENTITY", "masking": s.Masked}
			switch {
			case s.Indirect:
				how["type"], how["subtype"] = "INDIRECT", "FILTER"
			case s.Masked:
				how["subtype"] = "TRANSFORMATION"
			}
			inputs = append(inputs, map[string]any{"namespace": s.Namespace, "name": s.Name, "field": s.Column, "transformations": []any{how}})
		}
		of[name] = map[string]any{"inputFields": inputs}
	}
	f := facet("1-2-0", "ColumnLineageDatasetFacet")
	f["fields"] = of
	return f
}
