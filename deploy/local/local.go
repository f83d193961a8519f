package local

import _ "embed"

const (
	// KafkaVersion is the version that kafka/pom.xml asks for.
	KafkaVersion = "4.1.0"
	// PostgresVersion is the version that postgres/pom.xml asks for.
	PostgresVersion = "18.0.0"
	// Postgres15Version is the version that postgres15/pom.xml asks for: the
	// oldest that capture is tried on.
	Postgres15Version = "15.14.0"
	// ClickHouseVersion is the version of the npm package below; ClickHouse's
	// own version is in it: 26.5.
	ClickHouseVersion = "26.5.3"
	// ClickHousePackage is ClickHouse's engine as a shared library, as npm
	// names it.
	ClickHousePackage = "@chdb/lib-linux-x64-gnu@" + ClickHouseVersion
	// ClickHouseIntegrity is the tarball's SHA-512 as npm writes it. The
	// library runs in our process, so we take this build and no other.
	ClickHouseIntegrity = "sha512-fPrLmRt5Moor9yGz4mazbrNje4t7X9KB2mTGkXFWRxRBs2iKy8yh6jx11xsa0Qr3iDFMU/yHqd+bVdYJXu3QaQ=="
)

// KafkaPOM names the broker's jars.
//
//go:embed kafka/pom.xml
var KafkaPOM []byte

// KafkaLogging configures the broker's log.
//
//go:embed kafka/log4j2.properties
var KafkaLogging []byte

// PostgresPOM names the PostgreSQL archive.
//
//go:embed postgres/pom.xml
var PostgresPOM []byte

// Postgres15POM names the archive of PostgreSQL 15.
//
//go:embed postgres15/pom.xml
var Postgres15POM []byte
