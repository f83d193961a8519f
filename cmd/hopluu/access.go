package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/access"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) accessCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "access",
		Short: "Decide who reads what in ClickHouse, and see who read personal data",
		Long: `Decide by roles who reads what in ClickHouse, and see who read personal columns.

The roles and their rights are made from the sector files: hopluu_leader reads figures,
hopluu_analyst silver's columns that are public or internal, hopluu_<sector>_steward
all of its sector, hopluu_person_reader golden records, hopluu_operator ops,
hopluu_auditor the logs. A column that no file describes is open to its steward alone.

An administrator gives roles to users: GRANT hopluu_analyst TO lan. Once the roles
are there, the sink keeps their rights to the tables as these change.`,
		Example: `  hopluu access show --role hopluu_analyst
  hopluu access plan          # what apply would do; exits with 1 when there is something
  hopluu access apply
  hopluu access log --since 24h --user lan`,
	}, a.accessShow(), a.accessPlan(), a.accessApply(), a.accessLog())
}

// roleRights is a role as JSON has it.
type roleRights struct {
	access.Role
	Reads []tableRights `json:"reads"`
}

type tableRights struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"` // empty for all
}

func (a *app) accessShow() *cobra.Command {
	var role string
	var asJSON bool
	command := &cobra.Command{
		Use:   "show [--role ROLE]",
		Short: "Show the roles and what each may read of the tables that there are",
		Long: `Show each role, what it is for, and how many tables and columns it may read of those
that ClickHouse has now; with --role, which. It is what the sector files want: what
the server has granted is compared by 'hopluu access plan'.`,
		Example: `  hopluu access show
  hopluu access show --role hopluu_health_steward --json | jq -r '.[].reads[].table'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRoles(func(r *clickhouse.Roles, set *sectors.Set, _ config.Config) error {
				wanted, err := r.Wanted(cmd.Context())
				if err != nil {
					return err
				}
				all := rightsOf(set, wanted)
				if role != "" {
					var names []string
					for _, one := range all {
						names = append(names, one.Name)
					}
					all = slices.DeleteFunc(all, func(one roleRights) bool { return one.Name != role })
					if len(all) == 0 {
						return fmt.Errorf("--role %s is none of the roles: they are %s", role, strings.Join(names, ", "))
					}
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), all)
				}
				return printRights(cmd.OutOrStdout(), all, role != "")
			})
		},
	}
	command.Flags().StringVar(&role, "role", "", "show this role's tables and columns")
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of roles as JSON")
	return command
}

func rightsOf(set *sectors.Set, wanted []access.Grant) []roleRights {
	var all []roleRights
	for _, role := range access.Roles(set) {
		one := roleRights{Role: role, Reads: []tableRights{}}
		for _, g := range wanted {
			if g.Role != role.Name {
				continue
			}
			name := g.Database + "." + g.Table
			if n := len(one.Reads); n == 0 || one.Reads[n-1].Table != name {
				one.Reads = append(one.Reads, tableRights{name, []string{}})
			}
			if last := &one.Reads[len(one.Reads)-1]; g.Column != "" {
				last.Columns = append(last.Columns, g.Column)
			}
		}
		all = append(all, one)
	}
	return all
}

func printRights(w io.Writer, all []roleRights, details bool) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	if details {
		t.AppendHeader(table.Row{"table", "columns"})
		t.SetColumnConfigs([]table.ColumnConfig{{Name: "columns", WidthMax: 90}})
		for _, one := range all {
			for _, r := range one.Reads {
				columns := strings.Join(r.Columns, ", ")
				if columns == "" {
					columns = "all"
				}
				t.AppendRow(table.Row{r.Table, columns})
			}
		}
	} else {
		t.AppendHeader(table.Row{"role", "whole tables", "tables in part", "for"})
		for _, one := range all {
			whole := 0
			for _, r := range one.Reads {
				if len(r.Columns) == 0 {
					whole++
				}
			}
			t.AppendRow(table.Row{one.Name, whole, len(one.Reads) - whole, one.Meaning.En})
		}
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func (a *app) accessPlan() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change, without changing anything",
		Long: `Show the statements that bring ClickHouse's roles to what the sector files want, those
that take rights away first. Exits with 1 when there are some.`,
		Example: "  hopluu access plan > roles.sql   # to be read, and given by an administrator",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRoles(func(r *clickhouse.Roles, _ *sectors.Set, _ config.Config) error {
				changes, _, err := r.Plan(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(cmd.OutOrStdout(), append([]access.Change{}, changes...))
				} else {
					err = printChanges(cmd.OutOrStdout(), changes)
				}
				if err == nil && len(changes) > 0 {
					return errFound
				}
				return err
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of statements as JSON")
	return command
}

func printChanges(w io.Writer, changes []access.Change) error {
	var b strings.Builder
	for _, c := range changes {
		b.WriteString(c.Statement + ";\n")
	}
	if len(changes) == 0 {
		b.WriteString("-- the roles are as they should be\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a *app) accessApply() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "apply",
		Short: "Make the roles, and give and take rights as the plan says",
		Long: `Make the roles that are missing, take away what they should not have, and grant what
they should; ON CLUSTER when clickhouse.cluster is set. It can be repeated. Users are
never touched.

The user of clickhouse.dsn needs CREATE ROLE and ROLE ADMIN, and SELECT on bronze,
silver, gold and ops WITH GRANT OPTION; who has not gives the plan to one who has.
From then on the sink does the same whenever tables change.`,
		Example: "  hopluu access apply && hopluu access plan",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRoles(func(r *clickhouse.Roles, _ *sectors.Set, c config.Config) error {
				changes, _, err := r.Plan(cmd.Context())
				if err != nil {
					return err
				}
				var roles []string
				for _, change := range changes {
					if !slices.Contains(roles, change.Role) {
						roles = append(roles, change.Role)
					}
				}
				done := []access.Change{}
				if len(changes) > 0 {
					err = a.audited(cmd, args, c, roles, func(func(...string)) error {
						return r.Apply(cmd.Context(), changes, func(change access.Change) { done = append(done, change) })
					})
				}
				if err != nil {
					return fmt.Errorf("%d of %d statements were carried out, and the next one was not: %w", len(done), len(changes), err)
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), done)
				}
				return printChanges(cmd.OutOrStdout(), done)
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of the statements as JSON")
	return command
}

func (a *app) accessLog() *cobra.Command {
	var since, user string
	var asJSON bool
	command := &cobra.Command{
		Use:   "log [--since 24h|2026-01-31|TIME] [--user USER]",
		Short: "Show who read personal columns, and who was refused",
		Long: `Show who read personal columns, oldest first: which, from where, how many rows it gave,
and the hash of the query without its values; and who was refused for want of rights.
A column is personal unless its sector file calls it public or internal.

The sink takes it from system.query_log into ops.access every 20 seconds, so that it
stays when ClickHouse drops its own log. The sink's own user is left out: its password
belongs to no person.`,
		Example: `  hopluu access log --since 24h
  hopluu access log --user lan --json | jq -r '.[].columns[]' | sort | uniq -c`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := sinceTime(since, time.Now())
			if err != nil {
				return err
			}
			c, _, err := a.load()
			if err != nil {
				return err
			}
			options, err := clickhouseOptions(c)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			all, err := clickhouse.ReadReadings(ctx, options, from, user)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), append([]clickhouse.Reading{}, all...))
			}
			return printReadings(cmd.OutOrStdout(), all)
		},
	}
	command.Flags().StringVar(&since, "since", "", "only from then on: a duration back, a day or a time in RFC 3339 (default all)")
	command.Flags().StringVar(&user, "user", "", "only of this user of ClickHouse")
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of readings as JSON")
	return command
}

func printReadings(w io.Writer, all []clickhouse.Reading) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no reading of personal columns is noted")
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"when", "user", "from", "columns", "rows", "query", "outcome"})
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "columns", WidthMax: 70}})
	for _, e := range all {
		t.AppendRow(table.Row{e.At.Local().Format(time.DateTime), e.InitialUser, e.Address, strings.Join(e.Columns, ", "), e.Rows, fmt.Sprintf("%016x", e.QueryHash), e.Outcome})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func (a *app) withRoles(do func(*clickhouse.Roles, *sectors.Set, config.Config) error) (err error) {
	c, _, err := a.load()
	if err != nil {
		return err
	}
	set, err := loadSectors(c)
	if err != nil {
		return err
	}
	options, err := clickhouseOptions(c)
	if err != nil {
		return err
	}
	r, err := clickhouse.OpenRoles(options, c.ClickHouse.Cluster, len(c.ClickHouse.Shards), set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return do(r, set, c)
}
