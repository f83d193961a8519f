package reconcile

import (
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// The golden values of the unit test are ClickHouse's own.
func TestIntHash64IsClickHouses(t *testing.T) {
	house, err := clickhouse.Open(harness.ClickHouse(t).Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, house.Close()) })
	for x, want := range map[uint64]string{0: "4761183170873013810", 1: "10577349846663553072", 2: "18198135717204167749", 1000000: "14608560239930825669", 9223372036854775807: "16054072765933828340"} {
		require.Equal(t, []string{want}, texts(t, house, fmt.Sprintf("SELECT toString(intHash64(toInt64(%d)))", x)))
	}
}
