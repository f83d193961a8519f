package commandline

import (
	"net/url"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

type finding struct{ Level, What, Mend string }

type checkReport struct {
	OK      bool
	Common  []finding
	Sources []struct {
		Source, Version string
		Tables          int
		Findings        []finding
	}
}

func (r checkReport) faults() (all []string) {
	for _, f := range r.Common {
		if f.Level == "fault" {
			all = append(all, f.What+"; "+f.Mend)
		}
	}
	for _, s := range r.Sources {
		for _, f := range s.Findings {
			if f.Level == "fault" {
				all = append(all, s.Source+": "+f.What+"; "+f.Mend)
			}
		}
	}
	return all
}

// A DBA's way: check finds what is missing, enable's script mends it, disable
// takes all of it away.
func TestCheckEnableDisable(t *testing.T) {
	w := shared(t)
	w.registry()

	d := w.run("connector", "check", "--json")
	require.Equal(t, 1, d.code, d.stdout+d.stderr)
	require.Empty(t, d.stderr)
	report := parse[checkReport](t, d.stdout)
	require.False(t, report.OK)
	require.Contains(t, strings.Join(report.faults(), "\n"), "password", "the role is not there yet")
	require.Contains(t, w.run("connector", "check").stdout, "note: if there is no such role yet: 'hopluu connector enable "+w.source+"' makes it")
	// An administrator sees what there is to do before anything was done.
	w.exec("ALTER TABLE room REPLICA IDENTITY NOTHING")
	d = w.run("connector", "check", w.source, "--json", "--admin", w.admin)
	require.Equal(t, 1, d.code, d.stdout+d.stderr)
	report = parse[checkReport](t, d.stdout)
	require.Len(t, report.faults(), 3, d.stdout)
	require.Contains(t, report.faults()[0], "role hopluu_"+w.source+" is not there yet; hopluu connector enable "+w.source)
	require.Contains(t, report.faults()[1], "publication hopluu_"+w.source+" is missing; hopluu connector enable "+w.source)
	w.exec(report.Sources[0].Findings[2].Mend)
	require.NotContains(t, w.run("connector", "check", w.source, "--admin", w.admin).stdout, "pg_wal ?")
	w.refused([]string{"connector", "check", "--admin", w.admin}, "name its source")
	stranger, err := url.Parse(w.admin)
	require.NoError(t, err)
	stranger.User = url.UserPassword("stranger", "secret")
	w.refused([]string{"connector", "check", w.source, "--admin", stranger.String()}, "--admin: PostgreSQL", "does not let user stranger in")

	// The script is for reading: a reason and a lock for each statement.
	script := w.good("connector", "enable", w.source)
	for _, part := range []string{"CREATE ROLE", "REPLICATION", "GRANT SELECT ON TABLE \"public\".\"patient\"", "CREATE PUBLICATION", "SHARE UPDATE EXCLUSIVE", "lock_timeout"} {
		require.Contains(t, script, part)
	}
	statements := parse[[]struct{ SQL, Why string }](t, w.good("connector", "enable", w.source, "--json"))
	require.Greater(t, len(statements), 5)
	for _, s := range statements {
		require.NotEmpty(t, s.SQL)
		require.NotEmpty(t, s.Why)
	}
	require.NotContains(t, script, "a /secret", "who reads the script learns no password")
	require.Contains(t, script, "SCRAM-SHA-256$")
	// As printed it runs, and again.
	w.exec(script)
	w.exec(script)
	require.True(t, parse[checkReport](t, w.good("connector", "check", "--json", w.source, "--admin", w.admin)).OK)
	w.exec("REVOKE SELECT ON patient FROM hopluu_" + w.source + "; ALTER ROLE hopluu_" + w.source + " NOREPLICATION PASSWORD 'another'")
	d = w.run("connector", "check", w.source, "--admin", w.admin)
	for _, fault := range []string{"may not replicate", "it lacks SELECT on ctid, patient_id", "password authentication failed"} {
		require.Contains(t, d.stdout, fault, "the rights are those of the role that will capture")
	}
	w.exec("ALTER ROLE hopluu_" + w.source + " REPLICATION")
	w.exec(script)
	report = parse[checkReport](t, w.good("connector", "check", "--json", w.source))
	require.True(t, report.OK)
	require.Empty(t, report.faults())
	require.Len(t, report.Sources, 1)
	require.Equal(t, 2, report.Sources[0].Tables)
	require.True(t, strings.HasPrefix(report.Sources[0].Version, "1"), report.Sources[0].Version)
	text := w.good("connector", "check")
	for _, part := range []string{w.source + ": PostgreSQL", "disk     database ", "pg_wal ? (max_wal_size", "unseen   how much of the disk is free", "see:  on the server, df -h"} {
		require.Contains(t, text, part)
	}
	// A role that owns something stays, and the command says so.
	w.exec("CREATE TABLE mine (n int); ALTER TABLE mine OWNER TO hopluu_" + w.source)
	d = w.run("connector", "disable", w.source, "--run", "--admin", w.admin)
	require.Equal(t, 2, d.code, d.stdout+d.stderr)
	require.Contains(t, d.stdout, "gone: publication hopluu_"+w.source)
	require.Contains(t, d.stdout, "still there: role hopluu_"+w.source)
	w.oneLine(d, "owns table public.mine: it is kept")
	w.exec("DROP TABLE mine")
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin)

	// A role may read the tables of the script and nothing else (P7).
	require.Equal(t, "false", w.value("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'hopluu_"+w.source+"'"))

	require.Contains(t, w.good("connector", "disable", w.source), "pg_drop_replication_slot")
	gone := w.good("connector", "disable", w.source, "--run", "--admin", w.admin)
	for _, part := range []string{"gone: publication hopluu_" + w.source, "gone: role hopluu_" + w.source, "nothing of the connector is left"} {
		require.Contains(t, gone, part)
	}
	require.Equal(t, "0", w.value("SELECT count(*) FROM pg_roles WHERE rolname = 'hopluu_"+w.source+"'"))
	require.Equal(t, "0", w.value("SELECT count(*) FROM pg_publication"))
}

// P7: a role that the database has for more than us is not dropped, nor its
// password changed, nor what it owns.
func TestDisableKeepsARoleThatIsNotOurs(t *testing.T) {
	w := shared(t)
	role := "app_" + w.source
	w.exec(`CREATE ROLE ` + role + ` LOGIN REPLICATION PASSWORD 'theirs'; CREATE TABLE theirs (a int); ALTER TABLE theirs OWNER TO ` + role)
	before := w.value("SELECT rolpassword FROM pg_authid WHERE rolname = '" + role + "'")
	dsn := w.config["sources"].([]any)[0].(tree)["dsn"].(string)
	w.setSource("dsn", strings.Replace(dsn, "hopluu_"+w.source, role, 1))
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin)
	require.Equal(t, before, w.value("SELECT rolpassword FROM pg_authid WHERE rolname = '"+role+"'"))
	w.good("connector", "disable", w.source, "--run", "--admin", w.admin)
	require.Equal(t, role, w.value("SELECT tableowner FROM pg_tables WHERE tablename = 'theirs'"))
	w.exec("DROP TABLE theirs; DROP OWNED BY " + role + "; DROP ROLE " + role)
}

// A database without logical decoding, a cluster that cannot keep what P1 asks,
// a registry and a Kafka that are away: each is a fault, and all are told
// together.
func TestCheckFindsFaults(t *testing.T) {
	w := newWorld(t, harness.Postgres(t, harness.WithSetting("wal_level", "replica")), harness.Kafka(t))
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin)
	w.set("topics.replication", 3)
	d := w.run("connector", "check", "--json")
	require.Equal(t, 1, d.code, d.stdout+d.stderr)
	faults := strings.Join(parse[checkReport](t, d.stdout).faults(), "\n")
	require.Contains(t, faults, "wal_level is replica; ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server")
	require.Contains(t, faults, "topics.replication is 3, but the cluster has 1 broker(s) up")
	require.Contains(t, faults, "registry.url")

	w.set("topics.replication", 1).set("kafka.brokers", []string{"127.0.0.1:1"}).set("tokens.key_file", nil).setSource("dsn", "postgres://a:secret@127.0.0.1:1/d")
	d = w.run("connector", "check")
	require.Equal(t, 1, d.code, d.stdout+d.stderr)
	require.Empty(t, d.stderr)
	for _, part := range []string{"kafka.brokers", "registry.url", "tokens.key_file", "PostgreSQL 127.0.0.1:1/d cannot be reached"} {
		require.Contains(t, d.stdout, part)
	}
	require.NotContains(t, d.stdout, "secret")
}

func TestTopics(t *testing.T) {
	w := shared(t)
	type report struct {
		OK       bool
		Topics   int
		Findings []struct {
			Topic string
			finding
		}
	}
	d := w.run("topics", "check", "--json")
	require.Equal(t, 1, d.code, d.stdout+d.stderr)
	r := parse[report](t, d.stdout)
	require.False(t, r.OK)
	require.Greater(t, len(r.Findings), 3)
	name := topic.Public(w.source, "public", "patient")
	require.Contains(t, w.run("topics", "check").stdout, name+" missing")

	require.Contains(t, w.good("topics", "create"), "created "+name)
	require.NotContains(t, w.good("topics", "create"), "created")
	require.Contains(t, w.good("topics", "check"), "in order")
	require.True(t, parse[report](t, w.good("topics", "check", "--json")).OK)

	// What would lose events, or send keys elsewhere, is seen (P1).
	w.set("topics.partitions", 3).set("topics.retention", "1h")
	d = w.run("topics", "check")
	require.Equal(t, 1, d.code)
	require.Contains(t, d.stdout, name+" has 2 partitions, the configuration says 3")
	require.Contains(t, d.stdout, name+" retention.ms is ")
	w.refused([]string{"topics", "create"}, "2 partitions")
	w.set("topics.partitions", 2).set("topics.replication", 2).set("topics.min_insync_replicas", 2)
	d = w.run("topics", "check")
	require.Equal(t, 1, d.code)
	require.Contains(t, d.stdout, name+" has 1 copies of every event, topics.replication is 2")
	require.Contains(t, d.stdout, name+" min.insync.replicas is 1, the configuration says 2")
	require.Contains(t, d.stdout, "topics.replication is 2, but the cluster has 1 broker(s) up")
}

func TestConfigVersionCompletion(t *testing.T) {
	w := shared(t)
	require.Contains(t, w.good("config", "check"), "the configuration is good: 1 sources")
	w.setSource("dsn", "").set("tokens.key_file", nil)
	require.Contains(t, w.good("config", "check"), "note: source "+w.source+" has no dsn")
	w.set("tokens.key_file", "/nonexistent")
	w.refused([]string{"config", "check"}, "tokens.key_file")
	require.Contains(t, w.good("config", "example"), "min_insync_replicas")

	require.Contains(t, w.good("version"), "hopluu ")
	require.Equal(t, w.good("version"), w.good("--version"))
	require.NotEmpty(t, parse[struct{ Version, Go string }](t, w.good("version", "--json")).Go)

	for shell, part := range map[string]string{"bash": "complete -o default", "zsh": "#compdef hopluu", "fish": "complete -c hopluu", "powershell": "Register-ArgumentCompleter"} {
		require.Contains(t, w.good("completion", shell), part)
	}
	require.Contains(t, w.good("__complete", "connector", "run", ""), w.source)
	require.Contains(t, w.good("__complete", "connector", "resnapshot", w.source, ""), "public.room")
	require.NotContains(t, w.good("__complete", "connector", "enable", w.source, ""), w.source)

	// Help is for standard output, and a success.
	require.Contains(t, w.good("connector"), "hopluu connector check")
	require.Contains(t, w.good("reconcile", "--help"), "Exits with 0 when everything agrees")
}
