// Package drop is where departments put their files: a folder, or a bucket of
// an S3-compatible store. It lists, opens and writes; nothing is ever moved,
// changed or deleted.
//
// What belongs here: places. What never does: what is in a file, which table
// it belongs to, Kafka.
package drop
