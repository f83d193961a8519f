package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSnapshotThenStream(t *testing.T) {
	r := newRig(t)
	r.exec(`INSERT INTO public.patient VALUES (1, '079201001234', 'Nguyễn Văn An', 'cũ', 1.50), (2, NULL, 'Trần Thị Bé', NULL, NULL)`)
	stop := r.start()
	r.await(r.public("patient"), 2)
	r.exec(`INSERT INTO public.patient VALUES (3, '079301005678', 'Lê Văn Cường', 'mới', 0)`)
	r.exec(`UPDATE public.patient SET full_name = 'Nguyễn Văn Ân' WHERE patient_id = 1`)
	r.exec(`DELETE FROM public.patient WHERE patient_id = 2`)
	all := r.await(r.public("patient"), 5)
	require.NoError(t, stop())

	require.Equal(t, "ru", ops(byID(all, "1")))
	require.Equal(t, "rd-", ops(byID(all, "2")))
	require.Equal(t, "c", ops(byID(all, "3")))
	one := byID(all, "1")
	require.True(t, one[0].Event.Snapshot)
	require.Equal(t, "Nguyễn Văn Ân", one[1].Row["full_name"])
	require.Equal(t, "decimal \x00\x96", one[1].Row["paid"])
	require.Positive(t, one[1].Event.Position.Compare(one[0].Event.Position))
}

// P11: the public topic has tokens, the vault the plaintext, under the same key.
func TestIdentifiersAreTokensOutsideTheVault(t *testing.T) {
	r := newRig(t)
	r.exec(`INSERT INTO public.patient VALUES (1, '079201001234', 'Nguyễn Văn An', 'bệnh án', 1)`)
	r.start()
	r.await(r.public("patient"), 1)
	r.exec(`INSERT INTO public.patient VALUES (2, '079201001234', 'Nguyễn Văn An', 'bệnh án', 1)`)
	public := r.await(r.public("patient"), 2)
	vault := r.await(r.vault("patient"), 2)
	for i, m := range public {
		require.NotContains(t, string(m.Value), "079201001234")
		require.True(t, strings.HasPrefix(m.Row["cccd"], "t1_"), m.Row["cccd"])
		require.Equal(t, public[0].Row["cccd"], m.Row["cccd"], "one number has one token, from snapshot and stream")
		require.Equal(t, string(m.Key), string(vault[i].Key))
		require.Equal(t, m.Partition.ID, vault[i].Partition.ID)
		require.Equal(t, "079201001234", vault[i].Row["cccd"])
		require.NotContains(t, vault[i].Row, "notes", "the vault has only what matching needs")
	}
}
