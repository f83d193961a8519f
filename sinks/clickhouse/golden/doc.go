// Package golden makes the SQL of master data: gold.person and
// gold.organisation, with the value of each attribute that survives of what
// their records say and the record that it came from; gold.role, which says
// what a person is to a household or an organisation; and gold.person_history,
// which says who a record was on a day.
//
// The rules come from the sector files (survives, organisation, role); the
// views are computed from silver and the links at the time of reading. They are
// functions of the set of rows alone: every order in them ends with the name of
// the record, which is unique, so that neither the order of arrival nor a
// replay nor a new snapshot changes a value (P9, P10).
//
// What belongs here: rules and SQL. What never does: running it.
package golden
