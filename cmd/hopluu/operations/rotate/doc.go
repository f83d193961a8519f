// Package rotate moves the platform from one key of tokens to the next without
// linking anybody anew (P11): it says which tables in ClickHouse still have
// tokens of earlier keys, and which keys something still needs.
//
// The matcher has no tokens: it decides by the vault's plain values, and a
// person_id is made of records' names. Where a name holds a token, that is of the
// record key ("k1_…"), which no rotation changes: such tokens are never behind.
package rotate
