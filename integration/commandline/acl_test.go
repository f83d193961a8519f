package commandline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// guarded is a broker with Kafka's own authorizer, where users log in at another
// address than the administrator does.
func guarded(t *testing.T, users ...string) (admin *harness.KafkaBroker, login string) {
	t.Helper()
	login = "127.0.0.1:" + strconv.Itoa(harness.FreePort(t))
	jaas := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for _, u := range users {
		jaas += fmt.Sprintf(" user_%s=\"secret-%s\"", u, u)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	k, err := embedded.StartKafka(ctx, embedded.KafkaConfig{
		Parts: harness.Parts(t), Dir: harness.TempDir(t), Heap: "384m", QuickStart: true, Listener: "LOGIN://" + login,
		Settings: map[string]string{
			"listener.security.protocol.map":              "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
			"listener.name.login.sasl.enabled.mechanisms": "PLAIN",
			"listener.name.login.plain.sasl.jaas.config":  jaas + ";",
			"sasl.enabled.mechanisms":                     "PLAIN",
			"authorizer.class.name":                       "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users":                                 "User:ANONYMOUS",
			"allow.everyone.if.no.acl.found":              "false",
			"log.retention.ms":                            "-1",
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Kill()) })
	return harness.Broker(k), login
}

// P11: under the rights of `topics acl` capture works as the connector's user, the
// vault is refused to everybody but the matcher, and analysts read what is public.
func TestLeastRights(t *testing.T) {
	broker, login := guarded(t, "connector", "matcher", "sink", "analyst", "operator", "custodian", "nobody")
	w := newWorld(t, harness.Postgres(t), broker)
	w.registry() // as the administrator
	w.enable()
	w.good("topics", "create")
	rights := []string{"--connector", "User:connector", "--matcher", "User:matcher", "--sink", "User:sink", "--analyst", "User:analyst", "--operator", "User:operator", "--custodian", "User:custodian"}
	script := w.good(append([]string{"topics", "acl"}, rights...)...)
	vault, public := topic.Vault(w.source, "public", "patient"), topic.Public(w.source, "public", "patient")
	require.Contains(t, script, "--allow-principal 'User:matcher' --operation Read --operation Write --operation Describe --operation DescribeConfigs --topic '"+vault+"'")
	for line := range strings.Lines(script) {
		if strings.Contains(line, "'"+vault+"'") && strings.Contains(line, "--operation Read") {
			require.Contains(t, line, "'User:matcher'", "somebody else reads the vault")
			require.NotContains(t, line, "analyst")
		}
	}
	w.good(append([]string{"topics", "acl", "--run"}, rights...)...)

	as := func(user string) *topic.Client {
		client, err := topic.Dial(t.Context(), topic.Config{Brokers: []string{login}, ClientID: "test", SASL: &topic.SASL{Mechanism: "PLAIN", Username: user, Password: "secret-" + user}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		return client
	}
	// The connector as its own user.
	w.exec("INSERT INTO patient VALUES (1, '079085012345', 'Nguyễn Văn An'); INSERT INTO room VALUES (1, 1)")
	admin := w.config["kafka"]
	w.set("kafka", tree{"brokers": []string{login}, "sasl": tree{"mechanism": "PLAIN", "user": "connector", "password": "secret-connector"}})
	connector := w.start("connector", "run")
	connector.ready()
	w.set("kafka", admin)
	kafka := w.kafka()
	harness.Eventually(t, within, func(ctx context.Context) error {
		return errors.Join(atLeast(ctx, kafka, public, 1), atLeast(ctx, kafka, vault, 1))
	})
	reads := func(user, name string) (records int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		err = as(user).ReadAll(ctx, name, func(topic.Record) error { records++; return nil })
		return records, err
	}
	for user, name := range map[string]string{"matcher": vault, "analyst": public, "sink": public} {
		records, err := reads(user, name)
		require.NoError(t, err, user)
		require.Equal(t, 1, records, user)
	}
	for _, user := range []string{"analyst", "sink", "connector", "nobody"} {
		records, err := reads(user, vault)
		require.ErrorContains(t, err, "uthoriz", user)
		require.Zero(t, records, user)
	}
	_, err := reads("nobody", public)
	require.ErrorContains(t, err, "uthoriz")

	// Every stage and command under its user, as it is run.
	dir := harness.TempDir(t)
	house := harness.ClickHouse(t, harness.WithBackups(dir))
	w.set("clickhouse.dsn", "http://default@"+house.Addr+"/default")
	w.set("backup", tree{"to": dir, "key_file": w.write("backup.key", strings.Repeat("5c", 32))})
	under := func(user string) {
		w.set("kafka", tree{"brokers": []string{login}, "sasl": tree{"mechanism": "PLAIN", "user": user, "password": "secret-" + user}})
	}
	under("operator")
	w.acceptsItsModel()
	under("matcher")
	matchers := []*stage{w.start("processor", "run"), w.start("processor", "run")}
	under("sink")
	sink := w.start("sink", "run")
	sink.ready()
	matchers[0].ready()
	matchers[1].ready()
	conn, err := clickhouse.Open(house.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	expect := func(sql string) {
		t.Helper()
		harness.Eventually(t, within, func(ctx context.Context) error {
			var n uint64
			if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil || n == 0 {
				return fmt.Errorf("%s gives %d (%w)", sql, n, err)
			}
			return nil
		})
	}
	expect("SELECT count() FROM silver.v_clinic_patient WHERE person_id != ''")
	under("operator")
	w.good("reconcile", w.source, "--catch-up", within.String())
	// A dead letter of the sink, whose topic it makes.
	poison(t, kafka, w.source)
	expect("SELECT count() FROM ops.dead_letter FINAL WHERE state = 'open'")
	d := w.run("dlq", "list")
	require.Equal(t, 1, d.code, d.stderr)
	d = w.run("dlq", "retry", "--all") // it stays as broken as it is
	require.Less(t, d.code, 2, d.stderr)
	w.good("dlq", "discard", "--topic", topic.Public(w.source, "public", "room"), "--why", "a test")
	w.good("pause", "connector", w.source, "--why", "a test", "--by", "lan")
	w.good("resume", "connector", w.source, "--by", "lan")
	w.good("connector", "status", "--json")
	w.good("sink", "status", "--json")
	w.good("topics", "check")
	// Every group that reads our topics; two matchers may just share anew.
	harness.Eventually(t, within, func(context.Context) error {
		members := map[string]int{}
		for _, g := range parse[struct {
			Groups []struct {
				Group   string
				Members *int
			}
		}](t, w.good("top", "--json")).Groups {
			if g.Members != nil {
				members[g.Group] = *g.Members
			}
		}
		if members["sink_"+w.source] != 1 || members["hopluu-matcher"] != 2 || len(members) != 2 {
			return fmt.Errorf("top shows %v", members)
		}
		return nil
	})
	w.good("connector", "resnapshot", w.source, "public.room")
	w.good("replay", "plan", "--table", "clinic_patient", "--from", "earliest")
	w.good("replay", "run", "--table", "clinic_patient", "--from", "earliest")
	w.good("replay", "diff", "clinic_patient")
	w.good("audit", "--json")
	w.good("identity", "rotate")
	// The operator reads no vault, and writes no event.
	records, err := reads("operator", vault)
	require.ErrorContains(t, err, "uthoriz")
	require.Zero(t, records)
	for _, user := range []string{"operator", "analyst", "matcher", "sink"} {
		err := write(t, as(user), user, public)
		require.ErrorContains(t, err, "uthoriz", user)
	}
	w.refused([]string{"backup"}, "uthoriz")
	under("custodian")
	w.good("backup")

	// An erasure is written by its reviewer's matcher; its parts by who has the rows.
	eraseRecord(t, kafka, w.source+".patient:1")
	expect("SELECT count() FROM (SELECT count() AS n FROM silver.clinic_patient FINAL WHERE patient_id = 1) WHERE n = 0")
	harness.Eventually(t, within, func(ctx context.Context) error {
		var last *topic.Record
		err := kafka.ReadAll(ctx, vault, func(r topic.Record) error { last = &r; return nil })
		if err == nil && (last == nil || last.Value != nil) {
			err = errors.New("the vault still has the person")
		}
		return err
	})
	for _, s := range append(matchers, sink, connector) {
		require.NotContains(t, strings.ToLower(s.log()), "authoriz", s.Name)
		s.stop(syscall.SIGTERM)
	}

	// A login that the broker refuses ends a stage at once; a broker that is away
	// does not, and the matcher's rights are enough to share its work.
	wrong := tree{"brokers": []string{login}, "sasl": tree{"mechanism": "PLAIN", "user": "matcher", "password": "secret-connector"}}
	w.set("kafka", wrong)
	for _, args := range [][]string{{"processor", "run"}, {"registry", "run"}, {"topics", "check"}} {
		w.refused(args, "kafka.brokers", login, "SASL Authentication Failed")
	}
	wrong["sasl"].(tree)["password"] = "secret-matcher"
	beforeItsBroker(t, w, broker)
}

// poison puts what is no event into a table's topic.
func poison(t *testing.T, kafka *topic.Client, source string) {
	t.Helper()
	require.NoError(t, write(t, kafka, "poison", topic.Public(source, "public", "room")))
}

// write writes a message that is no event, under a transactional id of the user's.
func write(t *testing.T, kafka *topic.Client, id, name string) (err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: map[string]string{
		"operator": "hopluu-operator", "matcher": "hopluu-matcher.test", "sink": "none", "analyst": "none", "poison": "poison",
	}[id]})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	if err := producer.Add(ctx, topic.Partition{Topic: name}, []byte("poisoned"), []byte("poisoned"), 1); err != nil {
		return err
	}
	return producer.Commit(ctx)
}

// eraseRecord has a record erased, as the command does.
func eraseRecord(t testing.TB, kafka *topic.Client, record string) {
	t.Helper()
	e := erasure.Erasure{ID: "e1", Version: 1, Records: []string{record}, Reason: "asked", By: "an", At: time.Now().UnixMilli()}
	key, value, err := e.Message()
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), kafka, "test-erasure", e.At, feed.Message{Key: key, Value: value}))
}
