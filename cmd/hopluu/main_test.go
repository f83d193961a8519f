package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// Help is how the program is learnt: every command says what it does, how it
// is called, and refuses arguments that it does not take.
func TestHelpTeaches(t *testing.T) {
	t.Setenv("HOPLUU_CONFIG", "")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		path := c.CommandPath()
		require.NotEmpty(t, c.Short, path)
		if c.Name() != "version" {
			require.NotEmpty(t, c.Example, path)
			require.True(t, c.Long != "" || c.HasSubCommands() || c.Name() == "example", path)
		}
		require.NotNil(t, c.RunE, path)
		if !strings.Contains(c.Use, "[SOURCE...]") {
			require.NotNil(t, c.Args, path)
		} else {
			require.NotNil(t, c.ValidArgsFunction, path)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			require.LessOrEqual(t, len([]rune(line)), 100, "%s: %s", path, line)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                                   "plain",
		"failed to connect:\n\ta: no\n\tb: no":    "failed to connect: a: no; b: no",
		"one\ntwo\n\n  three ":                    "one; two; three",
		"  spaces \t in   between":                "spaces in between",
		errors.Join(errors.New("a"), nil).Error(): "a",
		`read silver: sendQuery: Post "http://default:***@10.0.0.1:8123?client_protocol_version=54460&database=default&max_execution_time=34": context canceled`: "read silver: ClickHouse at 10.0.0.1:8123: context canceled",
		`Post "http://registry:8081/subjects?x=1": EOF`: `Post "http://registry:8081/subjects?x=1": EOF`,
	} {
		require.Equal(t, want, oneLine(errors.New(text)))
	}
}

func TestExitCodes(t *testing.T) {
	live, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		ctx    context.Context
		err    error
		code   int
		stderr string
	}{
		{t.Context(), nil, 0, ""},
		{t.Context(), errFound, 1, ""},
		{t.Context(), errors.Join(errFound, nil), 1, ""},
		{t.Context(), fmt.Errorf("still there: a: %w", errFound), 1, "hopluu: still there: a: something was found\n"},
		{t.Context(), errors.New("a\nb"), 2, "hopluu: a; b\n"},
		{t.Context(), context.Canceled, 2, "hopluu: context canceled\n"},
		{live, fmt.Errorf("dial: %w", context.Canceled), 130, "hopluu: interrupted\n"},
		{live, errors.New("disk"), 130, "hopluu: disk\n"},
	} {
		var stderr strings.Builder
		require.Equal(t, c.code, exitCode(c.ctx, c.err, &stderr), c.err)
		require.Equal(t, c.stderr, stderr.String())
	}
	require.NoError(t, stopped(live, fmt.Errorf("dial: %w", context.Canceled)), "an end that was asked for")
	require.Error(t, stopped(live, errors.New("disk")))
	require.Error(t, stopped(t.Context(), context.Canceled))
}

// Who asks for something while ClickHouse is away is told in one line which address
// does not answer and what to do: no settings of the driver, no password.
func TestClickHouseAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hopluu.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
kafka: {brokers: ["127.0.0.1:1"]}
registry: {url: "http://127.0.0.1:1"}
clickhouse: {dsn: "http://default:secret@127.0.0.1:1/default?max_execution_time=7"}
tokens: {key: "`+strings.Repeat("0", 64)+`"}
sources: [{name: health, sector: health, dsn: "postgres://u:p@127.0.0.1:1/health"}]
`), 0o600))
	for _, args := range [][]string{
		{"reconcile"},
		{"replay", "plan", "--topic", "health.public.patient", "--from", "earliest"},
		{"trace", "gold.deaths_by_ward"},
		{"dlq", "list"},
		{"access", "show"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel() // each asks again for a while
			root := rootCommand()
			var out bytes.Buffer
			root.SetOut(&out)
			root.SetErr(&out)
			root.SetArgs(append(args, "--config", path))
			var said bytes.Buffer
			require.Equal(t, exitFailed, exitCode(t.Context(), root.ExecuteContext(t.Context()), &said))
			require.Equal(t, 1, strings.Count(said.String(), "\n"))
			require.Contains(t, said.String(), "127.0.0.1:1 does not answer: dial tcp 127.0.0.1:1: connect: connection refused; check ")
			for _, part := range []string{"client_protocol_version", "server hello", "max_execution_time", "secret"} {
				require.NotContains(t, said.String()+out.String(), part)
			}
		})
	}
}

// JSON has small letters throughout.
func TestRolesAsJSON(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, printJSON(&b, rightsOf(set, nil)))
	require.Contains(t, b.String(), `"vi": "`)
	require.Contains(t, b.String(), `"en": "`)
	require.NotRegexp(t, `"[A-Z]\w*":`, b.String())
}

// P1: every way in which a topic may lose events is a fault.
func TestCompareTopic(t *testing.T) {
	want := topic.Spec{Name: "a", Partitions: 2, Replication: 3, Config: map[string]string{"min.insync.replicas": "2", "max.message.bytes": "1000", "retention.ms": "-1"}}
	have := func(change func(*topic.Description)) topic.Description {
		d := topic.Description{Partitions: 2, Replication: 3, Config: map[string]string{
			"min.insync.replicas": "2", "max.message.bytes": "1000", "retention.ms": "-1", "cleanup.policy": "delete", "unclean.leader.election.enable": "false",
		}}
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		change func(*topic.Description)
		level  postgres.Level
		what   string
	}{
		"as wanted": {func(*topic.Description) {}, "", ""},
		"more is fine": {func(d *topic.Description) {
			d.Replication = 5
			d.Config["min.insync.replicas"] = "3"
			d.Config["max.message.bytes"] = "2000"
		}, "", ""},
		"other partitions":  {func(d *topic.Description) { d.Partitions = 3 }, postgres.Fault, "3 partitions"},
		"fewer copies":      {func(d *topic.Description) { d.Replication = 1 }, postgres.Fault, "1 copies"},
		"fewer in sync":     {func(d *topic.Description) { d.Config["min.insync.replicas"] = "1" }, postgres.Fault, "min.insync.replicas"},
		"unclean leader":    {func(d *topic.Description) { d.Config["unclean.leader.election.enable"] = "true" }, postgres.Fault, "leader"},
		"compacted":         {func(d *topic.Description) { d.Config["cleanup.policy"] = "compact" }, postgres.Fault, "cleanup.policy"},
		"smaller messages":  {func(d *topic.Description) { d.Config["max.message.bytes"] = "10" }, postgres.Fault, "max.message.bytes"},
		"shorter retention": {func(d *topic.Description) { d.Config["retention.ms"] = "10" }, postgres.Warning, "retention.ms"},
	} {
		found := compareTopic(want, have(c.change), true)
		if c.level == "" {
			require.Empty(t, found, name)
			continue
		}
		require.Len(t, found, 1, name)
		require.Equal(t, c.level, found[0].Level, name)
		require.Contains(t, found[0].What, c.what, name)
		require.NotEmpty(t, found[0].Mend, name)
	}
	found := compareTopic(want, topic.Description{}, false)
	require.Len(t, found, 1)
	require.Equal(t, "missing", found[0].What)
}

// A sector may have many sources, under names that are not its own: each has
// topics, slot and publication of its own, and shares the sector's tables.
func TestManySourcesOfOneSector(t *testing.T) {
	c := config.Default()
	c.Sources = []config.Source{
		{Name: "bv115", Sector: "health", Slot: "hopluu_bv115", DSN: "postgres://a@b/c"},
		{Name: "health", Sector: "health", Slot: "hopluu_health", DSN: "postgres://a@b/d"},
		{Name: "thue", Sector: "tax", Slot: "hopluu_thue", DSN: "postgres://a@b/e"},
	}
	sources, err := reachable(c, nil)
	require.NoError(t, err)
	require.Len(t, sources, 3)
	require.Equal(t, sources[0].Described, sources[1].Described)
	require.Equal(t, "tax", sources[2].Described.Sector)

	names := map[string]bool{}
	for _, s := range sourceTopics(c, sources) {
		require.False(t, names[s.Name], "topic %s is there twice", s.Name)
		names[s.Name] = true
	}
	for _, name := range []string{"bv115.public.patient", "health.public.patient", "vault.bv115.public.patient", "thue.public.taxpayer"} {
		require.True(t, names[name], name)
	}
	require.False(t, names["tax.public.taxpayer"])

	chosen, err := reachable(c, []string{"thue", "bv115"})
	require.NoError(t, err)
	require.Equal(t, []string{"thue", "bv115"}, []string{chosen[0].Name, chosen[1].Name})
}
