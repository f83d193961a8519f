package cluster_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

var update = flag.Bool("update", false, "write the golden files")

var city = &cluster.Cluster{Name: "city", Shards: 3}

func TestStatements(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"CREATE DATABASE IF NOT EXISTS gold COMMENT 'x'", "CREATE DATABASE IF NOT EXISTS gold ON CLUSTER `city` COMMENT 'x'"},
		{"CREATE DATABASE IF NOT EXISTS silver", "CREATE DATABASE IF NOT EXISTS silver ON CLUSTER `city`; CREATE DATABASE IF NOT EXISTS `silver_shard` ON CLUSTER `city`"},
		{"-- figures: a by b\nCREATE OR REPLACE VIEW gold.v AS SELECT 1", "-- figures: a by b\nCREATE OR REPLACE VIEW gold.v ON CLUSTER `city` AS SELECT 1"},
		{"CREATE TABLE ops.a (x Int8) ENGINE = MergeTree ORDER BY x", "CREATE TABLE ops.a ON CLUSTER `city` (x Int8) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}-{replica}') ORDER BY x"},
		{"CREATE TABLE ops.a (x Int8) ENGINE=ReplacingMergeTree() ORDER BY x", "CREATE TABLE ops.a ON CLUSTER `city` (x Int8) ENGINE=ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{shard}-{replica}') ORDER BY x"},
		{
			"CREATE TABLE silver.a (x Int8, `ENGINE` String COMMENT 'bronze.a') ENGINE = ReplacingMergeTree(v, d) ORDER BY x COMMENT 'it''s ENGINE = A'",
			"CREATE TABLE `silver_shard`.a ON CLUSTER `city` (x Int8, `ENGINE` String COMMENT 'bronze.a') ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', v, d) ORDER BY x COMMENT 'it''s ENGINE = A'; " +
				"CREATE TABLE IF NOT EXISTS `silver`.`a` ON CLUSTER `city` AS `silver_shard`.`a`\nENGINE = Distributed(`city`, `silver_shard`, `a`)\nCOMMENT 'it''s ENGINE = A'",
		},
		{
			"CREATE TABLE IF NOT EXISTS silver.`a_new` AS `silver`.a",
			"CREATE TABLE IF NOT EXISTS `silver_shard`.`a_new` ON CLUSTER `city` AS `silver_shard`.a; CREATE TABLE IF NOT EXISTS `silver`.`a_new` ON CLUSTER `city` AS `silver_shard`.`a_new`\nENGINE = Distributed(`city`, `silver_shard`, `a_new`)",
		},
		{"CREATE OR REPLACE VIEW silver.v_a AS SELECT * FROM silver.a FINAL", "CREATE OR REPLACE VIEW silver.v_a ON CLUSTER `city` AS SELECT * FROM silver.a FINAL"},
		{"ALTER TABLE silver.a ADD COLUMN IF NOT EXISTS y Int8", "ALTER TABLE `silver_shard`.a ON CLUSTER `city` ADD COLUMN IF NOT EXISTS y Int8; ALTER TABLE silver.a ON CLUSTER `city` ADD COLUMN IF NOT EXISTS y Int8"},
		{"ALTER TABLE silver.a MODIFY TTL x + INTERVAL 1 DAY", "ALTER TABLE `silver_shard`.a ON CLUSTER `city` MODIFY TTL x + INTERVAL 1 DAY"},
		{"ALTER TABLE silver.a DELETE WHERE x = 1", "ALTER TABLE `silver_shard`.a ON CLUSTER `city` DELETE WHERE x = 1"},
		{"ALTER TABLE bronze.a UPDATE x = ['1'][indexOf(['t'], y)] WHERE y IN ('t') SETTINGS mutations_sync = 2", "ALTER TABLE `bronze_shard`.a ON CLUSTER `city` UPDATE x = ['1'][indexOf(['t'], y)] WHERE y IN ('t') SETTINGS mutations_sync = 2"},
		{"ALTER TABLE ops.a DELETE WHERE x = 1", "ALTER TABLE ops.a ON CLUSTER `city` DELETE WHERE x = 1"},
		{"DELETE FROM bronze.a WHERE x = 1", "DELETE FROM `bronze_shard`.a ON CLUSTER `city` WHERE x = 1"},
		{"TRUNCATE TABLE ops.a", "TRUNCATE TABLE ops.a ON CLUSTER `city`"},
		{"DROP TABLE IF EXISTS silver.a SYNC", "DROP TABLE IF EXISTS silver.a ON CLUSTER `city` SYNC; DROP TABLE IF EXISTS `silver_shard`.a ON CLUSTER `city` SYNC"},
		{"DROP VIEW IF EXISTS silver.v_a", "DROP VIEW IF EXISTS silver.v_a ON CLUSTER `city`"},
		{"EXCHANGE TABLES silver.a AND silver.b", "EXCHANGE TABLES `silver_shard`.a AND `silver_shard`.b ON CLUSTER `city`"},
		{"GRANT SELECT ON gold.* TO leader", "GRANT ON CLUSTER `city` SELECT ON gold.* TO leader"},
		{"CREATE ROLE IF NOT EXISTS leader", "CREATE ROLE IF NOT EXISTS leader ON CLUSTER `city`"},
		{"INSERT INTO ops.a SELECT 1", "INSERT INTO ops.a SELECT 1"},
	} {
		got, err := city.Statements(c.sql)
		require.NoError(t, err, c.sql)
		require.Equal(t, c.want, strings.Join(got, "; "))
	}
}

// What is not known does not run on one server of many.
func TestStatementsRefuses(t *testing.T) {
	for _, sql := range []string{
		"", "SELECT 1", "CREATE", "CREATE TABLE", "CREATE TABLE silver.", "CREATE TABLE ops.a (x Int8) ENGINE = Memory", "CREATE TABLE ops.a (x Int8) ENGINE",
		"INSERT INTO silver.a SELECT 1", "EXCHANGE TABLES silver.a AND gold.b", "EXCHANGE TABLES silver.a", "RENAME TABLE silver.a TO silver.b", "DROP TABLE 'a'",
	} {
		_, err := city.Statements(sql)
		require.ErrorContains(t, err, "cluster city", sql)
	}
}

func TestLocal(t *testing.T) {
	require.Equal(t,
		"INSERT INTO `silver_shard`.`a` SELECT 'bronze.a', `bronze`, x.bronze.y -- silver.a\nFROM `bronze_shard`.a, ops.b",
		city.Local("INSERT INTO `silver`.`a` SELECT 'bronze.a', `bronze`, x.bronze.y -- silver.a\nFROM bronze.a, ops.b"))
}

// Every shard has its share, and a partition is always on the same one.
func TestShard(t *testing.T) {
	for _, topic := range []string{"health.public.patient", "tax.public.taxpayer"} {
		rows := make([]int, city.Shards)
		for p := range int32(12) {
			rows[city.Shard(topic, p)]++
		}
		require.Equal(t, []int{4, 4, 4}, rows)
	}
	require.Equal(t, 2, city.Shard("health.public.patient", 0), "another place would leave the rows that are there behind")
}

// The golden files of package tables, as a cluster gets them.
func TestTables(t *testing.T) {
	sql := tables.Databases()
	for _, file := range []string{"patient.sql", "evolve.sql", "keyless.sql"} {
		content, err := os.ReadFile(filepath.Join("..", "tables", "testdata", file))
		require.NoError(t, err)
		for s := range strings.SplitSeq(strings.TrimSpace(string(content)), ";\n") {
			sql = append(sql, strings.TrimSpace(strings.TrimSuffix(s, ";")))
		}
	}
	var b strings.Builder
	for _, one := range sql {
		if strings.HasPrefix(one, "INSERT") || strings.HasPrefix(one, "SELECT") || one == "" {
			continue
		}
		all, err := city.Statements(one)
		require.NoError(t, err)
		for _, s := range all {
			b.WriteString(s + ";\n\n")
		}
	}
	path := filepath.Join("testdata", "tables.sql")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

func FuzzStatements(f *testing.F) {
	f.Add("CREATE TABLE silver.a (x Int8) ENGINE = MergeTree ORDER BY x COMMENT 'a'")
	f.Add("ALTER TABLE `silver`.`a\\`b` ADD COLUMN \"x\" Int8 /* a")
	f.Add("DROP TABLE 'a")
	f.Fuzz(func(t *testing.T, sql string) {
		local := city.Local(sql)
		if !strings.Contains(sql, "bronze") && !strings.Contains(sql, "silver") {
			require.Equal(t, sql, local)
		}
		_, err := city.Statements(sql)
		if err == nil {
			require.NotEmpty(t, strings.TrimSpace(sql))
		}
	})
}
