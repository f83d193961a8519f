// Package harness gives integration tests the real parts: PostgreSQL, Kafka
// and ClickHouse, as processes of this machine or as containers, and the
// hopluu program itself. Each test process has its own, on free ports, in
// folders of its own, started when the first test asks.
//
// What belongs here: starting parts for tests, waiting for conditions. What
// never does: assertions about hopluu, test data, or anything that the
// product imports.
//
// A package of tests has
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
package harness
