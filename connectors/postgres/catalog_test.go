package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One đồng is one of its smallest unit, a dollar a hundred, a dinar a thousand.
func TestDigitsOfMoney(t *testing.T) {
	for want, unit := range map[int][]byte{
		0: {0, 0, 0, 0, 0, 0, 0, 1}, 2: {0, 0, 0, 0, 0, 0, 0, 100}, 3: {0, 0, 0, 0, 0, 0, 3, 0xe8},
	} {
		digits, err := digitsOf(unit)
		require.NoError(t, err)
		require.Equal(t, want, digits)
	}
	_, err := digitsOf([]byte{1})
	require.ErrorContains(t, err, "not 8")
}
