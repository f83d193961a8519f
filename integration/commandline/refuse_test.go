package commandline

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// What is wrong with the command line or the configuration is told in one line
// that names the key and what to do, with exit code 2.
func TestWrongCommandLines(t *testing.T) {
	w := shared(t)
	for _, c := range []struct {
		args  []string
		texts []string
	}{
		{[]string{"conector"}, []string{"did you mean connector?"}},
		{[]string{"connector", "chek"}, []string{"did you mean check?"}},
		{[]string{"topics", "dance"}, []string{"hopluu topics --help"}},
		{[]string{"sink", "run", "now"}, []string{`"now"`, "--help"}},
		{[]string{"connector", "run", "--htpp", "x"}, []string{"--htpp", "hopluu connector run --help"}},
		{[]string{"reconcile", "--catch-up", "soon"}, []string{"--catch-up"}},
		{[]string{"connector", "enable"}, []string{"SOURCE"}},
		{[]string{"connector", "resnapshot"}, []string{"SOURCE"}},
		{[]string{"connector", "enable", w.source, "--run"}, []string{"--admin"}},
		{[]string{"connector", "disable", w.source, "--admin", w.admin}, []string{"--run"}},
		{[]string{"connector", "disable", w.source, "--run", "--admin", w.admin, "--json"}, []string{"--json"}},
		{[]string{"connector", "enable", w.source, "--run", "--admin", "postgres://a:secret@b:c/d"}, []string{"--admin"}},
		{[]string{"connector", "enable", w.source, "--run", "--admin", strings.Replace(w.admin, "/"+w.source, "/postgres", 1)}, []string{"--admin", `"postgres"`, w.source}},
		{[]string{"connector", "check", "nobody"}, []string{"nobody", w.source}},
		{[]string{"connector", "run", "nobody"}, []string{"nobody", w.source}},
		{[]string{"connector", "status", "nobody"}, []string{"nobody", w.source}},
		{[]string{"connector", "resnapshot", "nobody"}, []string{"nobody", w.source}},
		{[]string{"connector", "resnapshot", w.source}, []string{"never captured", "hopluu connector run"}},
		{[]string{"connector", "resnapshot", w.source, "--from", "1"}, []string{"--from and --to are of one table"}},
		{[]string{"connector", "run", w.source, w.source}, []string{"twice"}},
		{[]string{"reconcile", "nobody"}, []string{"nobody", w.source}},
		{[]string{"topics", "check", "-c", "/nonexistent.yaml"}, []string{"/nonexistent.yaml", "--config"}},
		{[]string{"dev", "--rate", "0"}, []string{"--rate"}},
		{[]string{"dev", "--kafka-port", "70000"}, []string{"--kafka-port"}},
		{[]string{"dev", "clean", "--data", os.TempDir()}, []string{"nothing is removed"}},
	} {
		w.refused(c.args, c.texts...)
	}
	w.env = []string{"HOPLUU_CONFIG="}
	w.refused([]string{"topics", "check"}, "no configuration", "--config", "HOPLUU_CONFIG")
	// A demonstration must not write into a real installation.
	w.env = []string{"HOPLUU_CLICKHOUSE_DSN=http://default@127.0.0.1:1/default"}
	w.refused([]string{"dev", "--data", w.dir + "/demo"}, "HOPLUU_CLICKHOUSE_DSN")
	w.env = []string{"HOPLUU_DEMO_PERSON=3"}
	w.refused([]string{"dev", "--data", w.dir + "/demo"}, "HOPLUU_DEMO_PERSON")
	require.NoDirExists(t, w.dir+"/demo")
}

func TestWrongConfigurations(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	// As ClickHouse answers a wrong password; the embedded one has none.
	house := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X-ClickHouse-Exception-Code", "516")
		http.Error(rw, "Code: 516. DB::Exception: default: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)", http.StatusForbidden)
	}))
	t.Cleanup(house.Close)
	stranger := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is signed by nobody
	t.Cleanup(stranger.Close)
	server, broker := harness.Postgres(t), harness.Kafka(t)
	replica := harness.Postgres(t, harness.WithSetting("wal_level", "replica"))
	registry := shared(t).registry()
	url := "http://" + registry.listen()
	connector, processor, sink := []string{"connector", "run"}, []string{"processor", "run"}, []string{"sink", "run"}

	for name, c := range map[string]struct {
		change func(w *world)
		args   []string
		texts  []string
	}{
		"unknown key":            {func(w *world) { w.set("topics.partition", 3) }, connector, []string{"topics.partition: field partition is not known", "hopluu config example"}},
		"unknown variable":       {func(w *world) { w.env = []string{"HOPLUU_TOPIC_PARTITIONS=3"} }, connector, []string{"HOPLUU_TOPIC_PARTITIONS"}},
		"no number":              {func(w *world) { w.env = []string{"HOPLUU_TOPICS_PARTITIONS=many"} }, connector, []string{"HOPLUU_TOPICS_PARTITIONS", "many"}},
		"contradiction":          {func(w *world) { w.set("topics.min_insync_replicas", 2) }, connector, []string{"topics.min_insync_replicas"}},
		"one copy":               {func(w *world) { w.set("single_machine", false) }, connector, []string{"topics.replication", "single_machine: true"}},
		"three copies, one":      {func(w *world) { w.set("topics.replication", 3) }, connector, []string{"topics.replication is 3", "1 broker"}},
		"three copies, one, too": {func(w *world) { w.set("topics.replication", 3) }, []string{"topics", "create"}, []string{"topics.replication is 3", "1 broker"}},
		"no sources":             {func(w *world) { w.set("sources", nil) }, connector, []string{"sources is empty"}},
		"no sector file":         {func(w *world) { w.setSource("sector", "school") }, connector, []string{"school", "clinic"}},
		"no sectors":             {func(w *world) { w.set("sectors_dir", "/nonexistent") }, connector, []string{"/nonexistent"}},
		"bad sector file":        {func(w *world) { w.write("sectors/school.yaml", "sector: school\nsystm: 3\n") }, connector, []string{"school.yaml:2", "systm"}},
		"no dsn":                 {func(w *world) { w.setSource("dsn", "") }, connector, []string{"dsn", "HOPLUU_SOURCE_"}},
		"dsn cannot be read":     {func(w *world) { w.setSource("dsn", "postgres://a:secret@b:c/d") }, connector, []string{"dsn", "postgres://user:password@host:5432/database"}},
		"dsn without database":   {func(w *world) { w.setSource("dsn", "postgres://a:secret@127.0.0.1:1") }, connector, []string{"dsn", "database"}},
		"no token key":           {func(w *world) { w.set("tokens.key_file", nil) }, connector, []string{"tokens.key_file", "openssl rand"}},
		"token key file gone":    {func(w *world) { w.set("tokens.key_file", "/nonexistent") }, []string{"reconcile"}, []string{"tokens.key_file", "/nonexistent"}},
		"token key too short":    {func(w *world) { w.write("token.key", "abcd") }, connector, []string{"tokens.key_file", "32 are needed"}},
		"no record key": {func(w *world) {
			w.exec("ALTER TABLE public.patient DROP CONSTRAINT patient_pkey, ADD PRIMARY KEY (cccd)")
			w.set("tokens.record_key_file", nil).setSource("dsn", w.admin)
		}, connector, []string{"column cccd of table public.patient", "tokens.record_key_file", "openssl rand"}},
		"record key is the token key": {func(w *world) { w.set("tokens.record_key_file", filepath.Join(w.dir, "token.key")) }, connector, []string{"tokens.record_key_file holds a token key", "openssl rand"}},
		"two record keys":             {func(w *world) { w.set("tokens.record_key", "ab") }, connector, []string{"tokens.record_key and tokens.record_key_file"}},
		"no Kafka":                    {func(w *world) { w.set("kafka.brokers", []string{"127.0.0.1:1"}) }, []string{"topics", "check"}, []string{"kafka.brokers", "127.0.0.1:1"}},
		"unknown CA": {func(w *world) {
			w.set("kafka", tree{"brokers": []string{stranger.Listener.Addr().String()}, "tls": tree{"enabled": true}})
		}, processor, []string{"kafka.brokers", "certificate signed by unknown authority"}},
		"ClickHouse's CA": {func(w *world) {
			w.set("clickhouse.dsn", "https://default:secret@"+stranger.Listener.Addr().String()+"/default?secure=true")
		}, sink, []string{"clickhouse.dsn", "certificate signed by unknown authority"}},
		"no Kafka's address":     {func(w *world) { w.set("kafka.brokers", []string{"localhost"}) }, processor, []string{"kafka.brokers", "host:port"}},
		"no CA":                  {func(w *world) { w.set("kafka.tls", tree{"enabled": true, "ca_file": "/nonexistent"}) }, connector, []string{"kafka.tls.ca_file"}},
		"no registry, processor": {func(w *world) { w.set("registry.url", nil) }, processor, []string{"registry.url", "hopluu registry run"}},
		"registry is no URL":     {func(w *world) { w.set("registry.url", "127.0.0.1:8081") }, processor, []string{"registry.url"}},
		"no ClickHouse":          {func(w *world) { w.set("clickhouse.dsn", "http://default:secret@127.0.0.1:1/default") }, []string{"reconcile"}, []string{"clickhouse.dsn", "127.0.0.1:1"}},
		"no ClickHouse, native":  {func(w *world) { w.set("clickhouse.dsn", "clickhouse://default:secret@127.0.0.1:1/default") }, []string{"reconcile"}, []string{"clickhouse.dsn", "127.0.0.1:1"}},
		"no clickhouse.dsn":      {func(w *world) { w.set("clickhouse.dsn", nil) }, sink, []string{"clickhouse.dsn", "HOPLUU_CLICKHOUSE_DSN"}},
		"ClickHouse's password": {func(w *world) {
			w.set("clickhouse.dsn", strings.Replace(house.URL, "http://", "http://leader:secret@", 1))
		}, sink, []string{"clickhouse.dsn", "leader", "password"}},
		"PostgreSQL's password": {func(w *world) { w.setSource("dsn", strings.Replace(w.admin, "postgres:", "postgres:wrong", 1)) }, connector, []string{"postgres", "password", "dsn"}},
		"no such database":      {func(w *world) { w.setSource("dsn", strings.Replace(w.admin, "/"+w.source, "/elsewhere", 1)) }, connector, []string{"elsewhere", "dsn"}},
		"not enabled":           {func(w *world) { w.setSource("dsn", w.admin) }, connector, []string{"publication", "hopluu connector enable"}},
		"wal_level": {func(w *world) {
			other := newWorld(t, replica, broker)
			other.set("registry.url", url)
			*w = *other
			w.good("connector", "enable", w.source, "--run", "--admin", w.admin)
		}, connector, []string{"wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical'", "restart"}},
		"http port taken":     {func(w *world) { w.set("http.listen", taken.Addr().String()) }, processor, []string{"http.listen", "--http"}},
		"registry port taken": {func(w *world) { w.set("registry.listen", taken.Addr().String()) }, []string{"registry", "run"}, []string{"registry.listen", "--listen"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, server, broker)
			w.set("registry.url", url)
			c.change(w)
			w.refused(c.args, c.texts...)
		})
	}
}

// listen is the address that the registry was given.
func (s *stage) listen() string {
	return strings.TrimPrefix(s.w.config["registry"].(tree)["url"].(string), "http://")
}
