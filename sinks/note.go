package sinks

import (
	"encoding/json"
	"fmt"
	"math"
)

// note is what the sink leaves beside a committed offset. It is committed with
// the generation, so a member that lost its partitions cannot leave one: who
// was given them sees every range that may still be under way to the store.
type note struct {
	Epoch uint32 `json:"epoch"`
	// First and Next are the pending range: it may have arrived at the store or
	// not, or may be about to. Next is 0 when there is none.
	First int64 `json:"first,omitempty"`
	Next  int64 `json:"next,omitempty"`
	// Held is the offset after the last record that the store is known to keep.
	Held int64 `json:"held,omitempty"`
	// Rewound says that an operator set the offset: what is read again is
	// written under a new epoch, above this one.
	Rewound bool `json:"rewound,omitempty"`
}

func (n note) pending() bool { return n.Next > 0 }

func (n note) String() string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // four numbers
	}
	return string(text)
}

// parseNote reads a note. An empty one is not ours: another tool set the
// offset, or nobody did.
func parseNote(text string) (n note, ours bool, err error) {
	if text == "" {
		return note{}, false, nil
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return note{}, false, fmt.Errorf("the note %q beside the group's offset is not the sink's: do several programs share the group?", text)
	}
	if n.First < 0 || n.Next < 0 || n.Held < 0 || n.pending() && n.First >= n.Next || n.Epoch == math.MaxUint32 {
		return note{}, false, fmt.Errorf("the note %q beside the group's offset makes no sense", text)
	}
	return n, true, nil
}
