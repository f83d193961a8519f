package commandline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
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
	broker, login := guarded(t, "connector", "matcher", "sink", "analyst", "nobody")
	w := newWorld(t, harness.Postgres(t), broker)
	w.registry() // as the administrator
	w.enable()
	w.good("topics", "create")
	rights := []string{"--connector", "User:connector", "--matcher", "User:matcher", "--sink", "User:sink", "--analyst", "User:analyst", "--operator", "User:operator"}
	script := w.good(append([]string{"topics", "acl"}, rights...)...)
	vault, public := topic.Vault(w.source, "public", "patient"), topic.Public(w.source, "public", "patient")
	require.Contains(t, script, "--allow-principal 'User:matcher' --operation Read --operation Describe --operation DescribeConfigs --topic '"+vault+"'")
	for line := range strings.Lines(script) {
		if strings.Contains(line, "'"+vault+"'") && strings.Contains(line, "--operation Read") {
			require.Contains(t, line, "'User:matcher'", "somebody else reads the vault")
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
	connector.stop(syscall.SIGTERM)

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
