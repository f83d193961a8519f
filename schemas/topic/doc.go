// Package topic is the way in and out of Kafka for all stages: names of
// topics, records written exactly once in transactions, records read as
// committed, consumer groups, and the few administrative calls that stages
// need.
//
// What belongs here: everything that speaks Kafka's protocol; it is the one
// package that imports kafka-go. What never does: what a record means
// (Avro, events, identity), and any stage's logic.
package topic
