// Package access decides who reads what in ClickHouse (P11): the roles, the
// rights of each over the columns that there are, and the statements that bring
// a server's grants to them.
//
// What belongs here: which column is open to whom, from the sector files. It is
// default closed: a column, mart or table of ops that nobody described is open to
// no role but its sector's steward. What never does: speaking to ClickHouse
// (package clickhouse), and people: an administrator grants roles to users.
//
// The package is pure.
package access
