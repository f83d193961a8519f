// Package structure holds the tests that keep the shape of the project: who
// may import whom, and what pure packages may not touch.
package structure
