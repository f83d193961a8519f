package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/rotate"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// rotatedFile has two tables that give people's numbers, and one whose primary key
// is a number, without a word of it in the file.
const rotatedFile = clinicFile + `
  - name: visitor
    meaning: {vi: Người thăm, en: Visitors}
    person: direct
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Identity number}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: name, type: text, meaning: {vi: Tên, en: Name}, sensitivity: personal, match: full_name}
  - name: card
    meaning: {vi: Thẻ, en: Cards}
    columns:
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Identity number}, sensitivity: identifier, identifier: cccd}
      - {name: color, type: text, meaning: {vi: Màu, en: Colour}, sensitivity: internal}
`

// persons gives the person of each record that ClickHouse has a link of.
func (r *rig) persons(s reconcile.Source) map[string]string {
	r.t.Helper()
	all := map[string]string{}
	for _, line := range texts(r.t, r.config.ClickHouse, "SELECT concat(record, ' ', person_id) FROM silver.identity_link FINAL WHERE source = '"+s.Name+"'") {
		record, person, _ := strings.Cut(line, " ")
		all[record] = person
	}
	return all
}

// partition is the hash of who is whom.
func partition(t testing.TB, persons map[string]string) identity.Partition {
	t.Helper()
	var hash identity.PartitionHasher
	for record, person := range persons {
		id, err := identity.ParsePersonID(person)
		require.NoError(t, err)
		hash.Add(id, record)
	}
	return hash.Sum()
}

// P11, P12: under a new key of tokens every row comes to have its tokens, what is
// compared agrees, and who was erased under the old key stays out under the new
// one; without the old key capture does not begin. Nobody is linked anew, equal
// numbers have equal tokens again, and a table whose key is a number is refused
// before anything is done.
func TestP11RotatedKeyMovesEveryRow(t *testing.T) {
	r := newRig(t, rotatedFile, `
		CREATE TABLE public.patient (id bigint PRIMARY KEY, cccd text, name text);
		CREATE TABLE public.encounter (id bigint PRIMARY KEY, patient bigint, note text);
		CREATE TABLE public.visitor (id bigint PRIMARY KEY, cccd text, name text);
		CREATE TABLE public.card (cccd text PRIMARY KEY, color text);
		INSERT INTO public.patient SELECT n, '07908500' || (1000 + n), 'Name of ' || n FROM generate_series(1, 30) n;
		INSERT INTO public.visitor SELECT n, '07908500' || (1000 + n), 'Name of ' || n FROM generate_series(11, 30) n;
		INSERT INTO public.card VALUES ('079085001001', 'red');
		INSERT INTO public.encounter SELECT n, n % 30 + 1, 'x' FROM generate_series(1, 30) n`, 1)
	s := r.sources[0]
	for _, spec := range (connectors.Topics{Partitions: 2, Replication: 1, MinISR: 1}).IdentitySpecs() {
		_, err := r.config.Kafka.Ensure(t.Context(), spec)
		require.NoError(t, err)
	}
	ready := func(c running) running {
		harness.Eventually(t, within, func(context.Context) error { return c.Ready() })
		return c
	}
	c := ready(r.connector(s, connectors.Load{}))
	r.sink()
	r.agree()
	matched, err := matcher.New(matcher.Config{
		Kafka: r.config.Kafka, Registry: r.schemas, Sectors: &sectors.Set{Sectors: []sectors.Sector{r.sector}},
		Sources: []matcher.SourceRef{{Name: s.Name, Sector: r.sector.Sector}}, TransactionalID: harness.Name("matcher"),
		Log: r.log, Metrics: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	r.until(matched.Run)

	var refused *rotate.KeyError
	require.ErrorAs(t, rotate.Check(t.Context(), r.config.ClickHouse, []rotate.Source{{Name: s.Name, Sector: r.sector}}), &refused)
	require.Equal(t, []string{s.Name + ".card"}, refused.Tables, "its primary key is a number, and the file does not say so")
	moved := r.sector
	moved.Tables = slices.DeleteFunc(slices.Clone(moved.Tables), func(t sectors.Table) bool { return t.Name == "card" })
	sources := []rotate.Source{{Name: s.Name, Sector: moved}}
	look := func(version uint8) rotate.Report {
		t.Helper()
		ledger, _, err := feed.Read(t.Context(), r.config.Kafka)
		require.NoError(t, err)
		report, err := rotate.Look(t.Context(), r.config.ClickHouse, version, sources, ledger)
		require.NoError(t, err)
		return report
	}
	require.NoError(t, rotate.Check(t.Context(), r.config.ClickHouse, sources))
	require.Equal(t, []rotate.Table{
		{Source: s.Name, Table: "public.patient", Rows: map[string]uint64{"1": 30}},
		{Source: s.Name, Table: "public.visitor", Rows: map[string]uint64{"1": 20}},
	}, look(1).Tables)

	// Somebody is erased under the first key.
	id := harness.Name("e")
	key, value, err := (&erasure.Erasure{ID: id, Version: 1, Records: []string{s.Name + ".patient:7"}, By: "an", Reason: "asked"}).Message()
	require.NoError(t, err)
	tokens := []string{string(r.config.Tokens.Append(nil, "cccd", []byte("079085001007")))}
	foundKey, found, err := erasure.Found{Tokens: tokens}.Message(id, erasure.FoundVault)
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), r.config.Kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}, feed.Message{Key: foundKey, Value: found}))
	c.stop()
	var before map[string]string
	harness.Eventually(t, within, func(context.Context) error {
		if before = r.persons(s); len(before) != 49 {
			return fmt.Errorf("%d of 49 records have a person: %v", len(before), before)
		}
		for n := 11; n <= 30; n++ {
			if before[fmt.Sprintf("%s.patient:%d", s.Name, n)] != before[fmt.Sprintf("%s.visitor:%d", s.Name, n)] {
				return fmt.Errorf("patient and visitor %d are not one yet: %v", n, before)
			}
		}
		// The sink writes silver first.
		late := texts(t, r.config.ClickHouse, "SELECT record FROM silver.identity_link FINAL WHERE source = '"+s.Name+"' AND (_topic, _partition, _offset) NOT IN (SELECT _topic, _partition, _offset FROM bronze.identity_link)")
		if len(late) > 0 {
			return fmt.Errorf("bronze lacks %v", late)
		}
		return nil
	})
	told := func() []string {
		return texts(t, r.config.ClickHouse, "SELECT concat(_topic, ' ', toString(_partition), ' ', toString(_offset)) FROM bronze.identity_link WHERE source = '"+s.Name+"' AND NOT match(record, 'patient:7(0[01])?$') ORDER BY 1")
	}
	links := told()

	old := r.config.Tokens
	r.config.Tokens = tokenizer(t, 2, s.Name+" anew")
	require.ErrorContains(t, r.newConnector(s, connectors.Load{}).Run(t.Context()), "add that key to tokens.old")

	r.config.OldTokens = []*token.Tokenizer{old}
	c = ready(r.connector(s, connectors.Load{}))
	harness.Eventually(t, within, func(context.Context) error {
		if rows := look(2).Tables[0].Rows; rows["1"] != 29 {
			return fmt.Errorf("%v", rows)
		}
		return nil
	})
	report := look(2)
	require.True(t, report.Tables[0].Behind)
	require.Len(t, report.Needed["1"], 3, "the rows of two tables, and who is erased")
	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name, "public.patient", "public.visitor"))
	r.exec(s, `INSERT INTO public.patient VALUES (700, '079085001007', 'Again 7'), (701, '079085009999', 'Another')`)
	harness.Eventually(t, within, func(context.Context) error {
		tables := look(2).Tables
		if patients, visitors := tables[0].Rows, tables[1].Rows; patients["1"] != 0 || patients["2"] != 30 || visitors["1"] != 0 || visitors["2"] != 20 {
			return fmt.Errorf("%v", tables)
		}
		return nil
	})
	result := r.compare(s)["public.patient"]
	require.True(t, result.OK, "%+v", result)
	require.Equal(t, int64(2), result.Erased)
	require.Equal(t, map[string][]string{"1": {"erased people, who are known by tokens of it alone"}}, look(2).Needed)
	require.Equal(t, []string{"20"}, texts(t, r.config.ClickHouse, fmt.Sprintf("SELECT toString(count()) FROM silver.%s AS p FINAL INNER JOIN silver.%s AS v FINAL USING (cccd)", r.dataset("public.patient"), r.dataset("public.visitor"))))
	last := map[string]string{}
	require.NoError(t, r.config.Kafka.ReadAll(t.Context(), topic.Public(s.Name, "public", "visitor"), func(rec topic.Record) error {
		last[string(rec.Key)] = string(rec.Value)
		return nil
	}))
	for _, value := range last {
		require.NotContains(t, value, "t1_")
	}
	// Who came since is linked, so the matcher has read behind the new snapshot.
	var after map[string]string
	harness.Eventually(t, within, func(context.Context) error {
		if after = r.persons(s); after[s.Name+".patient:701"] == "" {
			return fmt.Errorf("not linked yet: %v", after)
		}
		return nil
	})
	delete(after, s.Name+".patient:701")
	require.Equal(t, before, after)
	require.Equal(t, partition(t, before), partition(t, after))
	require.Equal(t, links, told(), "and no link was told again")
	c.stop()

	tokenKey := r.sector
	tokenKey.Tables = append(tokenKey.Tables[:0:0], tokenKey.Tables...)
	tokenKey.Tables[0].Key = []string{"cccd"}
	require.ErrorAs(t, rotate.Check(t.Context(), r.config.ClickHouse, []rotate.Source{{Name: s.Name, Sector: tokenKey}}), &refused)
}
