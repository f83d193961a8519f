package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jedib0t/go-pretty/v6/table"
)

// fileConfig is what a source of files needs of the configuration; the
// connections are added by whoever runs it.
func fileConfig(c config.Config, s source) file.Config {
	settings := file.Config{
		Source: s.Name, Location: s.Location, Credentials: drop.Credentials(s.Credentials), Reports: s.Reports,
		Sector: s.Described, Interval: s.Interval, Scratch: c.SpoolDir, Topics: topicSettings(c), MaxRowBytes: c.MaxRowBytes,
	}
	for _, t := range s.Tables {
		settings.Tables = append(settings.Tables, file.Table(t))
	}
	return settings
}

// notOfFiles says of a command for databases what applies instead.
func notOfFiles(s source, command string) error {
	switch command {
	case "enable":
		return fmt.Errorf("source %s is of files, and no database needs anything for it: let the user that runs hopluu read %s and write the reports of refused rows, then look with 'hopluu connector check %s'", s.Name, s.Location, s.Name)
	case "disable":
		return fmt.Errorf("source %s is of files, and nothing was made in a database for it: stop its connector and take the source out of the configuration; what was taken in is known in topic %s", s.Name, file.StateTopic(s.Name))
	case "resnapshot":
		return fmt.Errorf("source %s is of files, which are not read anew while they are the same: drop a corrected file, or the full list with `full: true`, under any name that the table's pattern matches", s.Name)
	}
	return fmt.Errorf("source %s is of files: %s is for databases", s.Name, command)
}

// preflightFiles looks at a drop as preflight looks at a database; contents tells
// to read the newest files for their headings.
func preflightFiles(ctx context.Context, c config.Config, s source, contents bool) []postgres.Finding {
	ctx, cancel := context.WithTimeout(ctx, filesBound)
	defer cancel()
	return file.Check(ctx, fileConfig(c, s), contents)
}

// filesBound is how long looking at a drop may take: its newest files are read.
const filesBound = 6 * startBound

// fileStatus is what `hopluu connector status` says of a source of files.
type fileStatus struct {
	Kind string `json:"kind"`
	file.Status
	// Error says why Kafka could not be asked; empty when it could.
	Error string `json:"error,omitempty"`
}

// attention tells whether a person has something to do.
func (s fileStatus) attention() bool { return s.Error != "" || s.Attention() }

// statusOfFiles reads the status of a source of files; away is why Kafka cannot
// be asked, nil when it can.
func statusOfFiles(ctx context.Context, kafka *topic.Client, away error, s source) fileStatus {
	var tables []string
	for _, t := range s.Described.Tables {
		tables = append(tables, t.Schema+"."+t.Name)
	}
	status := fileStatus{Kind: s.Kind}
	if away == nil {
		status.Status, away = file.ReadStatus(ctx, kafka, s.Name, tables, time.Now())
	}
	if away != nil {
		status.Status = file.Status{Source: s.Name, State: "unknown", Tables: []file.TableStatus{}, Quarantined: []string{}, Reasons: map[string]string{}}
		status.Error = oneLine(away)
	}
	return status
}

func printFileStatus(w io.Writer, all []fileStatus) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "state", "table", "files", "refused", "last file", "of", "taken in", "new", "changed", "removed", "same", "refused rows"})
	const day = "2006-01-02 15:04:05"
	for _, s := range all {
		if len(s.Tables) == 0 {
			t.AppendRow(table.Row{s.Source, s.State})
		}
		for i, of := range s.Tables {
			row := table.Row{"", "", of.Table, of.Files, of.Refused}
			if i == 0 {
				row[0], row[1] = s.Source, s.State
			}
			if f := of.Last; f != nil {
				row = append(row, f.Name, f.Modified.Local().Format(day), f.Taken.Local().Format(day), f.Rows.Created, f.Rows.Updated, f.Rows.Removed, f.Rows.Same, f.Rows.Refused)
			}
			t.AppendRow(row)
		}
	}
	t.Render()
	for _, s := range all {
		if s.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", s.Source, s.Error)
		}
		if s.Current != nil {
			fmt.Fprintf(w, "%s: %s is being taken in, up to line %d\n", s.Source, s.Current.File, s.Current.Line)
		}
		for _, of := range s.Tables {
			switch f := of.Last; {
			case f == nil:
			case f.Reason != "":
				fmt.Fprintf(w, "%s: %s was refused: %s; correct it and drop it again\n", s.Source, f.Name, f.Reason)
			case f.Rows.Refused > 0:
				fmt.Fprintf(w, "%s: %d rows of %s were refused: correct the lines that %s names, and drop it again\n", s.Source, f.Rows.Refused, f.Name, f.Name+file.ReportSuffix)
			}
		}
		for _, name := range s.Quarantined {
			fmt.Fprintf(w, "%s: the files of %s wait: %s; remove the cause, then start its connector again\n", s.Source, name, s.Reasons[name])
		}
	}
}
