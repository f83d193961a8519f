// Package config is the one configuration of all subcommands: a YAML file,
// overridden by the environment, refused when it has an unknown key or
// contradicts itself.
//
// What belongs here: the keys, their defaults, and the checks that need no
// server. What never does: connecting to anything.
package config
