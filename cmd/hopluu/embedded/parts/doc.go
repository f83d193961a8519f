// Package parts fetches and unpacks the servers of a one-machine
// installation: Kafka's jars, PostgreSQL's binaries and ClickHouse's engine,
// each through the package manager that the machine already has (mvn, npm),
// so that its mirrors, proxies and caches apply.
//
// What belongs here: where the parts are kept, fetching, checking, unpacking.
// What never does: starting a server, or any address of a download site.
package parts
