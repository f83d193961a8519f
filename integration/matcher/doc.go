// Package matcher tests processors/matcher on a real Kafka: what it publishes,
// that a restart publishes nothing new, that a SIGKILL anywhere changes nothing,
// and that redelivered, truncated, deleted and undecodable messages end where
// they should.
package matcher
