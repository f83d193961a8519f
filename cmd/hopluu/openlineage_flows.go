package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/views"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/lineage"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	sink "github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// The namespaces of data sets, as OpenLineage names them.
func kafkaNamespace(c config.Config) string { return "kafka://" + c.Kafka.Brokers[0] }

func houseNamespace(c config.Config) string {
	options, err := clickhouseOptions(c)
	if err != nil || len(options.Addr) == 0 {
		return "clickhouse://unknown" // the command that needs it says what is wrong
	}
	return "clickhouse://" + options.Addr[0]
}

// sourceNamespace gives the namespace of a source's tables, and what stands
// before their names.
func sourceNamespace(s source) (namespace, before string) {
	if s.files() {
		return "file", strings.TrimSuffix(s.Location, "/") + "/"
	}
	settings, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		return "postgres://unknown", "" // the connector says what is wrong
	}
	return "postgres://" + net.JoinHostPort(settings.Host, strconv.Itoa(int(settings.Port))), settings.Database + "."
}

// sourceFlow is a connector: tables into topics.
func (l *lineages) sourceFlow(ctx context.Context, c config.Config, schemas *registry.Client, s source) ([]flow, error) {
	namespace, before := sourceNamespace(s)
	f := flow{job: l.job("connector."+s.Name, lineage.Streaming, "CONNECTOR", "Changes of the source "+s.Name+" into Kafka"), within: -1}
	for i := range s.Described.Tables {
		t := &s.Described.Tables[i]
		in := lineage.Dataset{Namespace: namespace, Name: before + t.Schema + "." + t.Name, Description: meaningText(t.Meaning)}
		out := lineage.Dataset{Namespace: kafkaNamespace(c), Name: topic.Public(s.Name, t.Schema, t.Name), Description: meaningText(t.Meaning), From: map[string][]lineage.Field{}}
		secret := map[string]bool{}
		for _, col := range t.Columns {
			in.Columns = append(in.Columns, lineage.Column{Name: col.Name, Type: col.Type, Description: meaningText(col.Meaning)})
			secret[col.Name] = col.Sensitivity == sectors.Identifier || col.Privacy != ""
		}
		text, ok, err := schemas.Latest(ctx, out.Name+"-value")
		if err != nil {
			return nil, err
		}
		if ok {
			envelope, err := avro.ParseEnvelope(text)
			if err != nil {
				return nil, err
			}
			for _, col := range envelope.Columns() {
				kind := col.Type.Kind.String()
				if col.Type.Logical != "" {
					kind += " (" + col.Type.Logical + ")"
				}
				out.Columns = append(out.Columns, lineage.Column{Name: col.Name, Type: kind})
			}
		} else { // the connector has not met it yet: what the sector file promises
			for _, col := range t.Columns {
				if col.Privacy != sectors.Drop {
					out.Columns = append(out.Columns, lineage.Column{Name: col.Name, Type: col.Type})
				}
			}
		}
		for _, col := range out.Columns {
			out.From[col.Name] = []lineage.Field{{Namespace: in.Namespace, Name: in.Name, Column: col.Name, Masked: secret[col.Name]}}
		}
		f.inputs, f.outputs = append(f.inputs, in), append(f.outputs, out)
	}
	return []flow{f}, nil
}

func meaningText(t sectors.Text) string { return t.Vi + " — " + t.En }

// matcherFlow is the matcher: the vault's topics into links.
func (l *lineages) matcherFlow(c config.Config, sources []source) []flow {
	f := flow{job: l.job("matcher", lineage.Streaming, "PROCESSOR", "Records matched to their persons"), within: -1}
	for _, s := range sources {
		for i := range s.Described.Tables {
			if t := &s.Described.Tables[i]; t.Person != nil {
				f.inputs = append(f.inputs, lineage.Dataset{Namespace: kafkaNamespace(c), Name: topic.Vault(s.Name, t.Schema, t.Name)})
			}
		}
	}
	for _, name := range []string{topic.IdentityLink, topic.IdentityEvent, topic.IdentityReview} {
		f.outputs = append(f.outputs, lineage.Dataset{Namespace: kafkaNamespace(c), Name: name})
	}
	return []flow{f}
}

// sinkFlows are the sink, topics into bronze and silver, and the views of gold,
// which are computed of silver when they are read.
func (l *lineages) sinkFlows(ctx context.Context, c config.Config, settings sink.Config) (flows []flow, err error) {
	feeds, err := sink.Feeds(settings)
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(settings.ClickHouse)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	there, err := houseTables(ctx, conn, houseNamespace(c))
	if err != nil {
		return nil, err
	}
	f := flow{job: l.job("sink", lineage.Streaming, "SINK", "Topics into bronze and silver"), within: -1}
	for _, feed := range feeds {
		in := lineage.Dataset{Namespace: kafkaNamespace(c), Name: feed.Topic}
		f.inputs = append(f.inputs, in)
		for _, database := range []string{tables.Bronze, tables.Silver} {
			out, ok := there[database+"."+feed.Dataset]
			if !ok || slices.ContainsFunc(f.outputs, func(d lineage.Dataset) bool { return d.Name == out.Name }) {
				continue
			}
			out.From = map[string][]lineage.Field{}
			for _, col := range out.Columns {
				for _, other := range feeds {
					if other.Dataset == feed.Dataset && !strings.HasPrefix(col.Name, "_") {
						// A later version of a column is of the same field.
						field, _, _ := strings.Cut(col.Name, "__v")
						out.From[col.Name] = append(out.From[col.Name], lineage.Field{Namespace: in.Namespace, Name: other.Topic, Column: field})
					}
				}
			}
			f.outputs = append(f.outputs, out)
		}
	}
	flows = []flow{f}
	all, err := views.Read(ctx, conn)
	if err != nil {
		return nil, err
	}
	byName := map[string]views.View{}
	for _, v := range all {
		byName[v.String()] = v
	}
	for _, v := range all {
		out, ok := there[v.String()]
		if v.Database != tables.Gold || !ok {
			continue
		}
		g := flow{job: l.job(v.String(), lineage.Batch, "VIEW", out.Description), within: 0}
		g.job.SQL = v.Query
		for name := range views.Refers(v.Query) {
			// silver.v_x shows silver.x.
			if inner, is := byName[name]; is && inner.Database == tables.Silver {
				name = tables.Silver + "." + strings.TrimPrefix(inner.Name, "v_")
			}
			if in, ok := there[name]; ok && !slices.ContainsFunc(g.inputs, func(d lineage.Dataset) bool { return d.Name == in.Name }) {
				g.inputs = append(g.inputs, in)
			}
		}
		slices.SortFunc(g.inputs, func(a, b lineage.Dataset) int { return strings.Compare(a.Name, b.Name) })
		out.From = lineage.OfView(v.Query, out.Columns, g.inputs)
		g.outputs = []lineage.Dataset{out}
		flows = append(flows, g)
	}
	return flows, nil
}

// houseTables are the tables and views of ClickHouse with their columns.
func houseTables(ctx context.Context, conn driver.Conn, namespace string) (there map[string]lineage.Dataset, err error) {
	rows, err := conn.Query(ctx, "SELECT c.database, c.table, t.comment, c.name, c.type, c.comment FROM system.columns AS c INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table WHERE c.database IN ('bronze', 'silver', 'gold') ORDER BY c.database, c.table, c.position")
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	there = map[string]lineage.Dataset{}
	for rows.Next() {
		var database, table, comment string
		var col lineage.Column
		if err := rows.Scan(&database, &table, &comment, &col.Name, &col.Type, &col.Description); err != nil {
			return nil, err
		}
		d := there[database+"."+table]
		d.Namespace, d.Name, d.Description = namespace, database+"."+table, comment
		d.Columns = append(d.Columns, col)
		there[d.Name] = d
	}
	return there, rows.Err()
}
