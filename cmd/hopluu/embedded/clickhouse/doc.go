// Package clickhouse serves ClickHouse's HTTP interface over ClickHouse's
// engine as a shared library, on one machine: `hopluu embedded clickhouse`.
//
// What belongs here: calling the library, and what a ClickHouse server's HTTP
// handler does around a query: parameters, settings, formats, compression,
// errors. What never does: hopluu's tables, and anything of a distributed
// installation, which has a real server and never imports this package.
package clickhouse
