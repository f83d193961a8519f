// Package city makes the people of a generated city and what the departments'
// systems write down of them, with the faults that real registers have.
//
// What belongs here: people, families, names, numbers, wards, the faults and
// their rates, and the rows of the five source systems. What never does: a
// database, a clock, or any data of a real person. Everything is drawn from
// pseudo-random numbers: the same Params give the same city, down to the byte.
//
// The package is pure. Package generator writes what it makes.
package city
