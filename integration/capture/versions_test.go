package capture

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
)

// oldest is the test whose subtests are on the oldest PostgreSQL.
const oldest = "TestOldestPostgres"

// source is the shared PostgreSQL of a test: the newest, and in the subtests of
// TestOldestPostgres the oldest.
func source(t *testing.T, options ...harness.Option) *harness.PostgresServer {
	t.Helper()
	if strings.HasPrefix(t.Name(), oldest+"/") {
		options = append(options, harness.WithVersion(harness.OldestPostgres))
	}
	return harness.Postgres(t, options...)
}

// What differs between versions of the server is what it sends: these tests
// look at all of that, and run on the oldest once more.
func TestOldestPostgres(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"SnapshotThenStream", TestSnapshotThenStream},
		{"SavepointRollback", TestCase03SavepointRollback},
		{"StreamedSavepoints", TestCase03StreamedSavepoints},
		{"SameEventsByEveryProtocol", TestSameEventsByEveryProtocol},
		{"PreparedTransactions", TestPreparedTransactions},
		{"KeyChange", TestCase16KeyChange},
		{"Truncate", TestCase16Truncate},
		{"KeyChangesAroundATruncate", TestCase16KeyChangesAroundATruncate},
		{"Toast", TestCase13UnchangedIsNotNull},
		{"ReplicaIdentityFull", TestCase13ReplicaIdentityFull},
		{"SchemaChanges", TestCase22SchemaChanges},
		{"Gap", TestCase08Gap},
		{"Golden", TestGoldenFromSnapshotAndStream},
		{"RandomValues", TestRandomValuesAgree},
		{"IdleTable", TestCase10IdleTable},
		{"RestartsInTheMiddle", TestCase01RestartsInTheMiddle},
		{"Partitioned", TestPartitionedUnderItsRoot},
		{"Partitions", TestCase36Partitions},
		{"Rewrites", TestCase36Rewrites},
		{"PreflightOfAReadyDatabase", TestPreflightOfAReadyDatabase},
		{"PreflightFindings", TestPreflightFindings},
		{"PreflightOfPrivacy", TestPreflightOfPrivacy},
		{"PrivacyAtTheSource", TestPrivacyAtTheSource},
		{"PrivacyOfPartitions", TestPrivacyOfPartitionsAndAnotherFilter},
		{"EnableAndDisable", TestEnableAndDisable},
		{"EnableChangesWhatDiffers", TestEnableChangesWhatDiffers},
		{"EnableLeavesTheApplicationAlone", TestEnableLeavesTheApplicationAlone},
		{"DisableKeepsARole", TestDisableKeepsARoleThatIsNeeded},
		{"LeastPrivilege", TestLeastPrivilege},
	} {
		t.Run(test.name, test.run)
	}
}
