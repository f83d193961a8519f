package checkpoint

import (
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func TestRoundTrip(t *testing.T) {
	c := Checkpoint{
		SystemID: "7", Timeline: 1, Slot: "s", Epoch: 2, LSN: 10, Ordinal: 3, Message: 9, Confirmed: 12,
		Tables: map[string]Table{"public.a": {Complete: true, Rows: 5}, "public.b": {Done: []Blocks{{From: 8, To: 9}}, Blocks: 10, Relfilenode: 16400, From: 7, To: 9, Published: 3, Columns: []Column{{Name: "id", Number: 1, Type: 20, Typmod: -1}}}},
	}
	data, err := c.Marshal()
	require.NoError(t, err)
	again, err := Parse(data)
	require.NoError(t, err)
	require.Nil(t, again.Tables, "the tables are kept apart: they change seldom")
	data, err = MarshalTables(c.Tables)
	require.NoError(t, err)
	again.Tables, err = ParseTables(data)
	require.NoError(t, err)
	require.Equal(t, c, again)
	_, err = ParseTables([]byte("["))
	require.Error(t, err)
	_, err = Parse([]byte("{"))
	require.Error(t, err)
}

// Many rows share one LSN; a restart in their middle must lose none of the rest.
func TestCase02RestartInsideATransaction(t *testing.T) {
	c := Checkpoint{Epoch: 1, LSN: 100, Ordinal: 7}
	require.True(t, c.Produced(event.Position{Epoch: 1, LSN: 100, Ordinal: 7}))
	require.False(t, c.Produced(event.Position{Epoch: 1, LSN: 100, Ordinal: 8}))
	require.True(t, c.Produced(event.Position{Epoch: 1, LSN: 99, Ordinal: 900}))
	require.False(t, c.Produced(event.Position{Epoch: 1, LSN: 101, Ordinal: 1}))
	require.False(t, c.Produced(event.Position{Epoch: 2, LSN: 1, Ordinal: 1}))
}

// A message is known by its own LSN: after a cut between it and the rows around
// it neither is lost nor doubled.
func TestMessageProduced(t *testing.T) {
	c := Checkpoint{Epoch: 1, LSN: 100, Ordinal: 7, Message: 90}
	require.True(t, c.MessageProduced(99, 95))
	require.True(t, c.MessageProduced(100, 90))
	require.False(t, c.MessageProduced(100, 91))
	require.False(t, c.MessageProduced(101, 80))
	require.False(t, c.MessageProduced(120, 120), "of no transaction")
	require.False(t, Checkpoint{LSN: 100, Ordinal: 7}.MessageProduced(100, 90), "no message of it was")
}

// A slot missing, made anew or moved is a gap that is found and said.
func TestCase08GapIsFound(t *testing.T) {
	c := Checkpoint{SystemID: "7", Timeline: 1, Slot: "s", Epoch: 1, Confirmed: 100}
	ok := Server{SystemID: "7", Timeline: 1, SlotExists: true, SlotConfirmed: 100}
	require.NoError(t, c.Check(ok))
	for name, change := range map[string]func(*Server){
		"system":   func(s *Server) { s.SystemID = "8" },
		"timeline": func(s *Server) { s.Timeline = 2 },
		"missing":  func(s *Server) { s.SlotExists = false },
		"lost":     func(s *Server) { s.SlotLost = true },
		"moved":    func(s *Server) { s.SlotConfirmed = 101 },
	} {
		s := ok
		change(&s)
		var gap *GapError
		require.ErrorAs(t, c.Check(s), &gap, name)
	}
}

// Case 8: a standby that was promoted is captured further when it has all that
// was captured, and only then.
func TestCase08Promotion(t *testing.T) {
	c := Checkpoint{SystemID: "7", Timeline: 1, Slot: "s", Epoch: 3, LSN: 90, Ordinal: 2, Confirmed: 100, Tables: map[string]Table{"a": {Complete: true, To: 80}}}
	promoted := Server{SystemID: "7", Timeline: 3, Switched: 95, SlotExists: true, SlotConfirmed: 90}
	require.NoError(t, c.Check(promoted))
	next := c.Continued(promoted)
	require.Equal(t, int32(3), next.Timeline)
	require.Equal(t, event.LSN(95), next.Confirmed, "the rest was of the old timeline, and nothing came of it")
	require.Equal(t, []any{c.Epoch, c.LSN, c.Ordinal}, []any{next.Epoch, next.LSN, next.Ordinal})
	require.Equal(t, c, c.Continued(Server{SystemID: "7", Timeline: 1}))
	for name, v := range map[string]struct {
		change func(*Checkpoint, *Server)
		says   string
	}{
		"another history":                      {func(_ *Checkpoint, s *Server) { s.Switched = 0 }, "does not come from timeline 1"},
		"an event beyond the end":              {func(c *Checkpoint, _ *Server) { c.LSN = 95 }, "never reached this server"},
		"a snapshot beyond the end":            {func(c *Checkpoint, _ *Server) { c.Tables = map[string]Table{"a": {To: 96}} }, "up to 0/60"},
		"no slot":                              {func(_ *Checkpoint, s *Server) { s.SlotExists = false }, "is gone"},
		"a slot that was made after promotion": {func(_ *Checkpoint, s *Server) { s.SlotConfirmed = 97 }, "made anew"},
	} {
		c, s := c, promoted
		v.change(&c, &s)
		require.ErrorContains(t, c.Check(s), v.says, name)
	}
}

func TestPendingAndRestarted(t *testing.T) {
	c := Checkpoint{Epoch: 3, Tables: map[string]Table{"a": {Complete: true}, "b": {Blocks: 4}}}
	require.Equal(t, []string{"b", "c"}, c.Pending([]string{"a", "b", "c"}))
	r := c.Restarted()
	require.Equal(t, uint32(3), r.Epoch)
	require.True(t, r.Tables["a"].Restart)
	require.Equal(t, []string{"a", "b", "c"}, r.Pending([]string{"a", "b", "c"}))
}

// P4: which changes a table's snapshots may not speak of.
func TestTornAndSuperseded(t *testing.T) {
	untouched := Table{}
	require.False(t, untouched.Torn(100), "all its rows are still to be read")
	begun := Table{From: 50, To: 50}
	require.False(t, begun.Torn(49))
	require.True(t, begun.Torn(50), "what is left may be read at a later LSN")
	require.True(t, begun.Torn(1000))
	once := Table{From: 50, To: 50, Complete: true}
	require.False(t, once.Torn(50), "one snapshot saw it whole")
	resumed := Table{From: 50, To: 70, Complete: true}
	require.True(t, resumed.Torn(50))
	require.True(t, resumed.Torn(69))
	require.False(t, resumed.Torn(70))
	require.True(t, resumed.Superseded(49))
	require.False(t, resumed.Superseded(50))
	require.False(t, begun.Superseded(10), "a row of it may be still to come")
}
