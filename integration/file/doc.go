// Package file tests the file connector on a real Kafka: what a department's
// drops become in topics, and what becomes of them when something breaks.
package file
