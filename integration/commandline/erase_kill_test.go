package commandline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// erased is an erasure as the commands print it.
type erased struct {
	ID, State string
	Records   []string
	Numbers   int
	Done      []struct{ Step string }
	Open      []string
}

func (e *erased) steps() (done []string) {
	for _, s := range e.Done {
		done = append(done, s.Step)
	}
	return done
}

// last are the values of a topic by their keys, as compaction would leave them.
func last(t *testing.T, kafka *topic.Client, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, kafka.ReadAll(t.Context(), name, func(r topic.Record) error {
		if r.Value == nil {
			delete(all, string(r.Key))
		} else {
			all[string(r.Key)] = string(r.Value)
		}
		return nil
	}))
	return all
}

// naming are those of them that name one of the texts.
func naming(all map[string]string, texts ...string) (found []string) {
	for key, value := range all {
		for _, text := range texts {
			if strings.Contains(key+value, text) {
				found = append(found, text)
			}
		}
	}
	return found
}

// P12: SIGKILL takes the processor in the middle of an erasure, and the sink in the
// middle of its sweep, while the person's row is written anew: started again they
// end as if never killed. The person is gone, and stays gone; nobody else's link,
// row or letter moves.
func TestP12ErasureKilledInTheMiddle(t *testing.T) {
	w := newWorld(t, harness.Postgres(t), harness.Kafka(t, harness.Own()))
	house := harness.ClickHouse(t, harness.Own())
	// The sweep has been through bronze, and silver is untouched.
	sweep := newBarrier(t, house.URL(), func(asked string) bool {
		return strings.Contains(asked, "DELETE WHERE") && strings.Contains(asked, "ALTER TABLE `silver`.`clinic_patient`")
	})
	w.set("clickhouse.dsn", "http://default@"+sweep.address()+"/default")
	token := sha256.Sum256([]byte("an's"))
	w.set("identity", tree{"token": "an's", "reviewers": []any{tree{"name": "an", "token_sha256": hex.EncodeToString(token[:]), "decides": true}}})
	w.registry()
	// The vault is empty and the matcher has forgotten; the logs name the person.
	logs := newBarrier(t, w.config["registry"].(tree)["url"].(string), func(asked string) bool {
		return strings.Contains(asked, "/subjects/"+topic.IdentityAudit)
	})
	w.set("registry.url", logs.front.URL)
	w.enable()
	w.exec(`INSERT INTO patient VALUES
		(1, '079085012345', 'Nguyễn Văn An'), (2, '079085012345', 'Nguyễn Văn An'),
		(3, '079191004321', 'Trần Thị Bình'), (4, '079191004321', 'Trần Thị Bình'), (5, '079072007654', 'Lê Mai')`)
	w.start("connector", "run")
	processor, sink := w.start("processor", "run"), w.start("sink", "run")
	processor.ready()
	sink.ready()
	w.set("identity.url", processor.http)
	// The stages make every topic that they need, that of pauses too.
	require.True(t, parse[struct{ OK bool }](t, w.good("topics", "check", "--json")).OK)

	conn, err := clickhouse.Open(house.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	ask := func(ctx context.Context, sql string) (text string, err error) {
		err = conn.QueryRow(ctx, "SELECT toString(("+sql+"))").Scan(&text)
		return text, err
	}
	expect := func(sql, want string) {
		t.Helper()
		harness.Eventually(t, within, func(ctx context.Context) error {
			if text, err := ask(ctx, sql); err != nil || text != want {
				return fmt.Errorf("%s gives %s, not %s (%w)", sql, text, want, err)
			}
			return nil
		})
	}
	name := func(n int) string { return fmt.Sprintf("%s.patient:%d", w.source, n) }
	theirs, others := []string{name(1), name(2)}, []string{name(3), name(4), name(5)}
	expect("SELECT count() FROM silver.v_clinic_patient WHERE person_id != ''", "5")
	expect("SELECT uniqExact(person_id) FROM silver.v_clinic_patient", "3")
	expect("SELECT count() FROM bronze.clinic_patient", "5")
	kafka := w.kafka()
	vault, public := topic.Vault(w.source, "public", "patient"), topic.Public(w.source, "public", "patient")
	linksOfOthers := func() map[string]string {
		all := last(t, kafka, topic.IdentityLink)
		maps.DeleteFunc(all, func(key, value string) bool { return len(naming(map[string]string{key: value}, others...)) == 0 })
		return all
	}
	before := linksOfOthers()
	require.Len(t, before, 3)
	vaultBefore := last(t, kafka, vault)
	require.Len(t, vaultBefore, 5)

	logs.holds.Store(true)
	sweep.holds.Store(true)
	d := w.run("identity", "erase", "--record", name(1), "--reason", "asked in writing", "--yes", "--wait", "0s", "--json")
	require.Equal(t, 1, d.code, "it still stands: %s%s", d.stdout, d.stderr)
	e := parse[erased](t, d.stdout)
	require.ElementsMatch(t, theirs, e.Records)
	logs.kills(t, processor.Process)
	sweep.kills(t, sink.Process)

	// The very middle of both.
	ledger, _, err := feed.Read(t.Context(), kafka)
	require.NoError(t, err)
	done := ledger.Done(e.ID)
	require.Contains(t, done, erasure.StepMatcher)
	require.Contains(t, done, erasure.StepVault)
	require.Contains(t, done, erasure.StepLetters)
	require.NotContains(t, done, erasure.StepLogs)
	require.NotContains(t, done, erasure.StepClickHouse+"sink_"+w.source)
	require.NotEmpty(t, naming(last(t, kafka, topic.IdentityAudit), theirs...), "the look before it is there, with the name")
	expect("SELECT countIf(patient_id IN (1, 2)), count() FROM bronze.clinic_patient", "(0,3)")
	expect("SELECT countIf(patient_id IN (1, 2)) FROM silver.clinic_patient FINAL", "2")

	// Meanwhile the sector writes of them, and of somebody new.
	events := func(ctx context.Context) (n int, err error) {
		err = kafka.ReadAll(ctx, public, func(topic.Record) error { n++; return nil })
		return n, err
	}
	written, err := events(t.Context())
	require.NoError(t, err)
	w.exec("UPDATE patient SET full_name = 'Nguyễn Văn Ân' WHERE patient_id IN (1, 2); INSERT INTO patient VALUES (6, '079085012345', 'Nguyễn Văn An'), (7, '079088007777', 'Phạm Hòa')")

	processor, sink = w.start("processor", "run"), w.start("sink", "run")
	w.set("identity.url", processor.http)
	processor.ready()
	sink.ready()
	harness.Eventually(t, within, func(context.Context) error {
		d := w.run("identity", "erasures", "--json")
		if d.code > 1 {
			return errors.New(d.stderr)
		}
		all := parse[[]erased](t, d.stdout)
		require.Len(t, all, 1)
		if e = all[0]; d.code != 0 || len(e.Open) > 0 {
			return fmt.Errorf("still stand: %v", e.Open)
		}
		return nil
	})
	require.Equal(t, "in force", e.State)
	require.Equal(t, 1, e.Numbers)
	require.ElementsMatch(t, []string{"matcher", "vault", "letters", "logs", "capture/" + w.source, "clickhouse/sink_" + w.source}, e.steps())
	require.Contains(t, w.good("identity", "erasures"), e.ID)

	// Whoever is new is there, and linked; a new row with the erased number is not.
	expect("SELECT groupArray(patient_id) FROM (SELECT patient_id FROM silver.v_clinic_patient WHERE person_id != '' ORDER BY patient_id)", "[3,4,5,7]")
	for _, of := range []string{"silver.clinic_patient FINAL", "bronze.clinic_patient"} {
		expect("SELECT arraySort(groupUniqArray(patient_id)) FROM "+of, "[3,4,5,7]")
	}
	now, err := events(t.Context())
	require.NoError(t, err)
	require.Equal(t, written+1, now, "of the erased no event came")
	for _, table := range []string{"silver.clinic_patient_history", "silver.identity_link", "bronze.identity_link", "silver.identity_edge", "bronze.identity_edge", "bronze.identity_event", "silver.identity_review", "ops.dead_letter"} {
		exists, err := ask(t.Context(), "EXISTS TABLE "+table)
		if err != nil || exists != "1" {
			continue
		}
		expect("SELECT countIf(position(toString(tuple(*)), '"+name(1)+"') > 0 OR position(toString(tuple(*)), '"+name(2)+"') > 0) FROM "+table, "0")
	}

	// And of the topics' future.
	after := last(t, kafka, vault)
	require.Len(t, after, 4)
	for key, value := range after {
		if had, ok := vaultBefore[key]; ok {
			require.Equal(t, had, value)
		}
		require.NotContains(t, value, "079085012345")
	}
	for _, of := range []string{topic.IdentityEdge, topic.IdentityLink, topic.IdentityEvent, topic.IdentityDecision, topic.IdentityReview, topic.IdentityAudit, topic.Audit} {
		require.Empty(t, naming(last(t, kafka, of), theirs...), of)
	}
	require.Equal(t, before, linksOfOthers(), "links of others are as they were")
}
