package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

// checkReport is what `hopluu connector check` found.
type checkReport struct {
	OK bool `json:"ok"`
	// Common is what all sources need: the keys of tokens, Kafka, the registry.
	Common  []postgres.Finding `json:"common"`
	Sources []sourceReport     `json:"sources"`
}

// sourceReport is what was found of one source.
type sourceReport struct {
	Kind string `json:"kind"`
	// Location of a drop of files.
	Location string `json:"location,omitempty"`
	postgres.Report
}

func (a *app) connectorCheck() *cobra.Command {
	var asJSON bool
	var admin string
	command := &cobra.Command{
		Use:   "check [SOURCE...]",
		Short: "Look at the sources and at Kafka, and say what stands in the way",
		Long: `Look at the named sources, or at all, and at what their connectors need beside:
Kafka, the registry, the keys of tokens. Nothing is changed anywhere.

Of a drop of files: whether the folder or bucket can be listed and read, and the
reports' place written to (an empty file is put there and removed again), which
files match which table, and whether the headings of each table's newest file are
columns of the sector file.

Every finding is a fault (capture would not start, lose events, or harm the
database), a warning (it may later), or a note, with the statement that mends it.
What SQL or the rights of the source's role do not show is said too, with how to
see it. With --admin one database is looked at through an administrator's
connection, which sees more, and needs no role of ours: to see what there is to do
before 'hopluu connector enable'. Exits with 1 when there is a fault.`,
		Example: `  hopluu connector check
  hopluu connector check health --admin postgres://postgres@db1/health
  hopluu connector check health --json | jq '.sources[].findings'`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			sources, err := reachable(c, args)
			if err != nil {
				return err
			}
			if admin != "" && (len(args) != 1 || sources[0].files()) {
				return errors.New("--admin looks at one database: name its source")
			}
			report := checkReport{OK: true, Common: []postgres.Finding{}, Sources: []sourceReport{}}
			common, err := commonFindings(cmd.Context(), c, sources)
			if err != nil {
				return err
			}
			report.Common = append(report.Common, common...)
			report.OK = len(faults(common)) == 0
			for _, s := range sources {
				found := sourceReport{}
				if admin == "" {
					found = lookAt(cmd.Context(), c, s, true)
				} else if found, err = lookAsAdmin(cmd.Context(), c, s, admin); err != nil {
					return err
				}
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				report.OK = report.OK && found.OK()
				report.Sources = append(report.Sources, found)
			}
			return printCheck(cmd.OutOrStdout(), report, asJSON)
		},
	}
	command.Flags().StringVar(&admin, "admin", "", "look through an administrator's connection string; its password may come from PGPASSWORD or ~/.pgpass")
	command.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON: ok, common and sources with their findings")
	return command
}

// lookAt looks at one source. What keeps it from being looked at is a fault of
// its: the others are looked at all the same. contents tells to read files.
func lookAt(ctx context.Context, c config.Config, s source, contents bool) sourceReport {
	if s.files() {
		report := sourceReport{Kind: s.Kind, Location: s.Location, Report: postgres.Report{Source: s.Name, Tables: len(s.Tables), Findings: []postgres.Finding{}}}
		settings := fileConfig(c, s)
		naming, err := settings.Naming()
		if err == nil { // told by preflightFiles
			report.Findings = append(report.Findings, noRecordKey(c, naming)...)
		}
		report.Findings = append(report.Findings, preflightFiles(ctx, c, s, contents)...)
		return report
	}
	found, err := preflight(ctx, c, s)
	if err != nil {
		found.Source = s.Name
		fault := postgres.Finding{Level: postgres.Fault, What: oneLine(err)}
		if postgres.Away(err) {
			fault.Check = postgres.Unreachable
		}
		var unmended *postgres.ConfigError
		if errors.As(err, &unmended) && unmended.Refused != "" {
			fault.Advice = fmt.Sprintf("if there is no such role yet: 'hopluu connector enable %s' makes it, and 'hopluu connector check %s --admin postgres://…' looks before that", s.Name, s.Name)
		}
		found.Findings = append(found.Findings, fault)
	}
	return sourceReport{Kind: config.KindPostgres, Report: found}
}

// lookAsAdmin looks at one database through an administrator's connection, and
// tries whether the source's own is let in.
func lookAsAdmin(ctx context.Context, c config.Config, s source, admin string) (sourceReport, error) {
	report := sourceReport{Kind: config.KindPostgres}
	setup, err := setupOf(s)
	if err != nil {
		return report, err
	}
	err = asAdmin(ctx, admin, setup, func(conn *pgx.Conn) (err error) {
		bound, cancel := context.WithTimeout(ctx, startBound)
		defer cancel()
		report.Report, err = preflightWith(bound, conn, c, s, setup.Role)
		return err
	})
	if err != nil || slices.ContainsFunc(report.Findings, func(f postgres.Finding) bool { return f.Check == postgres.RoleAbsent }) {
		return report, err
	}
	bound, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	conn, err := connectSource(bound, s)
	if err != nil {
		report.Findings = append(report.Findings, postgres.Finding{Level: postgres.Fault, What: oneLine(err)})
		return report, nil
	}
	return report, conn.Close(ctx)
}

// commonFindings looks at what all sources need.
func commonFindings(ctx context.Context, c config.Config, sources []source) (findings []postgres.Finding, err error) {
	fault := func(err error) {
		findings = append(findings, postgres.Finding{Level: postgres.Fault, What: oneLine(err)})
	}
	_, keys := newTokenizer(c)
	if _, err := oldTokenizers(c); keys == nil {
		keys = err
	}
	if _, err := recordTokenizer(c); keys == nil {
		keys = err
	}
	if keys != nil {
		fault(keys)
	}
	if _, err := dialRegistry(ctx, c); err != nil {
		fault(err)
	}
	kafka, err := dialKafka(ctx, c)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		fault(err)
		return findings, nil
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	cluster, topics, err := checkCluster(ctx, kafka, c.Topics, sourceTopics(c, sources))
	if err == nil && keys == nil {
		var others []postgres.Finding
		others, err = keyFaults(ctx, c, kafka, sources)
		findings = append(findings, others...)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		fault(fmt.Errorf("kafka.brokers: %w", err))
	}
	return append(append(findings, cluster...), summary(topics)...), nil
}

func preflight(ctx context.Context, c config.Config, s source) (report postgres.Report, err error) {
	bound, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	conn, err := connectSource(bound, s)
	if err != nil {
		return postgres.Report{}, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return preflightWith(ctx, conn, c, s, "")
}

// preflightWith looks at a database, and at whether its tables need a record key;
// role is the connector's when conn is an administrator's.
func preflightWith(ctx context.Context, conn *pgx.Conn, c config.Config, s source, role string) (postgres.Report, error) {
	report, err := postgres.Preflight(ctx, conn, postgres.Target{Source: s.Name, Slot: s.Slot, Publication: s.Publication, Sector: s.Described, Role: role})
	if err != nil {
		return report, err
	}
	naming, err := connectors.NamingOf(ctx, postgres.NewCatalog(conn), s.Described)
	if err == nil {
		report.Findings = append(noRecordKey(c, naming), report.Findings...)
	}
	return report, err
}

// noRecordKey finds that records are named by tokens and there is no record key.
func noRecordKey(c config.Config, naming map[string][]string) []postgres.Finding {
	if c.Tokens.RecordKeySet() {
		return nil
	}
	err := connectors.NeedRecordKey(naming, nil)
	if err == nil {
		return nil
	}
	return []postgres.Finding{{Level: postgres.Fault, Check: "record_key", What: err.Error()}}
}

// keyFaults finds keys that are not those that sources were captured with.
func keyFaults(ctx context.Context, c config.Config, kafka *topic.Client, sources []source) (findings []postgres.Finding, err error) {
	tokens, err := newTokenizer(c)
	if err != nil {
		return nil, err
	}
	old, err := oldTokenizers(c)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		read := connectors.ReadFingerprints
		if s.files() {
			read = file.ReadFingerprints
		}
		before, err := read(ctx, kafka, s.Name)
		if err != nil {
			return nil, err
		}
		if err := before.Check(s.Name, tokens, old); err != nil {
			findings = append(findings, postgres.Finding{Level: postgres.Fault, Check: "token_key", What: err.Error()})
		}
	}
	return findings, nil
}

// connectSource connects as a connector would.
func connectSource(ctx context.Context, s source) (*pgx.Conn, error) {
	conn, err := postgres.Connect(ctx, s.DSN)
	var config *postgres.ConfigError
	if err != nil && !errors.As(err, &config) {
		err = fmt.Errorf("%w; check the source's dsn, and that PostgreSQL runs", err)
	}
	return conn, err
}

func printCheck(w io.Writer, report checkReport, asJSON bool) error {
	if asJSON {
		if err := printJSON(w, report); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(w, "Kafka, the registry and the keys of tokens")
		for _, f := range report.Common {
			printFinding(w, "", f)
		}
		if len(report.Common) == 0 {
			fmt.Fprintln(w, "  nothing stands in the way")
		}
		for _, r := range report.Sources {
			printReport(w, r)
		}
	}
	if !report.OK {
		return errFound
	}
	return nil
}

func printReport(w io.Writer, r sourceReport) {
	switch {
	case r.Kind == config.KindFile:
		fmt.Fprintf(w, "%s: files in %s, %d tables\n", r.Source, r.Location, r.Tables)
	case r.Version == "":
		fmt.Fprintln(w, r.Source)
	default:
		fmt.Fprintf(w, "%s: PostgreSQL %s, %d tables\n", r.Source, r.Version, r.Tables)
	}
	if d := r.Disk; d != nil {
		wal, keep := "?", "without a limit"
		if d.WAL != nil {
			wal = connectors.Bytes(*d.WAL)
		}
		if d.KeepWAL != nil {
			keep = connectors.Bytes(*d.KeepWAL)
		}
		fmt.Fprintf(w, "  disk     database %s, of it %s to capture; pg_wal %s (max_wal_size %s; slots may keep %s)\n",
			connectors.Bytes(d.Database), connectors.Bytes(d.Captured), wal, connectors.Bytes(d.MaxWAL), keep)
	}
	for _, f := range r.Findings {
		printFinding(w, "", f)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "  nothing stands in the way")
	}
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "  unseen   %s\n           see:  %s\n", u.What, u.How)
	}
}

func printFinding(w io.Writer, subject string, f postgres.Finding) {
	fmt.Fprintf(w, "  %-8s %s%s\n", f.Level, subject, f.What)
	if f.Mend != "" {
		fmt.Fprintf(w, "           mend: %s\n", f.Mend)
	}
	if f.Advice != "" {
		fmt.Fprintf(w, "           note: %s\n", f.Advice)
	}
}
