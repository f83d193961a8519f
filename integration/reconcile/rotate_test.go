package reconcile

import (
	"context"
	"errors"
	"fmt"
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

// rotatedFile has two tables that give people's numbers, one whose primary key is a
// number, without a word of it in the file, and two that refer to that one.
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
    person: direct
    columns:
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Identity number}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: insurance, type: text, meaning: {vi: Bảo hiểm, en: Insurance}, sensitivity: identifier, identifier: insurance}
      - {name: name, type: text, meaning: {vi: Tên, en: Name}, sensitivity: personal, match: full_name}
  - name: renewal
    meaning: {vi: Gia hạn, en: Renewals}
    person: {via: holder, to: card}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: holder, type: text, meaning: {vi: Chủ thẻ, en: Holder}, sensitivity: identifier, identifier: cccd}
      - {name: by_cccd, type: text, meaning: {vi: Người làm, en: By whom}, sensitivity: identifier, identifier: cccd}
  - name: fee
    meaning: {vi: Lệ phí, en: Fees}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: card, type: text, meaning: {vi: Thẻ, en: Card}, sensitivity: identifier, identifier: cccd, refers: card}
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

// number is somebody's CCCD, as the database makes it: those of different people
// are not one with a digit mistyped.
func number(n int) string { return fmt.Sprintf("079085%06d", n*30011) }

// P11, P12: under a new key of tokens every row comes to have its tokens, what is
// compared agrees, and who was erased under the old key stays out under the new
// one; without the old key capture does not begin. Nobody is linked anew, equal
// numbers have equal tokens again, and what names records by a number (a primary
// key, and what refers to it) keeps its tokens, so that those records stay too.
func TestP11RotatedKeyMovesEveryRow(t *testing.T) {
	r := newRig(t, rotatedFile, `
		CREATE FUNCTION number(n int) RETURNS text LANGUAGE sql RETURN '079085' || lpad((n * 30011)::text, 6, '0');
		CREATE TABLE public.patient (id bigint PRIMARY KEY, cccd text, name text);
		CREATE TABLE public.encounter (id bigint PRIMARY KEY, patient bigint, note text);
		CREATE TABLE public.visitor (id bigint PRIMARY KEY, cccd text, name text);
		CREATE TABLE public.card (cccd text PRIMARY KEY, insurance text, name text);
		CREATE TABLE public.renewal (id bigint PRIMARY KEY, holder text REFERENCES public.card, by_cccd text);
		CREATE TABLE public.fee (id bigint PRIMARY KEY, card text);
		INSERT INTO public.patient SELECT n, number(n), 'Name of ' || n FROM generate_series(1, 30) n;
		INSERT INTO public.visitor SELECT n, number(n), 'Name of ' || n FROM generate_series(11, 30) n;
		INSERT INTO public.card SELECT number(n), 'DN' || n, 'Name of ' || n FROM generate_series(21, 30) n;
		INSERT INTO public.renewal SELECT n, number(n), number(n + 1) FROM generate_series(21, 29) n;
		INSERT INTO public.fee SELECT n, number(n) FROM generate_series(21, 24) n;
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

	sources := []rotate.Source{{Name: s.Name, Sector: r.sector}}
	look := func(version uint8) rotate.Report {
		t.Helper()
		ledger, _, err := feed.Read(t.Context(), r.config.Kafka)
		require.NoError(t, err)
		report, err := rotate.Look(t.Context(), r.config.ClickHouse, version, sources, ledger)
		require.NoError(t, err)
		return report
	}
	// Fees have no token that moves.
	require.Equal(t, []rotate.Table{
		{Source: s.Name, Table: "public.patient", Rows: map[string]uint64{"1": 30}},
		{Source: s.Name, Table: "public.visitor", Rows: map[string]uint64{"1": 20}},
		{Source: s.Name, Table: "public.card", Rows: map[string]uint64{"1": 10}},
		{Source: s.Name, Table: "public.renewal", Rows: map[string]uint64{"1": 9}},
	}, look(1).Tables)

	// Somebody is erased under the first key.
	id := harness.Name("e")
	card := func(n int) string {
		return s.Name + ".card:" + string(r.config.Records.Append(nil, "cccd", []byte(number(n))))
	}
	erased := &erasure.Erasure{ID: id, Version: 1, Records: []string{s.Name + ".patient:7", card(21)}, By: "an", Reason: "asked"}
	key, value, err := erased.Message()
	require.NoError(t, err)
	tokens := []string{string(r.config.Tokens.Append(nil, "cccd", []byte(number(7))))}
	foundKey, found, err := erasure.Found{Tokens: tokens}.Message(id, erasure.FoundVault)
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), r.config.Kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}, feed.Message{Key: foundKey, Value: found}))
	c.stop()
	var before map[string]string
	harness.Eventually(t, within, func(context.Context) error {
		if before = r.persons(s); len(before) != 58 {
			return fmt.Errorf("%d of 58 records have a person: %v", len(before), before)
		}
		// The erased card's name came first, and so made the id of the person.
		if of := fmt.Sprintf("%s.patient:21", s.Name); before[of] != identity.PersonOf(of).String() {
			return fmt.Errorf("patient 21 has still the person that the erased card was: %v", before)
		}
		for n := 22; n <= 30; n++ {
			if of := before[card(n)]; of == "" || of != before[fmt.Sprintf("%s.patient:%d", s.Name, n)] {
				return fmt.Errorf("patient %d and card %s are not one yet: %v", n, card(n), before)
			}
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
		return texts(t, r.config.ClickHouse, "SELECT concat(_topic, ' ', toString(_partition), ' ', toString(_offset)) FROM bronze.identity_link WHERE source = '"+s.Name+"' AND NOT match(record, 'patient:7(0[01])?$') AND record != '"+card(21)+"' ORDER BY 1")
	}
	links := told()
	// What names records, and joins them.
	names := func() []string {
		return texts(t, r.config.ClickHouse, fmt.Sprintf("SELECT arrayStringConcat([c.cccd, ifNull(n.holder, ''), ifNull(f.card, '')], ' ') FROM silver.%s AS c FINAL LEFT JOIN silver.%s AS n FINAL ON n.holder = c.cccd LEFT JOIN silver.%s AS f FINAL ON f.card = c.cccd ORDER BY 1",
			r.dataset("public.card"), r.dataset("public.renewal"), r.dataset("public.fee")))
	}
	// The sink takes out of silver what speaks of the erased card, too.
	var named []string
	harness.Eventually(t, within, func(context.Context) error {
		if named = names(); len(named) != 9 || strings.Count(strings.Join(named, " "), "k1_") != 9+8+3 {
			return fmt.Errorf("%v", named)
		}
		return nil
	})

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
	require.Len(t, report.Needed["1"], 5, "the rows of four tables, and who is erased")
	var behind []string
	for _, table := range report.Tables {
		require.True(t, table.Behind, table.Table)
		behind = append(behind, table.Table)
	}
	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name, behind...))
	r.exec(s, `INSERT INTO public.patient VALUES (700, number(7), 'Again 7'), (701, '079085009999', 'Another')`)
	harness.Eventually(t, within, func(context.Context) error {
		tables := look(2).Tables
		for i, rows := range []uint64{30, 20, 9, 8} {
			if of := tables[i].Rows; of["1"] != 0 || of["2"] != rows {
				return fmt.Errorf("%v", tables)
			}
		}
		return nil
	})
	results := r.compare(s)
	for name, result := range results {
		require.True(t, result.OK, "%s: %+v\n%s", name, result, r.explain(s, result))
	}
	require.Equal(t, int64(2), results["public.patient"].Erased)
	require.Equal(t, int64(1), results["public.card"].Erased)
	require.Equal(t, int64(1), results["public.renewal"].Erased, "of the erased card")
	require.Equal(t, named, names(), "names of records, and what joins with them, stay")
	for _, table := range r.sector.Tables {
		require.Equal(t, []string{"0"}, texts(t, r.config.ClickHouse, "SELECT toString(count()) FROM silver."+r.sector.Sector+"_"+table.Name+" FINAL WHERE match(toString(tuple(*)), 't1_[a-z2-7]{26}')"), "%s has tokens of the old key", table.Name)
	}
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
	r.refusesOtherKeys(s, c, old, erased)
}

// refusesOtherKeys wants a captured source not to begin with keys that are not those
// that it was captured with, the connector that runs not to be disturbed, and the
// record key to be changed by those who ask for it (P11).
func (r *rig) refusesOtherKeys(s reconcile.Source, runs running, old *token.Tokenizer, erased *erasure.Erasure) {
	t := r.t
	t.Helper()
	right := r.config
	refused := func(why string, change func()) {
		t.Helper()
		r.config = right
		change()
		require.ErrorContains(t, r.newConnector(s, connectors.Load{}).Run(t.Context()), why)
		r.config = right
	}
	refused("the token key (tokens.key_file) is not the one of version 2", func() { r.config.Tokens = tokenizer(t, 2, "another") })
	refused("the key of version 1 under tokens.old is not the one", func() { r.config.OldTokens = []*token.Tokenizer{tokenizer(t, 1, "another")} })
	refused("tokens.version is 1, but source "+s.Name+" has tokens of version 2", func() { r.config.Tokens, r.config.OldTokens = old, nil })
	refused("tokens.record_key_file", func() { r.config.Records = nil })
	other := recordTokenizer(t, "other")
	tables := []string{"public.card", "public.fee", "public.renewal"}
	refused("hopluu connector resnapshot "+s.Name+" "+strings.Join(tables, " "), func() { r.config.Records = other })

	require.NoError(t, runs.Ready())
	runs.stop() // it was not taken the source from, which would be an error

	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name, tables...))
	refused("people are erased by tokens of that one, who would come back", func() { r.config.Records = other }) // P12
	erased.Version, erased.Lift = 2, &erasure.Lift{Reason: "registered anew", By: "an"}
	key, value, err := erased.Message()
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), r.config.Kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}))
	// The sink keeps rows out until it has read that, too; its copy says that it has.
	harness.Eventually(t, within, func(context.Context) error {
		if len(texts(t, r.config.ClickHouse, "SELECT key FROM ops.erasure WHERE key = '"+string(key)+"' AND value LIKE '%registered anew%'")) == 0 {
			return errors.New("the sink has not read the lift yet")
		}
		return nil
	})
	r.config.Records = other
	r.connector(s, connectors.Load{})
	harness.Eventually(t, within, func(context.Context) error {
		for _, table := range tables {
			rows := texts(t, r.config.ClickHouse, "SELECT toString(tuple(*)) FROM silver."+r.dataset(table)+" FINAL ORDER BY 1")
			for _, row := range rows {
				if strings.Contains(row, string(right.Records.Append(nil, "cccd", []byte(number(22))))) {
					return fmt.Errorf("%s has the name of before: %s", table, row)
				}
			}
			if want := map[string]int{"public.card": 10, "public.fee": 4, "public.renewal": 9}[table]; len(rows) != want {
				return fmt.Errorf("%s has %d rows, not %d", table, len(rows), want)
			}
		}
		return nil
	})
}
