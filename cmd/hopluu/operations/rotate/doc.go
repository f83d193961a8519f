// Package rotate moves the platform from one key of tokens to the next without
// linking anybody anew (P11): it says which tables in ClickHouse still have
// tokens of earlier keys, has these read anew, and says which keys something
// still needs.
//
// The matcher has no tokens: it decides by the vault's plain values, and a
// person_id is made of records' names. So a table whose very key is a token, and
// with it its records' names, cannot be moved so, and is refused.
package rotate
