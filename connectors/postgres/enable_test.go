package postgres

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names and passwords are any text: none may end its quote.
func TestBlocksAreQuoted(t *testing.T) {
	require.Equal(t, "DO $$ BEGIN a END $$", do("a"))
	require.Equal(t, "DO $_$ BEGIN '$$' END $_$", do("'$$'"))
	require.Equal(t, "DO $__$ BEGIN '$$ $_$' END $__$", do("'%s'", "$$ $_$"))
	require.Equal(t, "'it''s'", literal("it's"))
	require.Equal(t, ` E'a\\''b'`, literal(`a\'b`))
}

// A statement that fails is named in an error, which must not hold a password.
func TestNoPasswordInErrors(t *testing.T) {
	for _, s := range (Setup{Database: "d", Role: "r", Password: "sesame", Slot: "s", Publication: "p"}).EnableScript() {
		require.NotContains(t, firstLine(s.SQL), "sesame")
		require.False(t, strings.Contains(s.Why, "sesame"))
	}
}
