// Package capture kills one connector with SIGKILL again and again, while its
// database changes, and counts what Kafka then holds: every event exactly once
// (P1, P2, P6).
//
// Three parties that share no code with the connector say what is right: a
// second replication slot, read with pglogrepl, says which events there are;
// franz-go and librdkafka's kcat, read committed, say which are in the topics;
// and the tables say what the events must add up to. Beside the kills the
// connector is stopped while a successor starts (a zombie), and its broker and
// its database are killed and restarted.
//
// What belongs here: the connector alone. The whole stack is killed in
// integration/crash.
package capture
