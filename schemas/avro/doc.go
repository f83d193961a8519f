// Package avro turns change events into bytes and back: Debezium's envelope in
// Apache Avro's binary encoding, framed as Confluent's wire format.
//
// Writing goes through an Encoder that Compile makes once per relation, from
// the source's text to Avro bytes, without a map and without an allocation per
// row. Reading goes through an Envelope or a Record, parsed once per writer
// schema: what was written is read as it was written, and whoever evolves a
// table maps columns by name.
//
// What belongs here: the schemas of our messages, the encoder and the decoder,
// the name of a record. What never does: what a PostgreSQL type looks like
// (connectors/postgres/pgvalue), where schemas are kept (schemas/registry),
// topics, clocks, I/O. The package is pure.
//
// Sources: https://avro.apache.org/docs/1.12.0/specification/ ,
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format ,
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events
package avro
