package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

// setupFlags are those of enable and disable.
type setupFlags struct {
	admin  string
	run    bool
	asJSON bool
}

func (f *setupFlags) on(command *cobra.Command) {
	command.Flags().BoolVar(&f.run, "run", false, "run the script instead of printing it")
	command.Flags().StringVar(&f.admin, "admin", "", "an administrator's connection string, for --run; its password may come from PGPASSWORD or ~/.pgpass")
	command.Flags().BoolVar(&f.asJSON, "json", false, "print the statements as JSON, each with sql and why")
}

func (f *setupFlags) check() error {
	switch {
	case f.run && f.admin == "":
		return errors.New("--run needs --admin: an administrator's connection string")
	case !f.run && f.admin != "":
		return errors.New("--admin is for --run: add it to run the script, or leave --admin away to print it")
	case f.run && f.asJSON:
		return errors.New("--json prints the script and --run runs it: give one of them")
	}
	return nil
}

// setupOf tells what a source needs in its database; the role is the one in
// its connection string.
func setupOf(s source) (postgres.Setup, error) {
	if err := checkDSN(s.Source); err != nil {
		return postgres.Setup{}, err
	}
	config, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		return postgres.Setup{}, err
	}
	return postgres.Setup{Database: config.Database, Role: config.User, Password: config.Password, Slot: s.Slot, Publication: s.Publication, Tables: s.Described.Tables}, nil
}

func (a *app) connectorEnable() *cobra.Command {
	var flags setupFlags
	command := &cobra.Command{
		Use:   "enable SOURCE",
		Short: "Print the least-privilege script that capture needs, or run it",
		Long: `Print the script that a DBA runs once: a role that may replicate and read the
named tables only, and a publication of them. The role and its password are those
of the source's dsn; the script has the password hashed, as the server keeps it.
Each step says which lock it takes; none waits longer than its lock_timeout.
Columns with privacy: drop and rows that do not meet a table's where are left out
of grants and publication. Run again, it changes what differs from the sector file
and nothing else; a table that would be published so that the application's own
UPDATE and DELETE fail is refused. With --run it is run over --admin, a connection
string of an administrator of that database.`,
		Example: `  hopluu connector enable health > health.sql
  psql -v ON_ERROR_STOP=1 -f health.sql    # after reading it
  hopluu connector enable health --run --admin postgres://postgres@db1/health`,
		Args:              oneSource,
		ValidArgsFunction: a.completeSources(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			c, setup, err := a.setup(args, "enable")
			if err != nil {
				return err
			}
			if setup.Password, err = postgres.Verifier(setup.Password); err != nil {
				return err
			}
			script := setup.EnableScript()
			if !flags.run {
				return printScript(cmd.OutOrStdout(), script, flags.asJSON)
			}
			return a.changeAsAdmin(cmd, args, c, flags.admin, setup, func(conn *pgx.Conn) error {
				if err := postgres.Apply(cmd.Context(), conn, script); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d statements run; look with 'hopluu connector check %s'\n", len(script), args[0])
				return err
			})
		},
	}
	flags.on(command)
	return command
}

func (a *app) connectorDisable() *cobra.Command {
	var flags setupFlags
	command := &cobra.Command{
		Use:   "disable SOURCE",
		Short: "Print the clean-up of a source (slot, publication, role), or run it and prove it",
		Long: `Print the script that takes away what capture left in the database: the slot, so
that WAL is let go, the publication, and the role if 'hopluu connector enable' made
it, it owns nothing, and no other database of the server knows it. Stop the connector
before. With --run it is run over --admin; what is gone is named, and then looked
whether anything is left: exits with 1 and names it if so. Topics and ClickHouse
keep what they have.`,
		Example: `  hopluu connector disable health > clean-up.sql
  hopluu connector disable health --run --admin postgres://postgres@db1/health`,
		Args:              oneSource,
		ValidArgsFunction: a.completeSources(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			c, setup, err := a.setup(args, "disable")
			if err != nil {
				return err
			}
			script := setup.DisableScript()
			if !flags.run {
				return printScript(cmd.OutOrStdout(), script, flags.asJSON)
			}
			return a.changeAsAdmin(cmd, args, c, flags.admin, setup, func(conn *pgx.Conn) error {
				before, err := setup.Leftovers(cmd.Context(), conn)
				if err != nil {
					return err
				}
				failed := postgres.Apply(cmd.Context(), conn, script)
				left, err := setup.Leftovers(cmd.Context(), conn)
				if err != nil {
					return errors.Join(failed, err)
				}
				for _, what := range before {
					if !slices.Contains(left, what) {
						fmt.Fprintln(cmd.OutOrStdout(), "gone:", what)
					}
				}
				for _, what := range left {
					fmt.Fprintln(cmd.OutOrStdout(), "still there:", what)
				}
				switch {
				case failed != nil:
					return failed
				case len(left) > 0:
					return errFound
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "nothing of the connector is left in the database")
				return err
			})
		},
	}
	flags.on(command)
	return command
}

// setup tells what the named database needs, for a command.
func (a *app) setup(args []string, command string) (config.Config, postgres.Setup, error) {
	c, _, err := a.load()
	if err != nil {
		return c, postgres.Setup{}, err
	}
	s, err := database(c, args[0], command)
	if err == nil {
		err = checkDSN(s.Source)
	}
	if err != nil {
		return c, postgres.Setup{}, err
	}
	setup, err := setupOf(s)
	return c, setup, err
}

// database is the named source, for a command that is not of file sources.
func database(c config.Config, name, command string) (source, error) {
	sources, err := loadSources(c)
	if err != nil {
		return source{}, err
	}
	chosen, err := choose(sources, []string{name})
	if err != nil {
		return source{}, err
	}
	if chosen[0].files() {
		return source{}, notOfFiles(chosen[0], command)
	}
	return chosen[0], nil
}

func printScript(w io.Writer, script []postgres.Statement, asJSON bool) error {
	if asJSON {
		return printJSON(w, script)
	}
	for _, s := range script {
		if _, err := fmt.Fprintf(w, "-- %s\n%s;\n", s.Why, s.SQL); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	return nil
}

// asAdmin connects as an administrator, to the source's database and no other.
func asAdmin(ctx context.Context, dsn string, setup postgres.Setup, do func(*pgx.Conn) error) (err error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The library's error may repeat the password.
		return errors.New("--admin cannot be read: write postgres://user@host:5432/database")
	}
	if config.Database != setup.Database {
		return fmt.Errorf("--admin leads to database %q, the source's dsn to %q: the script must run in the latter", config.Database, setup.Database)
	}
	bound, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	conn, err := postgres.Connect(bound, dsn)
	var refused *postgres.ConfigError
	if errors.As(err, &refused) && refused.Refused != "" {
		return fmt.Errorf("--admin: PostgreSQL %s:%d/%s does not let user %s in: give the password there, in PGPASSWORD or in ~/.pgpass, and see that pg_hba.conf has a line for it", config.Host, config.Port, config.Database, refused.Refused)
	}
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return do(conn)
}

// changeAsAdmin is asAdmin for what changes the database, and records it.
func (a *app) changeAsAdmin(cmd *cobra.Command, args []string, c config.Config, dsn string, setup postgres.Setup, do func(*pgx.Conn) error) error {
	return asAdmin(cmd.Context(), dsn, setup, func(conn *pgx.Conn) error {
		touched := []string{"database " + setup.Database, "role " + setup.Role, "publication " + setup.Publication, "slot " + setup.Slot}
		return a.audited(cmd, args, c, touched, func(func(...string)) error { return do(conn) })
	})
}
