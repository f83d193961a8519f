package topic

import (
	"context"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func join(t *testing.T, c *Client, topics ...string) *Group {
	t.Helper()
	g, err := c.Join(testContext(t), GroupConfig{ID: "g", Topics: topics})
	require.NoError(t, err)
	return g
}

func next(t *testing.T, g *Group) *Generation {
	t.Helper()
	gen, err := g.Next(testContext(t))
	require.NoError(t, err)
	return gen
}

func TestGroupGivesPartitionsAndKeepsOffsets(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(3, "a", "b"))
	ctx := testContext(t)
	g := join(t, c, "a", "b")
	gen := next(t, g)
	require.Equal(t, map[Partition]int64{
		{"a", 0}: -1, {"a", 1}: -1, {"a", 2}: -1, {"b", 0}: -1, {"b", 1}: -1, {"b", 2}: -1,
	}, gen.Assigned())
	require.NoError(t, gen.Commit(ctx, nil))
	require.NoError(t, gen.Commit(ctx, map[Partition]int64{{"a", 1}: 7, {"b", 2}: 0}))
	select {
	case <-gen.Done():
		t.Fatal("the generation ended by itself")
	default:
	}
	require.NoError(t, g.Close())
	<-gen.Done()
	_, err := g.Next(ctx)
	require.ErrorIs(t, err, ErrClosed)

	committed, err := c.Committed(ctx, "g", Partition{"a", 1}, Partition{"b", 2}, Partition{"a", 0})
	require.NoError(t, err)
	require.Equal(t, map[Partition]int64{{"a", 1}: 7, {"b", 2}: 0, {"a", 0}: -1}, committed)
	g = join(t, c, "a", "b")
	gen = next(t, g)
	require.EqualValues(t, 7, gen.Assigned()[Partition{"a", 1}])
	require.EqualValues(t, 0, gen.Assigned()[Partition{"b", 2}])
	require.EqualValues(t, -1, gen.Assigned()[Partition{"a", 0}])
	require.NoError(t, g.Close())
}

// A second member takes a share. The first is told, and until it has let go
// of its work by calling Next it is not in the new generation, so that the
// second waits; what it commits afterwards with the old one is refused.
func TestRebalance(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(4, "a", "b"))
	ctx := testContext(t)
	one := join(t, c, "a", "b")
	defer one.Close()
	first := next(t, one)
	require.Len(t, first.Assigned(), 8)

	two := join(t, c, "a", "b")
	defer two.Close()
	theirs := make(chan *Generation, 1)
	failed := make(chan error, 1)
	go func() {
		gen, err := two.Next(ctx)
		if err != nil {
			failed <- err
			return
		}
		theirs <- gen
	}()
	select {
	case <-first.Done():
	case err := <-failed:
		require.NoError(t, err)
	case <-ctx.Done():
		t.Fatal("the first member was not told of the rebalance")
	}
	require.Empty(t, theirs, "the second has partitions that the first still works on")
	require.NoError(t, first.Commit(ctx, map[Partition]int64{{"a", 0}: 1}), "the last work of a generation counts until the next one begins")

	mine := next(t, one)
	var other *Generation
	select {
	case other = <-theirs:
	case err := <-failed:
		require.NoError(t, err)
	}
	// By ranges: the same partition numbers of both topics go together.
	require.Len(t, mine.Assigned(), 4)
	require.Len(t, other.Assigned(), 4)
	for p := range mine.Assigned() {
		require.NotContains(t, other.Assigned(), p)
		if p.Topic == "a" {
			require.Contains(t, mine.Assigned(), Partition{"b", p.ID})
		}
	}
	all := maps.Clone(mine.Assigned())
	maps.Copy(all, other.Assigned())
	require.Len(t, all, 8)
	require.EqualValues(t, 1, all[Partition{"a", 0}])

	require.ErrorIs(t, first.Commit(ctx, map[Partition]int64{{"a", 0}: 9}), ErrGenerationEnded)
	require.NoError(t, mine.Commit(ctx, map[Partition]int64{{"a", 0}: 2}))

	// The second leaves: the first has all again.
	require.NoError(t, two.Close())
	<-mine.Done()
	require.Len(t, next(t, one).Assigned(), 8)
}

func TestGroupWithoutItsTopic(t *testing.T) {
	_, c := fakeBroker(t)
	_, err := c.Join(testContext(t), GroupConfig{ID: "g", Topics: []string{"nowhere"}})
	require.ErrorContains(t, err, "topic nowhere is not there")
}

func TestNextIsCancelled(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	g := join(t, c, "a")
	defer g.Close()
	next(t, g)
	stop, cancel := context.WithCancel(testContext(t))
	cancel()
	_, err := g.Next(stop)
	require.ErrorIs(t, err, context.Canceled)
}
