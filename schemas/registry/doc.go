// Package registry keeps Avro schemas by number: a client of any registry that
// speaks Confluent's REST API, and an embedded server that speaks it, for one
// machine.
//
// What belongs here: subjects, versions, ids, compatibility, and the format in
// which Confluent's registry keeps them in the topic _schemas. What never
// does: what a schema describes, and how events are encoded.
package registry
