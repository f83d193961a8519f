// Package local holds what names the parts of a one-machine installation:
// their versions, and the files that the package managers and the servers
// read.
//
// What belongs here: versions, pom files, logging configuration, as they are
// embedded. What never does: code that downloads, starts or configures, which
// is cmd/hopluu/embedded's, and anything of a distributed installation.
package local
