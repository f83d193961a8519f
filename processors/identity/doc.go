// Package identity reads what sources write of persons, and names persons.
//
// Names, dates, numbers, telephones, wards, addresses and sexes are made equal
// here, whatever a system, a clerk or a spreadsheet made of them; what was found
// out on the way is noted. A Raw is a record as its source says it, a Link what
// is published of it, PersonOf names a person from a record of it, and a
// Partition is the hash of who is whom. Who is whom is decided in linkage.
//
// Everything here is a pure function of its arguments. What belongs here:
// normalising, and the words in which records and persons are spoken of. What
// never does: judging whether two records are one person, topics, schemas,
// clocks, logs, I/O. Identifiers are plaintext here, so nothing of this package
// prints them: Number formats as redacted text (P11).
package identity
