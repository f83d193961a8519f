package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	patients = `SELECT patient_id, full_name, notes, paid FROM public.patient`
	visits   = `SELECT patient_id, day, cost FROM public.visit`
)

func TestSnapshotThenStream(t *testing.T) {
	r := newRig(t)
	r.exec(`INSERT INTO public.patient VALUES (1, '079201001234', 'Nguyễn Văn An', 'cũ', 1.50), (2, NULL, 'Trần Thị Bé', NULL, NULL)`)
	c := r.start()
	topic := r.tail(r.public("patient"))
	topic.events(2)
	r.exec(`INSERT INTO public.patient VALUES (3, '079301005678', 'Lê Văn Cường', 'mới', 0)`)
	r.exec(`UPDATE public.patient SET full_name = 'Nguyễn Văn Ân' WHERE patient_id = 1`)
	r.exec(`DELETE FROM public.patient WHERE patient_id = 2`)
	all := topic.records(6)
	require.NoError(t, c.stop())

	require.Equal(t, "ru", ops(of(all, "1")))
	require.Equal(t, "rd-", ops(of(all, "2")))
	require.Equal(t, "c", ops(of(all, "3")))
	one := of(all, "1")
	require.True(t, one[0].Event.Snapshot)
	require.Equal(t, "Nguyễn Văn Ân", one[1].Row["full_name"])
	require.Equal(t, "1.50", one[1].Row["paid"])
	require.Positive(t, one[1].Event.Position.Compare(one[0].Event.Position))
	once(t, all)
}

// P11: the public topic has tokens, the vault the plaintext, under the same key.
func TestIdentifiersAreTokensOutsideTheVault(t *testing.T) {
	r := newRig(t)
	r.exec(`INSERT INTO public.patient VALUES (1, '079201001234', 'Nguyễn Văn An', 'bệnh án', 1)`)
	r.start()
	topic := r.tail(r.public("patient"))
	topic.events(1)
	r.exec(`INSERT INTO public.patient VALUES (2, '079201001234', 'Nguyễn Văn An', 'bệnh án', 1)`)
	public := topic.events(2)
	vault := map[string]message{}
	for _, m := range r.tail(r.vault("patient")).events(2) {
		vault[string(m.Key)] = m
	}
	for _, m := range public {
		require.NotContains(t, string(m.Value), "079201001234")
		require.True(t, strings.HasPrefix(m.Row["cccd"], "t1_"), m.Row["cccd"])
		require.Equal(t, public[0].Row["cccd"], m.Row["cccd"], "one number has one token, from snapshot and stream")
		plain := vault[string(m.Key)]
		require.Equal(t, m.Partition.ID, plain.Partition.ID)
		require.Equal(t, "079201001234", plain.Row["cccd"])
		require.NotContains(t, plain.Row, "notes", "the vault has only what matching needs")
	}
}
