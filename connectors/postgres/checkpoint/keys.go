package checkpoint

import (
	"slices"
)

// MaxKeys is how many keys of a table may wait to be read anew: they stand in its
// state. More than that is a range, or the table.
const MaxKeys = 10_000

// AskedKeys gives the state in which rows are to be read anew; ok is false when
// there would be more than MaxKeys.
func (t Table) AskedKeys(keys ...[]string) (state Table, ok bool) {
	all := slices.Clone(t.Keys)
	for _, key := range keys {
		if !slices.ContainsFunc(all, sameKey(key)) {
			all = append(all, key)
		}
	}
	if len(all) > MaxKeys {
		return t, false
	}
	t.Keys = all
	return t, true
}

// AnsweredKeys gives the state after rows were read. What nobody asks for any
// more, as when all of the table is read anew meanwhile, changes nothing.
func (t Table) AnsweredKeys(keys ...[]string) Table {
	t.Keys = slices.DeleteFunc(slices.Clone(t.Keys), func(key []string) bool {
		return slices.ContainsFunc(keys, sameKey(key))
	})
	if len(t.Keys) == 0 {
		t.Keys = nil
	}
	return t
}

func sameKey(key []string) func([]string) bool {
	return func(other []string) bool { return slices.Equal(key, other) }
}
