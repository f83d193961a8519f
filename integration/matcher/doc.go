// Package matcher tests processors/matcher on a real Kafka: what it publishes,
// that a restart publishes nothing new, that a SIGKILL anywhere changes nothing,
// that another model changes nothing before a person accepts it, and that redelivered, truncated, deleted and undecodable messages end where
// they should.
package matcher
