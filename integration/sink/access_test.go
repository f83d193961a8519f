package sink

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/access"
)

// users is a users.xml with a user of each role, named as it without the prefix.
func users(t *testing.T, roles []access.Role, grants []access.Grant) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("<clickhouse><profiles><default/></profiles><quotas><default/></quotas>\n<roles>\n")
	queries := func(queries ...string) {
		b.WriteString("<grants>")
		for _, q := range queries {
			b.WriteString("<query>")
			require.NoError(t, xml.EscapeText(&b, []byte(q)))
			b.WriteString("</query>\n")
		}
		b.WriteString("</grants>")
	}
	rights := map[string][]string{}
	for _, g := range grants {
		column := ""
		if g.Column != "" {
			column = "(`" + g.Column + "`)"
		}
		rights[g.Role] = append(rights[g.Role], fmt.Sprintf("GRANT SELECT%s ON `%s`.`%s`", column, g.Database, g.Table))
	}
	for _, r := range roles {
		fmt.Fprintf(&b, "<%s>", r.Name)
		if len(rights[r.Name]) > 0 {
			queries(rights[r.Name]...)
		}
		fmt.Fprintf(&b, "</%s>\n", r.Name)
	}
	user := "<password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>"
	b.WriteString("</roles>\n<users><default>" + user + "<access_management>1</access_management></default>\n")
	for _, r := range roles {
		name := strings.TrimPrefix(r.Name, access.Prefix)
		fmt.Fprintf(&b, "<%s>%s", name, user)
		queries("GRANT " + r.Name)
		fmt.Fprintf(&b, "</%s>\n", name)
	}
	b.WriteString("</users></clickhouse>\n")
	return b.String()
}

// P11: who reads what is decided by role, tried with a user of each on the real
// engine: a view that is defined by a user is read with the user's rights.
func TestRolesReadWhatTheyMayAndNoMore(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	file := filepath.Join(harness.TempDir(t), "users.xml")
	require.NoError(t, os.WriteFile(file, []byte(users(t, access.Roles(set), nil)), 0o600))
	w := newWorld(t, set, harness.WithUsers(file))
	put := func(source, sector, table string, more []column, row ...any) {
		s, _ := set.Sector(sector)
		described, ok := s.Table(table)
		require.True(t, ok)
		var columns []column
		for i, c := range described.Columns {
			columns = append(columns, column{c.Name, c.Type, i == 0})
		}
		f := w.feed(source, sector, table, 1, append(columns, more...)...)
		f.create(row...)
		f.commit()
	}
	health, population := harness.Name("h"), harness.Name("p")
	const at = "2025-10-01 01:00:00+00"
	put(health, "health", "patient", []column{{"blood_group", "text", false}},
		1, "t1_a", nil, nil, "An", "1950-05-05", "male", "t1_p", "26740", nil, at, at, "AB")
	put(health, "health", "insurance_card", nil, "t1_k1", 1, "2025-01-01", "2025-12-31", 1)
	put(population, "population", "ward", nil, 1, "26740", "Sài Gòn", "ward", "2025-07-01", nil)
	put(population, "population", "citizen", nil, 1, "t1_a", nil, "An", "1950-05-05", "male", "26740", nil, nil, "alive", at, at)
	sink := w.run()
	for _, table := range []string{"health_patient", "health_insurance_card", "population_ward", "population_citizen"} {
		w.expect("SELECT count() FROM silver.v_"+table, "(1)")
	}
	w.expect("SELECT count() FROM system.tables WHERE database = 'gold' AND name IN ('population_by_ward', 'person', 'restatement', 'indicators', 'catalogue')", "(5)")
	require.NoError(t, sink.stop())

	roles, err := clickhouse.OpenRoles(w.clickhouse.Options(), "", 0, set)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, roles.Close()) })
	changes, there, err := roles.Plan(t.Context())
	require.NoError(t, err)
	require.True(t, there)
	for _, c := range changes {
		// Every statement of the plan is one to the engine.
		require.NoError(t, w.conn.Exec(t.Context(), "EXPLAIN AST "+c.Statement), c.Statement)
	}
	err = roles.Apply(t.Context(), changes, func(access.Change) {})
	require.ErrorContains(t, err, "keeps no roles")

	wanted, err := roles.Wanted(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(users(t, access.Roles(set), wanted)), 0o600))
	require.NoError(t, w.clickhouse.Restart(t.Context()))
	// What the engine says is granted is what was asked for, and needs no more.
	changes, _, err = roles.Plan(t.Context())
	require.NoError(t, err)
	require.Empty(t, changes)

	require.NoError(t, w.conn.Exec(t.Context(), "CREATE DATABASE probe"))
	n := 0
	// ask runs a query as a user. The rest of what stands in a view is judged as
	// the reader reads it: so is this one.
	ask := func(user, query string) error {
		n++
		view := fmt.Sprintf("probe.v%d", n)
		require.NoError(t, w.conn.Exec(t.Context(), "CREATE VIEW "+view+" DEFINER = "+user+" SQL SECURITY DEFINER AS "+query), query)
		_, err := w.rows(t.Context(), "SELECT * FROM "+view)
		return err
	}
	const (
		patients  = "SELECT patient_id FROM silver.v_health_patient"
		names     = "SELECT full_name FROM silver.v_health_patient"
		raw       = "SELECT full_name FROM silver.health_patient"
		events    = "SELECT full_name FROM bronze.health_patient"
		history   = "SELECT full_name, _valid_from FROM silver.health_patient_history"
		figures   = "SELECT * FROM gold.population_by_ward"
		headline  = "SELECT * FROM gold.indicators"
		golden    = "SELECT full_name FROM gold.person"
		links     = "SELECT person_id, record FROM silver.identity_link"
		letters   = "SELECT topic, offset, state FROM ops.dead_letter"
		bytes     = "SELECT value FROM ops.dead_letter"
		reasons   = "SELECT reason FROM ops.dead_letter"
		freshness = "SELECT * FROM ops.freshness"
		actions   = "SELECT * FROM ops.audit"
		readings  = "SELECT * FROM ops.access"
		reviewers = "SELECT who FROM ops.identity_audit"
		ledger    = "SELECT * FROM ops.erasure"
		citizens  = "SELECT full_name FROM silver.v_population_citizen"
		undescr   = "SELECT blood_group FROM silver.v_health_patient"
		card      = "SELECT _record FROM silver.health_insurance_card"
		restated  = "SELECT figure, old_value, new_value FROM gold.restatement"
		whom      = "SELECT dimensions, records FROM gold.restatement"
		count     = "SELECT count() AS n FROM silver.v_health_patient WHERE full_name = 'An'"
		order     = "SELECT patient_id FROM silver.health_patient ORDER BY full_name"
		all       = "SELECT * FROM silver.v_health_patient"
		joined    = "SELECT p.patient_id FROM silver.health_patient AS p INNER JOIN (SELECT 'An' AS full_name) AS g USING (full_name)"
		merged    = "SELECT * FROM merge('silver', '^(v_)?health_patient$')"
		index     = "SELECT * FROM mergeTreeIndex('silver', 'health_insurance_card')"
		people    = "SELECT patient_id, person_id, citizen, _source FROM silver.v_health_patient"
	)
	everything := []string{patients, names, raw, events, history, figures, headline, golden, links, letters, bytes, reasons, freshness, actions, readings, reviewers, ledger, citizens, undescr, card, restated, whom, count, order, all, joined, index, people}
	for user, allowed := range map[string][]string{
		"leader":             {figures, headline, restated},
		"analyst":            {figures, headline, restated, patients, links, people},
		"person_reader":      {figures, headline, restated, whom, golden, links},
		"health_steward":     {patients, names, raw, events, history, undescr, card, count, order, all, joined, index, people, links},
		"population_steward": {citizens, links},
		"operator":           {letters, freshness},
		"auditor":            {actions, readings, reviewers, ledger},
	} {
		for _, query := range everything {
			err := ask(user, query)
			may := false
			for _, a := range allowed {
				may = may || a == query
			}
			if may {
				require.NoError(t, err, "%s: %s", user, query)
				continue
			}
			var refused *ch.Exception
			require.True(t, errors.As(err, &refused), "%s must not read: %s (%v)", user, query, err)
			require.EqualValues(t, 497, refused.Code, "%s: %s: %v", user, query, err)
		}
	}
	for _, user := range []string{"leader", "analyst", "person_reader", "operator", "auditor"} {
		require.Error(t, ask(user, merged), user)
	}
	w.readingsAreNoted(t, roles)
}

// readingsAreNoted: the engine of one machine keeps no log of queries, so a table
// of the log's shape stands for it
// (https://clickhouse.com/docs/operations/system-tables/query_log).
func (w *world) readingsAreNoted(t *testing.T, roles *clickhouse.Roles) {
	read := func() []clickhouse.Reading {
		all, err := clickhouse.ReadReadings(t.Context(), w.clickhouse.Options(), time.Time{}, "")
		require.NoError(t, err)
		return all
	}
	note := func(since time.Time) int {
		n, err := roles.Note(t.Context(), since)
		require.NoError(t, err)
		return n
	}
	_, err := roles.Note(t.Context(), time.Time{})
	require.ErrorContains(t, err, "system.query_log is not there")
	require.NoError(t, w.conn.Exec(t.Context(), `CREATE TABLE system.query_log
(
    hostname LowCardinality(String), type Enum8('QueryStart' = 1, 'QueryFinish' = 2, 'ExceptionBeforeStart' = 3, 'ExceptionWhileProcessing' = 4), event_date Date,
    event_time_microseconds DateTime64(6), query_start_time_microseconds DateTime64(6), result_rows UInt64, normalized_query_hash UInt64, query String,
    query_kind LowCardinality(String), columns Array(LowCardinality(String)), exception_code Int32, is_initial_query UInt8, user String, query_id String,
    initial_user String, initial_address IPv6
) ENGINE = Memory`))
	began := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	log := func(kind, id, user string, at, ended time.Time, code int, initial int, columns ...string) {
		stamp := func(at time.Time) string {
			return "toDateTime64('" + at.Format("2006-01-02 15:04:05.000000") + "', 6, 'UTC')"
		}
		list := "[]"
		if len(columns) > 0 {
			list = "['" + strings.Join(columns, "', '") + "']"
		}
		require.NoError(t, w.conn.Exec(t.Context(), fmt.Sprintf(
			"INSERT INTO system.query_log SELECT 'ch1', '%s', toDate(%s), %s, %s, 7, 12345, 'SELECT ''Nguyen Van An''', 'Select', %s, %d, %d, '%s', '%s', '%s', toIPv6('::ffff:10.0.0.7')",
			kind, stamp(ended), stamp(ended), stamp(at), list, code, initial, user, id, user)))
	}
	const name, level = "silver.health_patient.full_name", "silver.health_patient.patient_id"
	later := began.Add(time.Second)
	log("QueryStart", "q1", "lan", began, began, 0, 1, name, level)
	log("QueryFinish", "q2", "lan", began, later, 0, 1, level, "system.tables.name")
	log("ExceptionBeforeStart", "q3", "minh", began, began, 497, 1)
	log("QueryFinish", "q4", "default", began, later, 0, 1, name)
	log("QueryFinish", "q1-on-a-shard", "lan", began, later, 0, 0, name)
	log("ExceptionWhileProcessing", "q5", "lan", began, later, 241, 1, "gold.person.full_name", name)
	require.Equal(t, 3, note(time.Time{}))
	outcomes := func() map[string]string {
		out := map[string]string{}
		for _, e := range read() {
			out[e.QueryID] = e.Outcome
		}
		return out
	}
	require.Equal(t, map[string]string{"q1": "begun", "q3": "refused", "q5": "failed"}, outcomes())
	require.Zero(t, note(time.Time{}), "what is noted is not noted again")
	// Its end comes later than others', and older than the last that was noted.
	log("QueryFinish", "q1", "lan", began, later, 0, 1, name, level)
	require.Zero(t, note(time.Now()), "it is older than that")
	require.Equal(t, 1, note(time.Time{}))
	require.Equal(t, map[string]string{"q1": "done", "q3": "refused", "q5": "failed"}, outcomes())
	all, err := clickhouse.ReadReadings(t.Context(), w.clickhouse.Options(), began, "lan")
	require.NoError(t, err)
	require.Len(t, all, 2)
	first := all[0]
	require.Equal(t, clickhouse.Reading{
		At: began, Ended: later, User: "lan", InitialUser: "lan", Address: "::ffff:10.0.0.7", Outcome: "done", Kind: "Select",
		Tables: []string{"silver.health_patient"}, Columns: []string{name}, Rows: 7, QueryHash: 12345, QueryID: "q1", Server: "ch1",
	}, first)
	// No value of any query is kept.
	w.expect("SELECT count() FROM ops.access WHERE position(toString(tuple(*)), 'Nguyen') > 0", "(0)")

	// The sink does the same by itself.
	log("QueryFinish", "q6", "lan", began, later, 0, 1, name)
	sink := w.run()
	w.expect("SELECT count() FROM ops.access FINAL WHERE query_id = 'q6'", "(1)")
	require.NoError(t, sink.stop())
}
