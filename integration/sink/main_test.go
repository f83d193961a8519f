package sink

import (
	"os"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
